"""A corpus made or converted into a manifest; a cascade's checkpoint made one language's."""

import logging
from collections.abc import Mapping
from pathlib import Path

import polars as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig
from rich.console import Console
from rich.table import Table

from kaskad.commands.estimate_lm import prepare_language_model
from kaskad.corpora.manifest import require_writable, write_manifest, write_table
from kaskad.data.checks import check_audio
from kaskad.data.corpus import Corpus
from kaskad.models.extract_language import strip
from kaskad.runs.checkpoint_io import find_checkpoint, read_checkpoint

log = logging.getLogger(__name__)


def prepare(config: DictConfig) -> dict[str, float]:
    """Make every corpus of ``config.data``, check its audio, and say what there is.

    With ``config.output`` the usable rows are written as one manifest, with a ``split`` column
    (train, validation, test…), and the rest beside it as ``<output>.skipped.csv``. An utterance
    of several parts (test, and an all that includes it) is written in the first of them.

    With ``config.prepare_for`` it is a checkpoint that is prepared: ``prepare_checkpoint``; with
    ``config.language_model`` a language model: ``prepare_language_model``.

    Raises ``ManifestError`` if the output cannot be written, before anything is made, or if
    different utterances share an id.
    """
    if config.prepare_for is not None:
        return prepare_checkpoint(config)
    if config.get("language_model") is not None:
        return prepare_language_model(config)
    if config.output is not None:
        require_writable(Path(config.output))
    usable, rest = check_corpora(config)
    show_contents(usable, rest, Console())
    if config.output is not None:
        output = Path(config.output)
        write_manifest(without_repeats(together(usable)), output)
        skipped = together(rest).select("split", "id", "path", "reason")
        log.info("wrote %s", output)
        if skipped.height:
            write_table(skipped, output.with_suffix(".skipped.csv"))
            log.warning(
                "%d rows cannot be used: see %s", skipped.height, f"{output.stem}.skipped.csv"
            )
    return {f"{name}/utterances": table.height for name, table in usable.items()}


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


def check_corpora(config: DictConfig) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """Make every corpus of ``config.data``: its usable rows by its name, and the others."""
    corpora: dict[str, Corpus] = instantiate(config.data.corpora, _convert_="all")
    usable, rest = {}, {}
    for name, corpus in corpora.items():
        usable[name], rest[name] = check_audio(
            corpus.load(), min_seconds=config.min_seconds, max_seconds=config.max_seconds
        )
    return usable, rest


def show_contents(
    usable: dict[str, pl.DataFrame], rest: dict[str, pl.DataFrame], console: Console
) -> None:
    """Print utterances, hours, speakers and what had to be left out, a row a corpus."""
    shown = Table()
    for title in ("corpus", "utterances", "hours", "speakers", "longest, s", "left out"):
        shown.add_column(title, justify="left" if title == "corpus" else "right")
    for name, table in usable.items():
        seconds = table["duration"]
        speakers = str(table["speaker"].n_unique()) if "speaker" in table.columns else "?"
        shown.add_row(
            name,
            str(table.height),
            f"{seconds.sum() / 3600:.2f}",
            speakers,
            f"{seconds.to_numpy().max(initial=0.0):.1f}",
            str(rest[name].height),
        )
    console.print(shown)


def together(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """One table of all corpora, whose ``split`` is their name."""
    return pl.concat(
        [table.with_columns(split=pl.lit(name)) for name, table in tables.items()],
        how="diagonal_relaxed",
    )


def without_repeats(table: pl.DataFrame) -> pl.DataFrame:
    """Leave out, with a word, the utterances that an earlier part already has."""
    is_first = table.select(pl.struct("id", "path").is_first_distinct()).to_series()
    repeats = table.filter(~is_first)
    if repeats.height:
        log.warning(
            "left out %d utterances of %s that are in an earlier part already",
            repeats.height,
            ", ".join(repeats["split"].unique(maintain_order=True)),
        )
    return table.filter(is_first)
