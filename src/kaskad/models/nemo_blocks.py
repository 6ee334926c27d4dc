"""The encoders that NeMo makes of a list of blocks, and the names of their weights here.

NeMo's ConvASREncoder is such a list; each entry makes a JasperBlock. Two kinds are known: QuartzNet
and Jasper, and Citrinet. Whatever else a block says that changes what it computes is refused.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from torch import Tensor

from kaskad.models.encoders.citrinet import FIRST, LAST
from kaskad.models.encoders.quartznet import Jasper, QuartzNet

Blocks = Sequence[Mapping[str, Any]]
EPSILON, OURS = 1e-3, 1e-5  # added to a variance by NeMo, and by PyTorch by default
REDUCTION = 8  # of squeeze-and-excitation, where a block does not say it
# What blocks of both kinds have in common, by NeMo's names: what it is where a block does not say.
ALIKE = {"groups": 1, "heads": -1, "future_context": -1}
# Of an encoder, what all its blocks have in common.
OF_AN_ENCODER = {"activation": "relu", "normalization_mode": "batch", "frame_splicing": 1}


class ForeignBlockError(ValueError):
    """Something that our nets do not have; says what."""


def options_for(encoder: Mapping[str, Any]) -> str:
    """The options that make the net of these settings of an encoder: what to call train.py with.

    Raises ``ForeignBlockError`` for a net that none of ours is, and ``KeyError``, ``TypeError``,
    ``IndexError`` and ``AttributeError`` where it lacks what every encoder has.
    """
    blocks: Blocks = encoder["jasper"]
    for name, value in OF_AN_ENCODER.items():
        if (found := encoder.get(name, value)) != value:
            raise ForeignBlockError(f"its encoder has {name}: {found}, where {value} is known")
    for number, block in enumerate(blocks):
        _require(number, block, ALIKE, ALIKE)
    if any(block.get("se") for block in blocks):
        return _citrinet(blocks)
    return _quartznet(blocks)


def _quartznet(blocks: Blocks) -> str:
    separable, dense = bool(blocks[0].get("separable")), bool(blocks[1].get("residual_dense"))
    first, *kinds, last, pointwise = (QuartzNet if separable else Jasper).stages
    each, left = divmod(len(blocks) - 3, len(kinds))
    if each < 1 or left:
        raise ForeignBlockError(
            f"its encoder has {len(blocks)} blocks, where {len(kinds)} kinds of as many each are "
            "known, one before them and two after"
        )
    stages = [first, *(kind for kind in kinds for _ in range(each)), last, pointwise]
    width = blocks[0]["filters"] / first.filters
    for number, (block, stage) in enumerate(zip(blocks, stages, strict=True)):
        place = number - len(blocks)
        is_inner = number > 0 and place < -2
        wanted = {
            "kernel": stage.kernel_size,
            "filters": round(stage.filters * width),
            "stride": 2 if number == 0 else 1,
            "dilation": 2 if place == -2 else 1,
            "residual": is_inner,
            "residual_mode": "add",
            "residual_dense": is_inner and dense,
            "repeat": blocks[1]["repeat"] if is_inner else 1,
            "separable": separable and place != -1,
        }
        _require(number, block, wanted, {"residual_mode": "add", "separable": False})
    name = "quartznet" if separable else "jasper"
    return (
        f"model={name} model.encoder.blocks={len(blocks) - 3} "
        f"model.encoder.repeats={blocks[1]['repeat']} "
        f"model.encoder.width={width:g}"
        f"{' model.encoder.dense=true' if dense else ''}"
    )


def _citrinet(blocks: Blocks) -> str:
    inner, reduction = blocks[1], blocks[0].get("se_reduction_ratio", REDUCTION)
    parts: list[list[int]] = []
    for number, block in enumerate(blocks):
        is_inner = 0 < number < len(blocks) - 1
        wanted = {
            "se": True,
            "separable": True,
            "se_reduction_ratio": reduction,
            "dilation": 1,
            "residual": is_inner,
            "residual_dense": False,
            "repeat": inner["repeat"] if is_inner else 1,
        }
        if not is_inner:
            wanted |= {"kernel": LAST if number else FIRST, "stride": 1}
        if number < len(blocks) - 1:
            wanted["filters"] = inner["filters"]
        stride = _first(block["stride"])
        if is_inner and (stride != 1 or not parts):
            wanted |= {"stride": 2, "stride_last": True, "residual_mode": "stride_add"}
            parts.append([])
        _require(number, block, wanted, {"se_reduction_ratio": REDUCTION})
        if is_inner:
            parts[-1].append(_kernel(block))
    return (
        f"model=citrinet model.encoder.filters={inner['filters']} "
        f"model.encoder.repeats={inner['repeat']} model.encoder.last={blocks[-1]['filters']} "
        f"model.encoder.squeeze={reduction} 'model.encoder.kernels={parts}'"
    )


def _require(
    number: int, block: Mapping[str, Any], wanted: Mapping[str, Any], unsaid: Mapping[str, Any]
) -> None:
    """Raise ``ForeignBlockError`` unless a block is as ``wanted``; ``unsaid`` is what NeMo takes
    where the block does not say it."""
    for name, value in wanted.items():
        found = _kernel(block) if name == "kernel" else _first(block.get(name, unsaid.get(name)))
        if found != value and not (value is False and found is None):
            raise ForeignBlockError(
                f"its block {number} has {name}: {found}, where {value} is known of such nets"
            )


def _first(value: Any) -> Any:
    return value[0] if isinstance(value, list) else value


def _kernel(block: Mapping[str, Any]) -> int:
    """The frames that a block looks at: odd, and a factor less than it says."""
    size = max(int(_first(block["kernel"]) * float(block.get("kernel_size_factor", 1))), 1)
    return size + 1 - size % 2


def named_as_ours(weights: Mapping[str, Tensor], blocks: Blocks) -> Iterator[tuple[str, Tensor]]:
    """The weights of an encoder of NeMo by our names."""
    excited = any(block.get("se") for block in blocks)
    ends = ["last"] if excited else ["last", "pointwise"]
    middle = [f"blocks.{number}" for number in range(len(blocks) - 1 - len(ends))]
    for number, (block, ours) in enumerate(zip(blocks, ["first", *middle, *ends], strict=True)):
        yield from _of_a_block(weights, block, f"encoder.encoder.{number}", f"encoder.{ours}")


def _of_a_block(
    weights: Mapping[str, Tensor], block: Mapping[str, Any], theirs: str, ours: str
) -> Iterator[tuple[str, Tensor]]:
    # One convolution or two, a normalisation; between repeats two layers without weights.
    size = 3 if block.get("separable") else 2
    for repeat in range(block["repeat"]):
        layers = [f"mconv.{repeat * (size + 2) + n}" for n in range(size)]
        yield from _of_a_unit(weights, theirs, layers, f"{ours}.convolutions.{repeat}")
    after = (block["repeat"] - 1) * (size + 2) + size
    for layer in (0, 2):  # before and after the activation
        weight = weights.get(f"{theirs}.mconv.{after}.fc.{layer}.weight")
        if weight is not None:
            yield f"{ours}.excite.weigh.{layer}.weight", weight
    residual = 0
    while f"{theirs}.res.{residual}.1.weight" in weights:
        layers = [f"res.{residual}.{n}" for n in range(2)]
        yield from _of_a_unit(weights, theirs, layers, f"{ours}.residuals.{residual}")
        residual += 1


def _of_a_unit(
    weights: Mapping[str, Tensor], theirs: str, layers: list[str], ours: str
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
