"""The data of a training, made from its configuration."""

import logging
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import cast

import polars as pl
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig

from kaskad.data.checks import DataError
from kaskad.data.corpus import Corpus, require_branches
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.text_datamodule import TextDataModule
from kaskad.models.recogniser import Recogniser
from kaskad.text.normalisation import normalise_transcripts
from kaskad.text.tokenizer import BLANK, Tokenizer

log = logging.getLogger(__name__)

# Options of decoders that name words or labels, which those of the tokenizer must be able to spell,
# and of losses that can take so many labels.
NAME_LABELS = ("language_model", "lexicon", "hotwords", "priors", "rescore")
COUNT_LABELS = ("order",)


def load_data(config: DictConfig, listing: Path | None = None) -> SpeechDataModule:
    """Make the data module of a run, with its manifests read and checked; what cannot be used is
    named in the file ``listing``. Before any audio is read, ``try_labels``."""
    recogniser_class = cast(type[Recogniser], get_class(config.model._target_))
    corpora: dict[str, Corpus] = {
        name: replace(corpus, manifest=cache(corpus.manifest))  # made once, and looked at twice
        for name, corpus in instantiate(config.data.corpora, _convert_="all").items()
    }
    make = instantiate(config.datamodule)
    if config.model.get("updates") == "alternating":
        make = partial(make, alternate=True)
    data: SpeechDataModule = make(
        corpora=corpora,
        sample_rate=config.features.sample_rate,
        target=recogniser_class.target,
        augment=instantiate(config.augment.waveform),
        sampler=instantiate(config.sampler),
        seed=config.seed,
        listing=listing,
    )
    extra = data.of_role("train_ext")
    if "train_ext" in recogniser_class.learns_from:
        require_branches(data.corpora, one_is_enough=bool(config.init_from))
    elif extra:
        kind = recogniser_class.__name__
        log.warning("%s: not used, because a %s trains on one corpus alone", ", ".join(extra), kind)
    if data.mix.is_by_time and not (extra and "train_ext" in recogniser_class.learns_from):
        raise DataError(
            "datamodule.join_after and release_after are for a cascade, and a corpus of the role "
            "'train_ext' beside the one that is recognised: leave them out, or take model=cascade"
        )
    learns_from = recogniser_class.learns_from
    try_labels(config, {n: each for n, each in corpora.items() if each.role in learns_from})
    data.load(*(role for role in learns_from if role == "train" or extra), "validation", "test")
    return data


def try_labels(config: DictConfig, training: Mapping[str, Corpus]) -> None:
    """Make the decoder and the loss for the labels of the training transcripts alone.

    A decoder whose language model, lexicon or hotwords they cannot spell, and a loss for which they
    are too many, are refused before the audio is read, which may take hours.
    """
    decoder, loss = (config.model.get(part) or DictConfig({}) for part in ("decoder", "loss"))
    decodes, learns = any(map(decoder.get, NAME_LABELS)), any(map(loss.get, COUNT_LABELS))
    if not (decodes or learns):
        return
    tokenizer: Tokenizer = instantiate(config.tokenizer)
    tokenizer.fit(
        text
        for corpus in training.values()
        for text in tokenizer.spell(
            normalise_transcripts(corpus.load()).drop_nulls().to_list(), corpus.language
        )
    )
    if learns:
        instantiate(loss)(tokenizer=tokenizer)
    if decodes:
        instantiate(decoder)(tokenizer=tokenizer, seconds_per_frame=0.01)  # nothing is decoded


def fit_tokenizer(config: DictConfig, data: SpeechDataModule | TextDataModule) -> None:
    """Fit on training text alone; the configuration, and with it the model, takes what is found."""
    tokenizer: Tokenizer = instantiate(config.tokenizer)
    names = data.loaded("train", "train_ext")
    tokenizer.fit(text for name in names for text in data.spelt(name, tokenizer))
    config.tokenizer.update(tokenizer.state())


def labels_by_language(data: SpeechDataModule, tokenizer: Tokenizer) -> pl.DataFrame | None:
    """How often the training text of each language has each label; ``None`` of one language.

    Columns: ``label``, and the code of each language. A word on the console sums it up.
    """
    counts: dict[str, Counter[int]] = {}
    for name in data.loaded("train", "train_ext"):
        found = counts.setdefault(data.corpora[name].language, Counter())
        for text in data.manifests[name]["text"]:
            found.update(tokenizer.encode(text))
    if len(counts) < 2:
        return None
    numbers = range(BLANK + 1, tokenizer.size)
    columns = {language: [found[n] for n in numbers] for language, found in counts.items()}
    table = pl.DataFrame({"label": [tokenizer.labels[n] for n in numbers], **columns})
    uses = Counter(
        " and ".join(language for language in counts if row[language]) or "none"
        for row in table.iter_rows(named=True)
    )
    listed = ", ".join(f"{count} in {languages}" for languages, count in uses.most_common())
    log.info("%d labels: %s", table.height, listed)
    return table
