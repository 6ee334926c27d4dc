"""What a configuration in a file describes is made only if it is plain, and a part of a recogniser.

Everything that makes an object of a configuration from a file goes through ``instantiate_trusted``:
the classes that it names must be those that a room of this package exports, or of a package that
the caller trusts by name. A function is never called.
"""

import math
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from hydra.utils import get_class, get_object, instantiate
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from kaskad.runs.checkpoints import CheckpointError, read_checkpoint
from kaskad.runs.saved_configuration import fault_of

# What only training needs; left out of a model that is loaded to be used.
TRAINING_PARTS = ("optimizer", "scheduler", "augment")
# What parts of a net may make besides weights, such as filters and windows: values, and tensors.
SPARE_VALUES, SPARE_TENSORS = 5_000_000, 1_000
FEWEST_SETTINGS = 10_000
LONGEST_REASON = 300  # characters
# Rooms whose classes a configuration may name: none of them touches anything but tensors and text.
ROOMS = ("audio", "text", "models", "decoding")


def load_model(
    path: str | Path, *, trusted: Sequence[str] = (), **parts: Any
) -> tuple[nn.Module, dict[str, Any]]:
    """Return the model of a checkpoint, ready to be used, and the configuration of its run.

    ``parts`` take the place of those in its configuration; ``trusted`` names packages, besides
    kaskad, whose classes it may use. Raises ``CheckpointError``.
    """
    checkpoint = read_checkpoint(path)
    config: dict[str, Any] = checkpoint["config"]
    weights: dict[str, Tensor] = checkpoint["state_dict"]
    node = {name: part for name, part in config["model"].items() if name not in TRAINING_PARTS}
    if unknown := parts.keys() - node.keys():
        name = min(unknown)
        raise CheckpointError(f"{path}: its model has no {name}= to replace; leave that out")
    # Weights may share what is stored; a net that they fit is no larger for it.
    stored = {}
    for weight in weights.values():
        storage = weight.untyped_storage()
        stored[storage.data_ptr()] = storage.nbytes() // weight.element_size()
    values = sum(stored.values())
    # A label has a weight at least; a list of half a million takes minutes to be made something of.
    most = max(values, SPARE_VALUES)
    if fault := fault_of(node, "model", most=most, values=max(values, FEWEST_SETTINGS)):
        raise CheckpointError(f"{path}: {fault}")
    with _NoMoreThan(values, len(weights)):
        model = instantiate_trusted(node | parts, path, trusted)
    if not isinstance(model, nn.Module):
        raise CheckpointError(f"{path}: its model is a {type(model).__name__}, and no net")
    for name, weight in model.state_dict().items():
        found = weights.get(name, weight)
        if found.is_floating_point() != weight.is_floating_point():
            raise CheckpointError(f"{path}: its weight {name} is {found.dtype}, not {weight.dtype}")
    try:
        model.load_state_dict(weights)
    except Exception as error:  # of another shape, as a rule; a tensor may be odd in many ways
        reason = " ".join(str(error).split())[:LONGEST_REASON]
        raise CheckpointError(
            f"{path}: its weights do not fit its configuration: {reason}"
        ) from None
    return model.eval(), config


class _NoMoreThan(TorchDispatchMode):
    """Refuses to make far more tensors, or far larger ones, than the weights of a checkpoint are,
    before memory is taken for them: a net of such sizes is not the one that was trained."""

    def __init__(self, values: int, tensors: int) -> None:
        super().__init__()
        self.values = 2 * values + SPARE_VALUES
        self.tensors = 4 * tensors + SPARE_TENSORS

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        sizes = args[0] if args else None
        is_made_by_size = isinstance(sizes, list | tuple) and all(type(n) is int for n in sizes)
        if is_made_by_size and str(function).startswith("aten.empty"):
            self.values -= math.prod(sizes or ())
            self.tensors -= 1
            if self.values < 0 or self.tensors < 0:
                raise CheckpointError("it describes a net far larger than its weights")
        return function(*args, **(kwargs or {}))


def instantiate_trusted(node: dict[str, Any], path: str | Path, trusted: Sequence[str] = ()) -> Any:
    """Make what ``node``, of the configuration in the checkpoint ``path``, describes.

    Raises ``CheckpointError`` where it holds more than plain values, names a class outside kaskad
    and the packages ``trusted``, or describes nothing that can be made.
    """
    if fault := fault_of(node, "model"):
        raise CheckpointError(
            f"{path}: its configuration is not plain: {fault}; nothing was executed"
        )
    targets = list(_targets(node))
    if not targets:
        raise CheckpointError(f"{path}: its configuration names no class to make (_target_)")
    for target in targets:
        _refuse_untrusted(target, trusted, path)
    try:
        return instantiate(node)
    except Exception as error:  # of any class that the configuration may name
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        what = " ".join(lines[:2])[:LONGEST_REASON]  # what was called, and why that failed
        raise CheckpointError(f"{path}: what it describes cannot be made: {what}") from error


def _targets(node: Any) -> Iterator[Any]:
    if isinstance(node, dict):
        if "_target_" in node:
            yield node["_target_"]
        for child in node.values():
            yield from _targets(child)
    elif isinstance(node, list):
        for child in node:
            yield from _targets(child)


def _refuse_untrusted(target: Any, trusted: Sequence[str], path: str | Path) -> None:
    """Raise ``CheckpointError`` unless ``target`` is a class that a room of kaskad exports, or one
    of a package that is trusted. A function is never called."""
    package, _, rest = target.partition(".") if isinstance(target, str) else ("", "", "")
    room, _, name = rest.partition(".")
    if package == "kaskad" and room in ROOMS:
        if name in import_module(f"kaskad.{room}").__all__:
            if isinstance(get_object(target), type):
                return
        elif "." in name:
            raise CheckpointError(
                f"{path}: made by an earlier Kaskad, whose checkpoints named files ({target}); "
                "train the model again, or load it with the version that made it"
            )
    elif package in trusted:
        try:
            # "trusted.module.os.…" would start here and end elsewhere.
            if get_class(target).__module__.split(".")[0] == package:
                return
        except Exception:  # importing may fail in any way
            raise CheckpointError(
                f"{path}: its configuration names {target}, and there is no such class here"
            ) from None
    raise CheckpointError(
        f"{path}: its configuration names {target}, which is not a part of a recogniser; "
        f"nothing was executed. If you trust it, name its package: trusted=[{package}]"
    )
