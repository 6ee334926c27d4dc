"""N-best lists in a new order: that of a language model that has seen each text as a whole."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from kaskad.decoding.hypothesis import Hypothesis, best_of
from kaskad.decoding.pretrained_text import PretrainedTextModel, is_pretrained
from kaskad.ngrams.sentences import LEAST_SPELT
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint
from kaskad.runs.trusted_parts import load_model
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)

# What a word adds that has no labels in the language model, as unk_score_offset does in a beam.
UNKNOWN = -10.0
ANOTHER = "give another (decoder.rescore=…), or null for none"


@runtime_checkable
class TextModel(Protocol):
    """Knows how probable texts are."""

    tokenizer: Tokenizer

    def log_probabilities(self, texts: Sequence[str]) -> list[float]:
        """The natural logarithm of the probability of each text, its end included."""


class Rescorer:
    """``n-best lists -> n-best lists``, each a hypothesis and its alternatives.

    Adds to the score of a hypothesis ``weight`` times the natural logarithm of the probability of
    its text in the language model of ``checkpoint``, and ``bonus`` for each word; then puts the
    list in the order of these scores. ``checkpoint`` may be a folder of runs, or one with a causal
    or masked language model as transformers saves it: see ``PretrainedTextModel``.

    Raises ``CheckpointError`` where there is no such language model, and ``ValueError`` where its
    labels cannot spell what those of ``tokenizer`` write.
    """

    def __init__(
        self, checkpoint: str | Path, tokenizer: Tokenizer, weight: float, bonus: float
    ) -> None:
        path = Path(checkpoint)
        if not is_pretrained(path):
            path = find_checkpoint(path)
        if not path.exists():
            raise CheckpointError(f"{path}: no such language model; {ANOTHER}")
        self._model = _open(path, path.stat().st_mtime_ns)
        _compare(path, self._model, tokenizer)
        self._weight = weight
        self._bonus = bonus

    def __call__(self, hypotheses: Sequence[Hypothesis]) -> list[Hypothesis]:
        lists = [[best, *best.alternatives] for best in hypotheses]
        gains = self._gains(sorted({each.text for n_best in lists for each in n_best}, key=len))
        return [
            best_of(
                sorted(
                    (
                        replace(each, score=each.score + gains[each.text], alternatives=[])
                        for each in n_best
                    ),
                    key=lambda hypothesis: hypothesis.score,
                    reverse=True,
                )
            )
            for n_best in lists
        ]

    def _gains(self, texts: Sequence[str]) -> dict[str, float]:
        """What the score of each text gains."""
        model = self._model
        unknown = (
            model.unknown if isinstance(model, PretrainedTextModel) else model.tokenizer.unknown
        )
        gains = {}
        for text, log_prob in zip(texts, self._model.log_probabilities(texts), strict=True):
            words = text.split()
            log_prob += UNKNOWN * sum(bool(unknown(word)) for word in words)
            gains[text] = self._weight * log_prob + self._bonus * len(words)
        return gains


@lru_cache(maxsize=1)  # where a decoder is made again with other weights, the model stays
def _open(path: Path, modified: int) -> TextModel | PretrainedTextModel:
    if is_pretrained(path):
        return PretrainedTextModel(path.parent if path.is_file() else path)
    model, _ = load_model(path)
    if not isinstance(model, TextModel):
        raise CheckpointError(
            f"{path}: a {type(model).__name__}, and no language model, as python train.py "
            f"model=lstm_lm or transformer_lm makes; {ANOTHER}"
        )
    return model


def _compare(path: Path, model: TextModel | PretrainedTextModel, written: Tokenizer) -> None:
    """Warn of characters that are ``written`` and not known; refuse where they are many."""
    ours = set("".join(written.labels)) - {" "}
    if isinstance(model, PretrainedTextModel):
        known: set[str] = set()
        missing = model.unknown("".join(ours))
    else:
        known = set("".join(model.tokenizer.labels)) - {" "}
        missing = ours - known
    require_spelling(path, "language model", ours, missing, known, ANOTHER)


def require_spelling(
    path: Path, kind: str, ours: set[str], missing: set[str], known: set[str], another: str
) -> None:
    """Warn of characters that a model of text does not know; refuse it where they are many.

    Args:
        path: Of the model.
        kind: What it is.
        ours: The characters that the recogniser writes.
        missing: Those of them that the model does not know.
        known: What it knows, if that can be listed.
        another: What to do where it is refused.

    Raises:
        ValueError: Where more of them are missing than known.
    """
    if len(missing) > (1 - LEAST_SPELT) * len(ours):
        theirs = _listed(known) or "other characters"
        raise ValueError(
            f"{path}: this {kind} spells with {theirs}, and the recogniser writes {_listed(ours)}: "
            f"another language, or other units; {another}"
        )
    if missing:
        log.warning(
            "%s: this %s does not know %s: words with these count as unknown",
            path,
            kind,
            _listed(missing),
        )


def _listed(characters: set[str]) -> str:
    return " ".join(sorted(characters))
