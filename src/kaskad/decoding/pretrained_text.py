"""Language models that others trained, read by transformers from a folder on this machine."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

CONFIG = "config.json"
# What tokenizers are kept in: one of these.
TOKENIZERS = (
    "tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model",
    "sentencepiece.bpe.model",
)  # fmt: skip
AT_ONCE = 64  # texts, or masked copies of one, that are scored at a time


class PretrainedTextModel:
    """Scores texts by a causal model (GPT-like) or by a masked one (BERT-like) in ``folder``.

    Of a masked model it is the pseudo-log-likelihood: the sum over the units of a text, each hidden
    and predicted from all others (Salazar et al., "Masked Language Model Scoring", 2020).

    Nothing is downloaded, no code of the folder runs, and weights are read from safetensors alone.
    Raises ``ValueError`` where the folder has no such model; the message says what to do.
    """

    def __init__(self, folder: Path) -> None:
        import transformers  # of an extra, and heavy

        settings = _settings(folder)
        names = " ".join(settings.get("architectures") or [])
        self._is_masked = "MaskedLM" in names
        if not self._is_masked and not ("CausalLM" in names or "LMHead" in names):
            raise ValueError(
                f"{folder}: {names or 'a model without a name'} is no causal or masked language "
                "model (its config.json says so under architectures)"
            )
        kind = (
            transformers.AutoModelForMaskedLM
            if self._is_masked
            else transformers.AutoModelForCausalLM
        )
        local: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
        try:
            self._tokens: Any = transformers.AutoTokenizer.from_pretrained(str(folder), **local)
            self._net: Any = kind.from_pretrained(str(folder), use_safetensors=True, **local)
        except (OSError, ValueError, KeyError, RuntimeError, ImportError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ValueError(
                f"{folder}: cannot be read without running code of its own or reading pickles: "
                f"{reason}; save_pretrained(folder) of transformers writes model and tokenizer as "
                "they are wanted"
            ) from error
        self._net = self._net.eval().float()
        first = self._tokens.cls_token_id if self._is_masked else self._tokens.bos_token_id
        last = self._tokens.sep_token_id if self._is_masked else self._tokens.eos_token_id
        self._first = last if first is None else first
        self._last = self._first if last is None else last
        if self._first is None or (self._is_masked and self._tokens.mask_token_id is None):
            raise ValueError(
                f"{folder}: its tokenizer has no mark of a text's "
                f"{'beginning and end' if self._first is None else 'hidden units'}, without which "
                "no text can be scored"
            )
        limit = getattr(self._net.config, "max_position_embeddings", None)
        # Some (RoBERTa) count their places from 2 on.
        self._longest = int(limit) - 2 if limit else 1_000_000

    def unknown(self, text: str) -> set[str]:
        """The characters of a text that no unit of the model stands for."""
        nothing = self._tokens.unk_token_id
        if nothing is None:
            return set()
        return {each for each in set(text) - {" "} if nothing in self._encode(each)}

    @torch.inference_mode()
    def log_probabilities(self, texts: Sequence[str]) -> list[float]:
        """The natural logarithm of the probability of each text: of a causal model with its end,
        of a masked one the pseudo-log-likelihood."""
        score = self._masked if self._is_masked else self._causal
        found: list[float] = []
        for start in range(0, len(texts), AT_ONCE):
            found += score([self._marked(text) for text in texts[start : start + AT_ONCE]])
        return found

    def _encode(self, text: str) -> list[int]:
        return list(self._tokens.encode(text, add_special_tokens=False))

    def _marked(self, text: str) -> list[int]:
        """The units of a text between its marks; one too long for the model is cut."""
        return [self._first, *self._encode(text)[: self._longest - 2], self._last]

    def _causal(self, rows: list[list[int]]) -> list[float]:
        units, mask = _padded(rows)
        before = self._net(input_ids=units[:, :-1], attention_mask=mask[:, :-1]).logits
        log_probs = before.float().log_softmax(2).gather(2, units[:, 1:, None])[:, :, 0]
        return log_probs.masked_fill(mask[:, 1:] == 0, 0.0).sum(1).tolist()

    def _masked(self, rows: list[list[int]]) -> list[float]:
        return [self._pseudo(torch.tensor(row)) for row in rows]

    def _pseudo(self, units: Tensor) -> float:
        places = range(1, len(units) - 1)
        total = 0.0
        for start in range(0, len(places), AT_ONCE):
            part = torch.tensor(places[start : start + AT_ONCE])
            copies = units.repeat(len(part), 1)
            rows = torch.arange(len(part))
            copies[rows, part] = self._tokens.mask_token_id
            seen = self._net(input_ids=copies, attention_mask=torch.ones_like(copies)).logits
            total += float(seen[rows, part].float().log_softmax(1)[rows, units[part]].sum())
        return total


def is_pretrained(path: Path) -> bool:
    """Whether a path is such a folder, or its config.json."""
    return path.name == CONFIG or (path / CONFIG).is_file()


def _settings(folder: Path) -> dict[str, Any]:
    try:
        settings = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{folder / CONFIG}: cannot be read as JSON: {error}") from error
    if not isinstance(settings, dict) or not isinstance(settings.get("architectures") or [], list):
        raise ValueError(f"{folder / CONFIG}: holds no settings of a model")
    if not any(folder.glob("*.safetensors")):
        raise ValueError(
            f"{folder}: has no weights as safetensors, and pickles are not read; write them with "
            "save_pretrained(folder) of transformers"
        )
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise ValueError(
            f"{folder}: has no tokenizer ({', '.join(TOKENIZERS)}); save_pretrained(folder) of "
            "transformers' tokenizer writes it"
        )
    return settings


def _padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Units (texts, units), 0 beyond the end of each, and 1 for each that is there."""
    longest = max(map(len, rows))
    units = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows])
    return units, mask
