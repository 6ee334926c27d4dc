"""QuartzNet, Jasper and Citrinet as NeMo publishes them: archives of settings and named weights.

Nothing of it is executed: settings are plain YAML, weights are read with ``weights_only``, and what
NeMo would make of them is not made.
"""

import io
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from kaskad.models.nemo_blocks import ForeignBlockError, named_as_ours, options_for
from kaskad.runs.checkpoints import CheckpointError
from kaskad.storage.archives import excess_of, most_unpacked
from kaskad.storage.plain_yaml import read_plain_yaml

SUFFIX = ".nemo"
CONFIG, WEIGHTS = "model_config.yaml", "model_weights.ckpt"
MOST_BYTES = 20 * 2**30  # of one file in an archive
MOST_PACKED = 20  # times: weights pack badly
HEAD = "decoder.decoder_layers.0"


@dataclass(frozen=True)
class NemoModel:
    """``weights`` by our names, for the ``labels`` (the blank first), and the ``features`` that
    they were trained on; ``options`` make the encoder that they fit."""

    weights: dict[str, Tensor]
    labels: list[str]
    features: dict[str, Any]
    options: str


def read_nemo(path: Path) -> NemoModel:
    """Read a published model with CTC; raises ``CheckpointError`` for anything else."""
    config, weights, tokenizer = _read_archive(path)
    try:
        blocks = config["encoder"]["jasper"]
        labels = _labels(config, tokenizer, path)
        features = _features(config["preprocessor"])
        options = " ".join(
            [
                options_for(config["encoder"]),
                *(f"features.{name}={value}" for name, value in features.items()),
            ]
        )
    except ForeignBlockError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except CheckpointError:
        raise
    except (KeyError, TypeError, IndexError, AttributeError, ValueError) as error:
        raise CheckpointError(
            f"{path}: no model of NeMo with convolutions and CTC: its settings lack {error}"
        ) from None
    mapped = dict(named_as_ours(weights, blocks))
    head = weights.get(f"{HEAD}.weight"), weights.get(f"{HEAD}.bias")
    if head[0] is None or head[1] is None or head[0].shape[:1] != (len(labels),):
        raise CheckpointError(f"{path}: its head is not for its {len(labels)} labels, CTC's blank")
    for name, weight in zip(("head.weight", "head.bias"), (head[0][:, :, 0], head[1]), strict=True):
        mapped[name] = weight.roll(1, dims=0)  # there the blank is the last label
    return NemoModel(mapped, labels, features, options)


def _features(preprocessor: dict[str, Any]) -> dict[str, Any]:
    """The options of features=nemo, by our names."""
    seconds = {"window": "window_size", "hop": "window_stride"}
    return {
        "sample_rate": preprocessor.get("sample_rate", 16_000),
        "bins": preprocessor["features"],
        **{ours: preprocessor[name] for ours, name in seconds.items() if name in preprocessor},
    }


def _labels(config: dict[str, Any], tokenizer: bytes | None, path: Path) -> list[str]:
    """The labels, the blank first: characters, or the pieces of SentencePiece's model."""
    if tokenizer is None:
        named = config["decoder"]["vocabulary"]
        if not all(isinstance(label, str | int | float) for label in named):
            raise TypeError("labels that are text")
        return ["", *map(str, named)]
    import sentencepiece

    try:
        pieces = sentencepiece.SentencePieceProcessor(model_proto=tokenizer)
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(f"{path}: its tokenizer cannot be read: {error}") from None
    named = (pieces.id_to_piece(index) for index in range(pieces.vocab_size()))
    return ["", *(piece.replace("▁", " ") for piece in named)]


def _read_archive(path: Path) -> tuple[dict[str, Any], dict[str, Tensor], bytes | None]:
    """Settings, weights, and SentencePiece's model where there is one."""
    found: dict[str, bytes] = {}
    try:
        most = min(MOST_BYTES, most_unpacked(path, MOST_PACKED))
        with tarfile.open(path, "r:*") as tar:
            for entry in tar:
                name = entry.name.rpartition("/")[2]
                wanted = name in (CONFIG, WEIGHTS) or name.endswith("tokenizer.model")
                if not wanted or not entry.isreg():
                    continue
                if entry.size > most:
                    raise CheckpointError(f"{path}: {name} is far larger than a model of NeMo")
                opened = tar.extractfile(entry)
                found[name if name in (CONFIG, WEIGHTS) else "tokenizer"] = (
                    opened.read() if opened else b""
                )
    except (tarfile.TarError, EOFError, OSError) as error:
        raise CheckpointError(f"{path}: no archive of NeMo, or a torn one: {error}") from None
    if missing := [name for name in (CONFIG, WEIGHTS) if name not in found]:
        raise CheckpointError(f"{path}: no archive of NeMo: it has no {missing[0]}")
    try:
        config = read_plain_yaml(found[CONFIG].decode())
    except (yaml.YAMLError, ValueError) as error:
        what = str(error).partition("\n")[0]
        raise CheckpointError(f"{path}: its {CONFIG} is no plain YAML: {what}") from None
    try:
        packed = io.BytesIO(found[WEIGHTS])
        if excess := excess_of(packed):
            raise ValueError(excess)
        weights = torch.load(packed, map_location="cpu", weights_only=True)
    except Exception:  # a reader of torn bytes may fail in any way
        raise CheckpointError(
            f"{path}: its {WEIGHTS} holds more than weights, or is torn; nothing was executed"
        ) from None
    if not isinstance(weights, dict) or not all(isinstance(w, Tensor) for w in weights.values()):
        raise CheckpointError(f"{path}: its {WEIGHTS} holds no weights by name")
    return config, weights, found.get("tokenizer")
