"""From corpora to loaders of batches: what a run trains, validates and tests on."""

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Unpack

import numpy as np
import polars as pl
import pytorch_lightning as lightning
import torch
from pytorch_lightning.utilities import CombinedLoader, rank_zero_only
from torch.utils.data import DataLoader

from kaskad.data.batch import SKIPPED_SCHEMA, Collate, Skipped, Utterance
from kaskad.data.checks import (
    DataError,
    check_alignable,
    check_audio,
    note_conversions,
    require_fitting,
    tell_of_unknown,
    unknown_characters,
)
from kaskad.data.corpus import Corpus, joined
from kaskad.data.dataset import Augment, SpeechDataset
from kaskad.data.samplers.even_draw import in_order
from kaskad.data.samplers.length import LengthBuckets, SortedByLength
from kaskad.data.samplers.order import BatchOrder, require_budget
from kaskad.data.samplers.steps import Mix, MixOptions, StepBatchSampler, interleave
from kaskad.storage.tables import without_formulas
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


class SpeechDataModule(lightning.LightningDataModule):
    """Loads corpora by role, checks them, and serves batches of utterances of like length.

    The order of a run: ``load`` the roles it needs, fit a tokenizer on ``transcripts("train")``,
    then ``connect`` it; from there on the loaders work. What was set aside, and why, stands in
    ``skipped`` and, from that moment on, in the file ``listing`` (CSV), if there is to be one.

    ``target`` is the column that is recognised, text or gender; it stands in for the transcripts.
    ``batch_seconds``: seconds of audio in a batch, padding included. ``max_seconds`` and
    ``min_seconds`` bound an utterance. A corpus of which more than ``max_skipped`` (a share) must
    be set aside stops the run. With ``empty_references`` a test may have utterances without a
    word, as of silence and noise. Headers of audio are read once, and kept in the folder ``cache``.
    ``augment`` touches training audio alone, and ``sampler`` (partial) orders it; the rest goes by
    length. Where corpora of the role ``train_ext`` are loaded, each step is a list of batches, that
    of ``train`` first, mixed as the options of ``Mix`` say.
    """

    def __init__(
        self,
        corpora: Mapping[str, Corpus],
        sample_rate: int,
        *,
        target: str = "text",
        batch_seconds: float = 120.0,
        max_utterances: int = 64,
        min_seconds: float = 0.05,
        max_seconds: float = 30.0,
        max_skipped: float = 0.2,
        empty_references: bool = False,
        cache: str | Path | None = None,
        workers: int = 1,
        seed: int = 0,
        augment: Augment | None = None,
        sampler: Callable[..., BatchOrder] = LengthBuckets,
        listing: Path | None = None,
        **mix: Unpack[MixOptions],
    ) -> None:
        super().__init__()
        require_budget(batch_seconds, max_utterances)
        self.corpora = corpora
        self.sample_rate = sample_rate
        self.target = target
        self.batch_seconds = batch_seconds
        self.max_utterances = max_utterances
        self.min_seconds = min_seconds
        self.max_seconds = max_seconds
        self.max_skipped = max_skipped
        self.empty_references = empty_references
        self.cache = Path(cache) if cache is not None else None
        self.workers = workers
        self.seed = seed
        self.augment = augment
        self.sampler = sampler
        self.mix = Mix(**mix)
        self.listing = listing
        self.beginning = (0, 0)
        self.manifests: dict[str, pl.DataFrame] = {}
        self.skipped = pl.DataFrame(schema=SKIPPED_SCHEMA)
        self.unknown_characters: dict[str, dict[str, int]] = {}
        self.tokenizer: Tokenizer | None = None

    def load(self, *roles: str) -> None:
        """Make the manifests of these roles and set aside what cannot be read.

        Raises ``DataError`` if a role is missing, or too little of a corpus is usable.
        """
        for role in roles:
            if not self.of_role(role):
                having = ", ".join(
                    f"{name} ({corpus.role})" for name, corpus in self.corpora.items()
                )
                raise DataError(f"no corpus has the role '{role}'; data.corpora holds: {having}")
            for name in self.of_role(role):
                manifest = self.corpora[name].load()
                usable, rest = check_audio(
                    manifest,
                    target=self.target,
                    keep_empty=self.empty_references and role == "test" and self.target == "text",
                    min_seconds=self.min_seconds,
                    max_seconds=self.max_seconds,
                    cache=self.cache,
                )
                self._keep(name, usable, rest)
                require_fitting(name, usable, self.sample_rate, self.augment is not None)
                note_conversions(name, usable, self.sample_rate)

    def set_aside(self, name: str, reasons: pl.DataFrame) -> None:
        """Leave utterances of a corpus out: ``reasons`` has their ``id`` and the ``reason``.

        Raises ``DataError`` if too little of the corpus is left.
        """
        rest = self.manifests[name].join(reasons, on="id", how="anti", maintain_order="left")
        self._keep(name, rest, reasons)

    def connect(
        self, tokenizer: Tokenizer, frames_of: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        """Spell and encode transcripts by ``tokenizer`` from here on.

        With ``frames_of`` (samples to the encoder's frames), training and validation utterances
        that CTC cannot align are set aside; a test utterance is always tested.
        """
        self.tokenizer = tokenizer
        for name in self.manifests:
            spelt = pl.Series("text", self.spelt(name, tokenizer), pl.String)
            manifest = self.manifests[name] = self.manifests[name].with_columns(spelt)
            role = self.corpora[name].role
            if role != "train":
                self._note_unknown_characters(name, tokenizer)
            if role != "test" and frames_of is not None:
                self._keep(name, *check_alignable(manifest, tokenizer, frames_of, self.sample_rate))

    def skip(self, utterances: Sequence[Skipped]) -> None:
        """Add to ``skipped`` what turned out to be unreadable on the way."""
        rows = [asdict(utterance) for utterance in utterances]
        self._list(pl.DataFrame(rows, schema=SKIPPED_SCHEMA))

    def notes(self) -> list[str]:
        """What corpora say of themselves, in their column ``note``: that one is a stand-in."""
        noted = [table["note"] for table in self.manifests.values() if "note" in table.columns]
        return sorted({str(note) for notes in noted for note in notes.drop_nulls().unique()})

    def transcripts(self, role: str) -> list[str]:
        """The transcripts of a role, normalised."""
        return [text for name in self.of_role(role) for text in self.manifests[name]["text"]]

    def spelt(self, name: str, tokenizer: Tokenizer) -> list[str]:
        """The transcripts of a corpus in the spelling of the tokenizer's labels."""
        corpus = self.corpora[name]
        return tokenizer.spell(self.manifests[name]["text"].to_list(), corpus.language)

    def of_role(self, role: str) -> list[str]:
        """The names of the corpora that play ``role``."""
        return [name for name, corpus in self.corpora.items() if corpus.role == role]

    def loaded(self, *roles: str) -> list[str]:
        """The names of the corpora that were loaded for these roles."""
        return [name for role in roles for name in self.of_role(role) if name in self.manifests]

    def begin_at(self, epoch: int, batches: int) -> None:
        """Let training begin in this epoch, after so many of its batches: a run that goes on."""
        self.beginning = (epoch, batches)

    def fingerprint(self) -> str:
        """Of all that is trained on, in its order: another one, another corpus."""
        digest = hashlib.sha256()
        for name in self.loaded("train", "train_ext"):
            rows = self.manifests[name].select("id", "text", "duration")
            digest.update(rows.write_csv().encode())
        return digest.hexdigest()

    def excerpt(self, count: int) -> Iterator[np.ndarray]:
        """Read at most ``count`` training utterances without augmentation, always the same ones."""
        name, manifest = next(iter(self.training_tables().items()))
        dataset = SpeechDataset(name, manifest, self.sample_rate)
        for row in np.random.default_rng(0).permutation(len(dataset))[:count].tolist():
            if isinstance(utterance := dataset[0, row], Utterance):
                yield utterance.waveform

    def training_tables(self) -> dict[str, pl.DataFrame]:
        """What training batches come from: all of the role ``train`` as one, each ``train_ext``."""
        trained = {name: self.manifests[name] for name in self.of_role("train")}
        return joined(trained) | {name: self.manifests[name] for name in self.loaded("train_ext")}

    def train_dataloader(self) -> DataLoader | CombinedLoader:
        tables = self.training_tables()
        # Who learns a few batches by heart (debug=overfit) is to get the same ones in every epoch.
        by_heart = getattr(self.trainer, "overfit_batches", 0) > 0
        steps = interleave(
            tables,
            self.mix,
            partial(SortedByLength if by_heart else self.sampler, seed=self.seed),
            self.batch_seconds,
            self.max_utterances,
        )
        for each in steps.values():
            each.begin_at(*self.beginning)
        like = [*self.of_role("train")[:1], *self.loaded("train_ext")]
        loaders = [
            self._loader(name, tables[name], steps[name], self.corpora[first], self.augment)
            for name, first in zip(tables, like, strict=True)
        ]
        # All have the same number of batches.
        return loaders[0] if len(loaders) == 1 else CombinedLoader(loaders, "min_size")

    def val_dataloader(self) -> DataLoader:
        return self._in_order(self._only("validation"), "limit_val_batches")

    def test_dataloader(self) -> list[DataLoader]:
        return [self._in_order(name, "limit_test_batches") for name in self.of_role("test")]

    def _only(self, role: str) -> str:
        names = self.of_role(role)
        if len(names) != 1:
            raise DataError(f"one corpus of the role '{role}' is needed, not {len(names)}: {names}")
        return names[0]

    def _in_order(self, name: str, option: str) -> DataLoader:
        limit = getattr(self.trainer, option, 1.0)
        budget = self.batch_seconds, self.max_utterances
        order = in_order(self.manifests[name], *budget, limit, self.seed)
        return self._loader(name, self.manifests[name], StepBatchSampler(order), self.corpora[name])

    def _loader(
        self,
        name: str,
        table: pl.DataFrame,
        steps: StepBatchSampler,
        corpus: Corpus,
        augment: Augment | None = None,
    ) -> DataLoader:
        if self.tokenizer is None:
            raise DataError("no tokenizer yet: call connect(tokenizer) before asking for batches")
        return DataLoader(
            SpeechDataset(name, table, self.sample_rate, augment, self.seed, corpus.silence),
            batch_sampler=steps,
            num_workers=self.workers,
            collate_fn=Collate(self.tokenizer, corpus.language, name, corpus.branch),
            # Given explicitly, because workers cannot start with the method of joblib's processes.
            multiprocessing_context="fork" if self.workers > 0 else None,
            persistent_workers=corpus.role.startswith("train") and self.workers > 0,
            pin_memory=torch.cuda.is_available(),
            # Its own: beginning an epoch draws nothing from the generator that the net draws from.
            generator=torch.Generator(),
        )

    def _keep(self, name: str, usable: pl.DataFrame, rest: pl.DataFrame) -> None:
        self.manifests[name] = usable
        if rest.is_empty() and not usable.is_empty():
            return
        rest = rest.select(pl.lit(name).alias("corpus"), "id", "reason")
        self._list(rest)
        total, first = rest.height + usable.height, "; ".join(rest["reason"].head(3))
        if usable.is_empty() or rest.height > self.max_skipped * total:
            raise DataError(
                f"corpus '{name}': {rest.height} of {total} utterances cannot be used ({first}); "
                f"mend them, or allow more with datamodule.max_skipped (now {self.max_skipped})"
                if total
                else f"corpus '{name}' is empty: its manifest has no rows for this split"
            )
        log.warning("%s: set aside %d of %d utterances (%s)", name, rest.height, total, first)

    def _list(self, rows: pl.DataFrame) -> None:
        """Add rows to ``skipped``; a run of several processes has one listing, by the first."""
        begins = self.skipped.is_empty()
        self.skipped = pl.concat([self.skipped, rows])
        if self.listing is not None and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
            with self.listing.open("wb" if begins else "ab") as file:
                without_formulas(rows).write_csv(file, include_header=begins)

    def _note_unknown_characters(self, name: str, tokenizer: Tokenizer) -> None:
        unknown = unknown_characters(self.manifests[name]["text"], tokenizer)
        if unknown:
            self.unknown_characters[name] = unknown
            tell_of_unknown(name, unknown)


def training_loaders(trainer: lightning.Trainer) -> list[DataLoader]:
    """The loader of each corpus that trains; known once training begins."""
    loaders: Any = trainer.train_dataloader
    return [loaders] if isinstance(loaders, DataLoader) else list(loaders)
