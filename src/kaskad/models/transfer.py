"""Transfer: a new recogniser begins with the weights of a trained one."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kaskad.models.encoders.cascade_lstm import named_as_now
from kaskad.models.encoders.encoder import Encoder
from kaskad.models.nemo import SUFFIX as NEMO
from kaskad.models.nemo import read_nemo
from kaskad.models.recogniser import Recogniser
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint, read_checkpoint, settings_of
from kaskad.runs.trusted_parts import instantiate_trusted
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)

# How modules end whose weights have a row a label.
ROW_A_LABEL = ("head", "embedding")
NAMED_ON_THE_CONSOLE = 6


@dataclass(frozen=True)
class Transfer:
    """What became of the weights of ``checkpoint``, by their names.

    ``taken`` as they are; ``resized``: the rows of the labels that both alphabets have, and how
    many these are; ``left`` where they were; ``fresh`` are those of the new recogniser that nothing
    was found for.
    """

    checkpoint: str
    taken: list[str] = field(default_factory=list)
    resized: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    fresh: list[str] = field(default_factory=list)


def transfer_weights(
    recogniser: Recogniser,
    path: Path,
    features: Mapping[str, Any],
    parts: Mapping[str, str] | None = None,
) -> Transfer:
    """Transfer every weight that fits by name and shape from a checkpoint, a folder of runs, or an
    archive of NeMo's.

    Labels may differ: weights with a row a label are transferred label by label. The features of
    both are compared, and what differs is warned of.

    Args:
        recogniser: The new one, whose weights are changed.
        path: The checkpoint, or a folder of runs: the newest of them; or the archive.
        features: The configuration of the new features.
        parts: For modules here, the module there that each takes its weights from, where that has
            another name: ``{"encoder.front": "encoder"}``.

    Returns:
        What became of the weights.

    Raises:
        CheckpointError: If nothing before the head fits; of NeMo's, where not all of the encoder
            does; or ``parts`` names what is not there.
    """
    path = find_checkpoint(path)
    published = read_nemo(path) if path.suffix == NEMO else None
    if published is not None:
        labels, theirs = published.labels, published.weights
        _compare_features(path, published.features, features, [*published.features])
    else:
        labels, theirs = _trained(path, recogniser, features)
    rows = _shared_rows(labels, recogniser.tokenizer.labels)

    ours = _trained_part(recogniser.state_dict())
    sources = _sources(ours, theirs, parts or {})
    transfer = Transfer(str(path.resolve()))
    with torch.no_grad():
        for name, weight in ours.items():
            found = theirs.get(sources[name])
            if found is None:
                transfer.fresh.append(name)
            elif _is_by_label(name, weight, found, recogniser.tokenizer.size, len(labels)):
                here, there = rows
                weight[here] = found[there].to(weight)
                if len(here) == len(weight) == len(found):
                    transfer.taken.append(name)
                else:
                    transfer.resized[name] = f"{len(here)} of {len(weight)} labels"
            elif found.shape == weight.shape:
                weight.copy_(found)
                transfer.taken.append(name)
            else:
                transfer.fresh.append(name)
    used = {sources[name] for name in (*transfer.taken, *transfer.resized)}
    transfer.left.extend(sorted(theirs.keys() - used))
    unused = [*transfer.fresh, *transfer.left]
    if published is not None and any(name.startswith("encoder.") for name in unused):
        raise CheckpointError(
            f"{path}: not all of its encoder fits this one; take its sizes: {published.options}"
        )
    if all(_ends_in_labels(name) for name in transfer.taken):
        raise CheckpointError(_why_nothing_fits(path, ours, theirs))
    _tell(transfer, len(theirs))
    return transfer


def _trained(
    path: Path, recogniser: Recogniser, features: Mapping[str, Any]
) -> tuple[list[str], dict[str, Tensor]]:
    """The labels and the weights of a checkpoint of ours."""
    checkpoint = read_checkpoint(path)
    model = checkpoint["config"]["model"]
    theirs = settings_of(model, "features", path, dict)
    _compare_features(path, theirs, features, [*features, *theirs])
    own_package = type(recogniser.tokenizer).__module__.split(".")[0]
    node = settings_of(model, "tokenizer", path, dict)
    tokenizer = instantiate_trusted(node, path, trusted=[own_package])
    if not isinstance(tokenizer, Tokenizer):
        raise CheckpointError(f"{path}: its tokenizer is a {type(tokenizer).__name__}")
    return tokenizer.labels, _trained_part(named_as_now(checkpoint["state_dict"]))


def take_pretrained(recogniser: Recogniser) -> None:
    """Have the encoder of a new recogniser take the weights that others trained, if it is one."""
    encoder = getattr(recogniser, "encoder", None)
    if isinstance(encoder, Encoder):
        encoder.load_pretrained()


def _trained_part(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Without the constants of the features, which the configuration alone decides on, and what the
    loss has found in the training transcripts."""
    not_trained = ("features.", "loss.")
    return {name: weight for name, weight in state.items() if not name.startswith(not_trained)}


def _sources(
    ours: Mapping[str, Tensor], theirs: Mapping[str, Tensor], parts: Mapping[str, str]
) -> dict[str, str]:
    """The name there of each weight here: the same, but for what lies in one of the ``parts``."""
    sources = {name: name for name in ours}
    for here, there in parts.items():
        for module, weights, where in (
            (here, ours, "this model"),
            (there, theirs, "the checkpoint"),
        ):
            if not any(name.startswith(f"{module}.") for name in weights):
                raise CheckpointError(
                    f"init_parts={{{here}: {there}}}: {where} has no weights in '{module}'; it has "
                    + ", ".join(sorted({".".join(name.split(".")[:2]) for name in weights}))
                )
        inside = [name for name in ours if name.startswith(f"{here}.")]
        sources |= {name: there + name.removeprefix(here) for name in inside}
    return sources


def _shared_rows(theirs: Sequence[str], ours: Sequence[str]) -> tuple[list[int], list[int]]:
    """The ids, here and there, of the labels that both have; that of the blank among them."""
    there = {label: index for index, label in enumerate(theirs)}
    pairs = [(index, there[label]) for index, label in enumerate(ours) if label in there]
    return [here for here, _ in pairs], [index for _, index in pairs]


def _ends_in_labels(name: str) -> bool:
    return any(part.endswith(ROW_A_LABEL) for part in name.split("."))


def _is_by_label(name: str, ours: Tensor, theirs: Tensor, size: int, their_size: int) -> bool:
    rows_are_labels = ours.shape[:1] == (size,) and theirs.shape[:1] == (their_size,)
    return _ends_in_labels(name) and rows_are_labels and ours.shape[1:] == theirs.shape[1:]


def _compare_features(
    path: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any], keys: Sequence[str]
) -> None:
    different = [
        f"{key} {ours.get(key)} here, {theirs.get(key)} there"
        for key in dict.fromkeys(keys)
        if key != "vary" and ours.get(key) != theirs.get(key)
    ]
    if different:
        log.warning(
            "init_from=%s was trained on other features: %s; its weights may not suit these",
            path,
            ", ".join(different),
        )


def _why_nothing_fits(path: Path, ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> str:
    why = f"{path}: none of its weights fits this model by name and shape: "
    for name in ours.keys() & theirs.keys():
        if not _ends_in_labels(name):
            shapes = f"is {tuple(ours[name].shape)} here, {tuple(theirs[name].shape)} there"
            return f"{why}{name} {shapes}; choose the same sizes of model= and features="
    return f"{why}{next(iter(theirs))} there, {next(iter(ours))} here; choose the same model="


def _tell(transfer: Transfer, total: int) -> None:
    taken = len(transfer.taken)
    log.info("init_from=%s: transferred %d of %d weights", transfer.checkpoint, taken, total)
    resized = [f"{name} ({rows})" for name, rows in transfer.resized.items()]
    for what, names in (
        ("resized", resized),
        ("left", transfer.left),
        ("drawn anew", transfer.fresh),
    ):
        if names:
            more = ", …" if len(names) > NAMED_ON_THE_CONSOLE else ""
            listed = ", ".join(names[:NAMED_ON_THE_CONSOLE])
            log.info("%s %d: %s%s", what, len(names), listed, more)
