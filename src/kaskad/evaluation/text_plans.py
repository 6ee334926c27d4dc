"""What a model of text is trained on, and how it is tested."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytorch_lightning as lightning
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from rich.console import Console

from kaskad.config.messages import ConfigurationError
from kaskad.data.corpus import read_transcripts
from kaskad.data.corrections import CorrectionDataModule
from kaskad.data.pronunciations import PronunciationDataModule
from kaskad.data.text_datamodule import TextDataModule
from kaskad.data.written import TRAIN, LetterDataModule, WrittenDataModule
from kaskad.evaluation import correction, language_model, pronunciations
from kaskad.evaluation.written import figures_of
from kaskad.models.module import Learner
from kaskad.models.training_data import fit_tokenizer


@dataclass(frozen=True)
class Plan:
    """What is trained on what, and tested how; ``watchers`` makes the callbacks that this kind of
    data needs, and ``data_facts`` is what the report says of its data."""

    model: Learner
    data: lightning.LightningDataModule
    test: Callable[..., dict[str, Any]]
    figures_of: Callable[[dict[str, Any]], dict[str, float]]
    show: Callable[[dict[str, Any], Console], None]
    watchers: Callable[[], list[lightning.Callback]]
    data_facts: dict[str, Any]


def plan_language_model(
    config: DictConfig, folder: Path, made: dict[str, Any], *, begins: bool
) -> Plan:
    """Plan a language model's run: on transcripts and texts, whose audio is not read."""
    _require(config, "a language model", TextDataModule, "text: datamodule=text")
    corpora = instantiate(config.data.corpora, _convert_="all")
    transcripts = {name: read_transcripts({name: corpus}) for name, corpus in corpora.items()}
    data: TextDataModule = instantiate(config.datamodule, _convert_="all")(
        transcripts=transcripts, seed=config.seed
    )
    fit_tokenizer(config, data)
    model = instantiate(config.model)
    data.connect(model.tokenizer)
    facts = {"text": data.summary()}
    test = language_model.measure_and_report
    return Plan(model, data, test, figures_of, language_model.show, list, facts)


class _Kind(NamedTuple):
    """A kind of model that reads letters: what it learns from, as messages and reports call it."""

    name: str
    data: type[LetterDataModule]
    wanted: str  # what its data module is for, and its choice
    column: str  # that its tables have
    missing: str  # what to say where they have it not
    facts: str  # what the report calls those of its data
    test: ModuleType


PRONUNCIATIONS = _Kind(
    "a model of pronunciations",
    PronunciationDataModule,
    "words: datamodule=pronunciations",
    "pronunciation",
    "has no pronunciations\n"
    "take data=pronunciations data.path=… (a dictionary), or data=espeak_pronunciations",
    "dictionary",
    pronunciations,
)
CORRECTIONS = _Kind(
    "a corrector",
    CorrectionDataModule,
    "hypotheses: datamodule=corrections",
    "hypothesis",
    "has no hypotheses\ntake data=hypotheses data.runs=… data.test=…, which are tested recognisers",
    "hypotheses",
    correction,
)


def plan_pronunciations(
    config: DictConfig, folder: Path, made: dict[str, Any], *, begins: bool
) -> Plan:
    """Plan the run of a model of pronunciations, on a dictionary."""
    return _plan_reader(config, PRONUNCIATIONS)


def plan_corrections(
    config: DictConfig, folder: Path, made: dict[str, Any], *, begins: bool
) -> Plan:
    """Plan the run of a corrector, on hypotheses of recognisers."""
    return _plan_reader(config, CORRECTIONS)


def _plan_reader(config: DictConfig, kind: _Kind) -> Plan:
    _require(config, kind.name, kind.data, kind.wanted)
    corpora = instantiate(config.data.corpora, _convert_="all")
    tables = {name: each.manifest(split=each.split or each.role) for name, each in corpora.items()}
    strange = [name for name, table in tables.items() if kind.column not in table.columns]
    if strange:
        raise ConfigurationError(f"data: {', '.join(strange)} {kind.missing}")
    roles = {name: corpus.role for name, corpus in corpora.items()}
    data = instantiate(config.datamodule, _convert_="all")(
        tables=tables, roles=roles, seed=config.seed
    )
    for part, texts in (
        (config.model.letters, data.read(TRAIN)),
        (config.tokenizer, data.written(TRAIN)),
    ):
        part.update(instantiate(part).fit(texts).state())
    model = instantiate(config.model)
    data.connect(model.letters, model.tokenizer)
    test, show = kind.test.measure_and_report, kind.test.show
    return Plan(model, data, test, figures_of, show, list, {kind.facts: data.summary()})


def _require(config: DictConfig, name: str, kind: type[WrittenDataModule], wanted: str) -> None:
    if config.init_from:
        raise ConfigurationError(f"init_from: {name} cannot start from the weights of another run")
    if not issubclass(get_class(config.datamodule._target_), kind):
        raise ConfigurationError(f"datamodule: {name} learns from {wanted}")
