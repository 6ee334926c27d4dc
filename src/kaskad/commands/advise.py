"""Recommend settings for a corpus, as a recipe ready to run: kaskad advise data=…"""

import logging
import textwrap
from pathlib import Path
from typing import Any

import polars as pl
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.table import Table

from kaskad.config.messages import ConfigurationError
from kaskad.config.overrides import program, typed_overrides
from kaskad.data.advice import Choice, Facts, choices_for, facts_of
from kaskad.data.checks import check_audio
from kaskad.data.corpus import Corpus, together

log = logging.getLogger(__name__)

WIDTH = 100
HEADER = "# @package _global_\n# Written by kaskad advise"


def advise(config: DictConfig) -> dict[str, float]:
    """Read the corpora of ``config.data``, print what suits them and why, and write it as a recipe,
    ``config.output``. Returns what was read of the training part."""
    output = Path(config.output)
    if output.exists() and not output.read_text(encoding="utf-8").startswith(HEADER):
        raise ConfigurationError(
            f"output={output}: a recipe of this name is there that kaskad advise has not written; "
            "choose another name"
        )
    facts = read_facts(config)
    if not facts.validated:
        log.warning("no utterance of this corpus validates, and a run begins with some: see split")
    # Not every corpus can be divided otherwise than it is.
    choices = [
        each
        for each in choices_for(facts)
        if not each.key.startswith("data.") or each.key[5:] in config.data
    ]
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(recipe(config, facts, choices, output.stem), encoding="utf-8")
    _show(facts, choices, Console())
    log.info("wrote %s: %s +experiments=%s", output, program("train"), output.stem)
    return {"utterances": facts.utterances, "hours": facts.hours, "speakers": facts.speakers}


def read_facts(config: DictConfig) -> Facts:
    """What the corpora of a configuration are like, from their manifests and headers."""
    corpora: dict[str, Corpus] = instantiate(config.data.corpora, _convert_="all")
    cache = Path(config.cache) if config.cache is not None else None
    limits = {"min_seconds": config.min_seconds, "max_seconds": config.max_seconds}
    parts: dict[str, dict[str, pl.DataFrame]] = {"train": {}, "validation": {}, "test": {}}
    for name, corpus in corpora.items():
        if corpus.role in parts:
            usable, rest = check_audio(corpus.load(), cache=cache, **limits)
            if rest.height:
                log.warning("%s: %d utterances cannot be used", name, rest.height)
            parts[corpus.role][name] = usable
    empty = pl.DataFrame(schema={"text": pl.String})
    train, validation, test = (together(part) if part else empty for part in parts.values())
    return facts_of(train, validation, test)


def recipe(config: DictConfig, facts: Facts, choices: list[Choice], name: str) -> str:
    """The choices as a file of experiments/, each with its reason."""
    lines = [f"{HEADER} for data={_data_choice()}: {_summary(facts)}."]
    lines += [f"#   python train.py +experiments={name}", "defaults:"]
    lines += [f"  - override /data: {_data_choice()}"]
    for choice in (each for each in choices if each.group):
        lines += [*_comment(choice.reason, "  "), f"  - override /{choice.key}: {choice.value}"]
    settings: dict[str, Any] = {}
    for key in (override.partition("=")[0] for override in typed_overrides()):
        if key.startswith("data."):
            settings[key] = OmegaConf.select(config, key)
    reasons = {each.key: each.reason for each in choices if not each.group}
    settings |= {each.key: each.value for each in choices if not each.group}
    return "\n".join([*lines, "", *_nested(settings, reasons)]) + "\n"


def _nested(settings: dict[str, Any], reasons: dict[str, str]) -> list[str]:
    """Keys with dots as YAML, with the reason of each above it."""
    lines, open_keys = list[str](), list[str]()
    for key in sorted(settings, key=lambda each: each.split(".")):
        *parents, last = key.split(".")
        shared = 0
        while shared < min(len(parents), len(open_keys)) and parents[shared] == open_keys[shared]:
            shared += 1
        for depth in range(shared, len(parents)):
            lines.append(f"{'  ' * depth}{parents[depth]}:")
        open_keys = parents
        indent = "  " * len(parents)
        lines += _comment(reasons[key], indent) if key in reasons else []
        value = OmegaConf.to_yaml(OmegaConf.create({last: settings[key]})).rstrip()
        lines += textwrap.indent(value, indent).splitlines()
    return lines


def _comment(reason: str, indent: str) -> list[str]:
    marked = f"{indent}# "
    return textwrap.wrap(reason, WIDTH, initial_indent=marked, subsequent_indent=marked)


def _data_choice() -> str:
    return str(HydraConfig.get().runtime.choices["data"])


def _summary(facts: Facts) -> str:
    return (
        f"{facts.utterances} utterances, {facts.hours:.2f} hours, {facts.speakers} speakers, "
        f"{facts.words} words"
    )


def _show(facts: Facts, choices: list[Choice], console: Console) -> None:
    table = Table("choice", "because", title=_summary(facts))
    for choice in choices:
        table.add_row(f"{choice.key}={choice.value}", choice.reason)
    console.print(table)
