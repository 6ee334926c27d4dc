"""A corpus in a run: where its manifest comes from, and what part it plays."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import polars as pl
from hydra.utils import instantiate
from omegaconf import DictConfig

from kaskad.data.checks import DataError, check_audio, check_content
from kaskad.text.normalisation import normalise_transcripts

log = logging.getLogger(__name__)

Role = Literal["train", "train_ext", "validation", "test"]
TRAINING: tuple[Role, ...] = ("train", "train_ext")


@dataclass(frozen=True)
class Corpus:
    """``manifest(split=…)`` makes the table; ``split`` is named like the role unless given.
    ``language`` as in ISO 639-1 (ru, en). ``branch`` names the part of a cascade for
    it, and is the language unless given: two corpora of one language may have a branch each.
    ``silence``: seconds of digital silence put before and after each recording, for tests.
    ``folds`` deals its utterances into so many parts, for cross-validation: what trains goes
    without the part ``fold`` (from 0), and any other role has that part alone; see ``folds_of``.

    Roles: ``train`` is what the recogniser is for; several corpora may have it, and are trained on
    as one. ``train_ext`` is another language that trains beside it, ``validation`` chooses the
    checkpoint, ``test`` is reported.
    """

    role: Role
    language: str
    manifest: Callable[..., pl.DataFrame]
    split: str | None = None
    branch: str = ""
    silence: float = 0.0
    folds: int | None = None
    fold: int = 0

    def __post_init__(self) -> None:
        if self.folds is not None and not (self.folds >= 2 and 0 <= self.fold < self.folds):
            raise ValueError(
                f"folds={self.folds}, fold={self.fold}: two folds at least, and one of them, from 0"
            )
        if self.role not in get_args(Role):
            raise ValueError(f"unknown role '{self.role}'; known: {', '.join(get_args(Role))}")
        object.__setattr__(self, "branch", self.branch or self.language)

    def load(self) -> pl.DataFrame:
        """Make the manifest of this corpus, with the language of each row."""
        table = self.manifest(split=self.split or self.role)
        if self.folds is not None:
            held_out = folds_of(table, self.folds) == self.fold
            table = table.filter(~held_out if self.role in TRAINING else held_out)
        own = ["language"] if "language" in table.columns else []
        return table.with_columns(language=pl.coalesce(*own, pl.lit(self.language)))


def folds_of(table: pl.DataFrame, folds: int) -> pl.Series:
    """The fold of each utterance, from 0: all of a speaker in one, where there are as many speakers
    as folds at least, else each utterance by its ``id``.

    Folds are of like size, and the same for the same table. Raises ``DataError`` where there is
    less to deal out than there are folds.
    """
    dealt = "id"
    if "speaker" in table.columns and table["speaker"].drop_nulls().n_unique() >= folds:
        dealt = "speaker"
    counts = table.group_by(dealt).len().sort("len", dealt, descending=True, nulls_last=True)
    if counts.height < folds:
        raise DataError(f"{folds} folds of {counts.height} utterances: give fewer folds")
    sizes, fold_of = [0] * folds, []
    for size in counts["len"]:
        fold_of.append(sizes.index(min(sizes)))
        sizes[fold_of[-1]] += size
    numbered = counts.select(dealt, fold=pl.Series(fold_of))
    joined = table.select(dealt).join(
        numbered, on=dealt, how="left", maintain_order="left", nulls_equal=True
    )
    return joined["fold"]


def require_branches(corpora: Mapping[str, Corpus], *, one_is_enough: bool = False) -> None:
    """Raise ``DataError`` unless corpora of two branches train, and no other branch is tested.

    ``one_is_enough`` for a cascade that begins with a trained one.
    """
    training = {name: c.branch for name, c in corpora.items() if c.role in ("train", "train_ext")}
    branches = sorted(set(training.values()))
    if len(branches) < 2 and not one_is_enough:
        listed = ", ".join(f"{name} ({branch})" for name, branch in training.items())
        raise DataError(
            "a cascade learns from two languages at least, and data.corpora has one to train on: "
            f"{listed}; add a corpus with the role 'train_ext' in another language, or with "
            "another branch=…, or take data=ru_uk, which has both; or begin with a trained cascade "
            "(init_from=…)"
        )
    for name, corpus in corpora.items():
        if corpus.branch not in branches:
            raise DataError(
                f"corpus '{name}': no corpus trains the branch '{corpus.branch}', only "
                f"{', '.join(branches)}; set its language or its branch to one of these"
            )


def check_corpora(config: DictConfig) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """Make every corpus of ``config.data``: its usable rows by its name, and the others.

    Every recording is decoded: what it measured of them is kept in the folder ``config.cache``.
    """
    corpora: dict[str, Corpus] = instantiate(config.data.corpora, _convert_="all")
    cache = Path(config.cache) if config.get("cache") is not None else None
    usable, rest = {}, {}
    for name, corpus in corpora.items():
        checked = check_audio(
            corpus.load(),
            min_seconds=config.min_seconds,
            max_seconds=config.max_seconds,
            cache=cache,
        )
        usable[name], rest[name] = check_content(*checked, cache)
    return usable, rest


def together(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """One table of all corpora, whose ``split`` is their name."""
    return pl.concat(
        [table.with_columns(split=pl.lit(name)) for name, table in tables.items()],
        how="diagonal_relaxed",
    )


def joined(tables: Mapping[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """One table of corpora that train together, by their names joined; one alone stays as it is.

    ``corpus`` says where a row comes from (``sampler=balanced sampler.by=corpus`` goes by it), and
    so does each ``id``.
    """
    if len(tables) < 2:
        return dict(tables)
    parts = [
        table.with_columns(corpus=pl.lit(name), id=pl.format("{}/{}", pl.lit(name), "id"))
        for name, table in tables.items()
    ]
    return {" + ".join(tables): pl.concat(parts, how="diagonal_relaxed")}


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


def read_transcripts(corpora: dict[str, Corpus]) -> pl.DataFrame:
    """All transcripts of some corpora, normalised, with the language and the role of each."""
    transcripts = pl.DataFrame(schema=dict.fromkeys(("text", "language", "role"), pl.String))
    for corpus in corpora.values():
        language, role = pl.lit(corpus.language), pl.lit(corpus.role)
        spoken = normalise_transcripts(corpus.load()).alias("text").to_frame()
        transcripts.vstack(spoken.with_columns(language=language, role=role), in_place=True)
    return transcripts
