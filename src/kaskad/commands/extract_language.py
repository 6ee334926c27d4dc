"""Make a recogniser of one language from a cascade: kaskad extract_language …"""

import logging
from collections.abc import Mapping
from pathlib import Path

import torch
from omegaconf import DictConfig

from kaskad.models.extract_language import strip
from kaskad.runs.checkpoints import find_checkpoint, read_checkpoint

log = logging.getLogger(__name__)


def extract_language(config: DictConfig) -> dict[str, float]:
    """Write to ``config.output`` the part of a cascade that recognises ``config.language``.

    ``config.checkpoint`` is the cascade's checkpoint, or a folder of runs.
    """
    whole = read_checkpoint(find_checkpoint(Path(config.checkpoint)))
    stripped = strip(whole, config.language)
    output = Path(config.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    torch.save(stripped, output)
    before, after = (_size(checkpoint["state_dict"]) for checkpoint in (whole, stripped))
    log.info("wrote %s: %d of %d weights", output, after, before)
    return {"weights": after}


def _size(weights: Mapping[str, torch.Tensor]) -> int:
    return sum(tensor.numel() for tensor in weights.values())
