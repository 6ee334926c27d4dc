"""Make one language's recogniser of a cascade's checkpoint."""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig

from kaskad.models.extract_language import strip
from kaskad.runs.checkpoints import find_checkpoint, read_checkpoint

log = logging.getLogger(__name__)


def prepare_checkpoint(config: DictConfig) -> dict[str, float]:
    """Write to ``config.output`` what of ``config.checkpoint``, which is that of a cascade or a
    folder of runs, listens to the one language ``config.prepare_for``."""
    if config.checkpoint is None or config.output is None:
        raise ValueError(
            f"prepare_for={config.prepare_for} strips a cascade to this language: say which "
            "(checkpoint=runs/…/best.ckpt), and where to write it (output=….ckpt)"
        )
    whole = read_checkpoint(find_checkpoint(Path(config.checkpoint)))
    stripped = strip(whole, config.prepare_for)
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    torch.save(stripped, output)
    before, after = (_size(checkpoint["state_dict"]) for checkpoint in (whole, stripped))
    log.info("wrote %s: %d of %d weights", output, after, before)
    return {"weights": after}


def _size(weights: Mapping[str, torch.Tensor]) -> int:
    return sum(tensor.numel() for tensor in weights.values())
