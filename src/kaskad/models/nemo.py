"""QuartzNet and Jasper as NeMo publishes them: an archive of settings and weights, read by name.

Nothing of it is executed: settings are plain YAML, weights are read with ``weights_only``, and what
NeMo would make of them is not made. Its names are those of NeMo's ConvASREncoder and JasperBlock.
"""

import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor

from kaskad.runs.checkpoints import CheckpointError
from kaskad.storage.archives import excess_of

SUFFIX = ".nemo"
CONFIG, WEIGHTS = "model_config.yaml", "model_weights.ckpt"
MOST_BYTES = 20 * 2**30  # of one file in an archive
MOST_PACKED, FREELY = 20, 2**20  # times: weights pack badly, and settings well; bytes
EPSILON, OURS = 1e-3, 1e-5  # added to a variance by NeMo, and by PyTorch where nothing is said
HEAD = "decoder.decoder_layers.0"
WIDTH = 256  # filters of the first convolution in the paper


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
        bins = config["preprocessor"]["features"]
        rate = config["preprocessor"].get("sample_rate", 16_000)
        options = (
            f"model.encoder.blocks={len(blocks) - 3} model.encoder.repeats={blocks[1]['repeat']} "
            f"model.encoder.width={blocks[0]['filters'] / WIDTH:g} features.bins={bins}"
        )
        if foreign := next((b for b in blocks if b.get("se") or b.get("groups", 1) > 1), None):
            what = "squeeze-and-excitation" if foreign.get("se") else "groups of channels"
            raise CheckpointError(
                f"{path}: has blocks with {what}, as Citrinet's; model=quartznet has none"
            )
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise CheckpointError(
            f"{path}: no model of NeMo with convolutions and CTC: its settings lack {error}"
        ) from None
    mapped = dict(_mapped(weights, blocks))
    head = weights.get(f"{HEAD}.weight"), weights.get(f"{HEAD}.bias")
    if head[0] is None or head[1] is None or head[0].shape[:1] != (len(labels),):
        raise CheckpointError(f"{path}: its head is not for its {len(labels)} labels, CTC's blank")
    for name, weight in zip(("head.weight", "head.bias"), (head[0][:, :, 0], head[1]), strict=True):
        mapped[name] = weight.roll(1, dims=0)  # there the blank is the last label
    return NemoModel(mapped, labels, {"sample_rate": rate, "bins": bins}, options)


def _mapped(
    weights: dict[str, Tensor], blocks: list[dict[str, Any]]
) -> Iterator[tuple[str, Tensor]]:
    """The weights of the encoder by the names of ``ConvolutionalEncoder``."""
    names = _block_names(len(blocks))
    for number, (block, name) in enumerate(zip(blocks, names, strict=True)):
        theirs = f"encoder.encoder.{number}"
        separable = bool(block.get("separable"))
        # One convolution or two, a normalisation; between repeats two layers without weights.
        step = (3 if separable else 2) + 2
        for repeat in range(block["repeat"]):
            layers = [f"mconv.{repeat * step + n}" for n in range(step - 2)]
            yield from _unit(weights, theirs, layers, f"{name}.convolutions.{repeat}")
        residual = 0
        while f"{theirs}.res.{residual}.1.weight" in weights:
            layers = [f"res.{residual}.{n}" for n in range(2)]
            yield from _unit(weights, theirs, layers, f"{name}.residuals.{residual}")
            residual += 1


def _unit(
    weights: dict[str, Tensor], theirs: str, layers: list[str], ours: str
) -> Iterator[tuple[str, Tensor]]:
    *convolutions, normalisation = layers
    for number, layer in enumerate(convolutions):
        for inner in ("conv.weight", "weight"):  # masked or not
            if (weight := weights.get(f"{theirs}.{layer}.{inner}")) is not None:
                yield f"{ours}.{number}.weight", weight
    for part in ("weight", "bias", "running_mean", "running_var", "num_batches_tracked"):
        weight = weights.get(f"{theirs}.{normalisation}.{part}")
        if weight is not None:
            # The same division, with what we add to a variance.
            shifted = weight + (EPSILON - OURS) if part == "running_var" else weight
            yield f"{ours}.{len(convolutions)}.{part}", shifted


def _block_names(count: int) -> list[str]:
    middle = [f"encoder.blocks.{n}" for n in range(count - 3)]
    return ["encoder.first", *middle, "encoder.last", "encoder.pointwise"]


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
        most = min(MOST_BYTES, MOST_PACKED * path.stat().st_size + FREELY)
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
        config = yaml.safe_load(found[CONFIG].decode())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
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
