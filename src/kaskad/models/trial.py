"""A model is built once before its corpus is read: what cannot be built costs no hour."""

import re
from typing import Any

import torch
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from kaskad.config.messages import ConfigurationError, innermost_cause
from kaskad.text.characters import CharacterTokenizer


def require_buildable(config: DictConfig) -> None:
    """Raise ``ConfigurationError``, with the part and what is wrong with it, where the model of a
    run cannot be built.

    It gets a tokenizer of two labels, for those of the run are not known yet; what is made for
    these, a decoder and a language model, is left out. It takes no memory, and draws no numbers.
    """
    model = config.model.copy()
    parts: dict[str, Any] = {"tokenizer": CharacterTokenizer(["a", "b"])}
    if "decoder" in model:
        parts["decoder"] = _no_decoder
    if OmegaConf.select(model, "search.language_model") is not None:
        model.search.language_model = None
    try:
        if "features" in model:
            parts["features"] = instantiate(model.features)
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            instantiate(model, **parts)
    except InstantiationException as error:
        found = re.search(r"full_key: (\S+)", str(error))
        part = found[1] if found else "model"
        part = part if part.startswith("model") else f"model.{part}"
        raise ConfigurationError(f"{part}: {innermost_cause(error)}") from error


def _no_decoder(**labels: Any) -> None:
    """What stands where a decoder is made."""
