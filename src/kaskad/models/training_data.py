"""The data of a training, made from its configuration."""

import logging
from pathlib import Path
from typing import cast

from hydra.utils import get_class, instantiate
from omegaconf import DictConfig

from kaskad.data.corpus import require_branches
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.text_datamodule import TextDataModule
from kaskad.models.recogniser import Recogniser
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


def load_data(config: DictConfig, listing: Path | None = None) -> SpeechDataModule:
    """Make the data module of a run, with its manifests read and checked; what cannot be used is
    named in the file ``listing``."""
    recogniser_class = cast(type[Recogniser], get_class(config.model._target_))
    data: SpeechDataModule = instantiate(config.datamodule)(
        corpora=instantiate(config.data.corpora, _convert_="all"),
        sample_rate=config.features.sample_rate,
        target=recogniser_class.target,
        augment=instantiate(config.augment.waveform),
        sampler=instantiate(config.sampler),
        seed=config.seed,
        listing=listing,
    )
    extra = data.of_role("train_ext")
    if "train_ext" in recogniser_class.learns_from:
        require_branches(data.corpora)
    elif extra:
        kind = recogniser_class.__name__
        log.warning("%s: not used, for a %s learns from one corpus alone", ", ".join(extra), kind)
    data.load(*recogniser_class.learns_from, "validation", "test")
    return data


def fit_tokenizer(config: DictConfig, data: SpeechDataModule | TextDataModule) -> None:
    """Fit on training text alone; the configuration, and with it the model, takes what is found."""
    tokenizer: Tokenizer = instantiate(config.tokenizer)
    names = data.loaded("train", "train_ext")
    tokenizer.fit(text for name in names for text in data.spelt(name, tokenizer))
    config.tokenizer.update(tokenizer.state())
