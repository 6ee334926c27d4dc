"""From corpora to loaders of batches: what a run trains, validates and tests on."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import polars as pl
import pytorch_lightning as lightning
import torch
from torch.utils.data import DataLoader

from kaskad.data.batch import SKIPPED_SCHEMA, Collate, Skipped
from kaskad.data.checks import (
    DataError,
    check_alignable,
    check_audio,
    unknown_characters,
)
from kaskad.data.corpus import Corpus
from kaskad.data.dataset import Augment, SpeechDataset
from kaskad.data.samplers import LengthBuckets
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


class SpeechDataModule(lightning.LightningDataModule):
    """Loads corpora by role, checks them, and serves batches of utterances of like length.

    The order of a run: ``load`` the roles it needs, fit a tokenizer on ``transcripts("train")``,
    then ``connect`` it; from there on the loaders work. What was set aside, and why, stands in
    ``skipped``.

    ``batch_seconds``: seconds of audio in a batch, padding included. ``max_seconds`` and
    ``min_seconds`` bound an utterance. A corpus of which more than ``max_skipped`` (a share) must
    be set aside stops the run. Headers of audio are read once, and kept in the folder ``cache``.
    ``augment`` touches training audio alone.
    """

    def __init__(
        self,
        corpora: Mapping[str, Corpus],
        sample_rate: int,
        *,
        batch_seconds: float = 120.0,
        max_utterances: int = 64,
        min_seconds: float = 0.05,
        max_seconds: float = 30.0,
        max_skipped: float = 0.2,
        cache: str | Path | None = None,
        workers: int = 1,
        seed: int = 0,
        augment: Augment | None = None,
    ) -> None:
        super().__init__()
        self.corpora = corpora
        self.sample_rate = sample_rate
        self.batch_seconds = batch_seconds
        self.max_utterances = max_utterances
        self.min_seconds = min_seconds
        self.max_seconds = max_seconds
        self.max_skipped = max_skipped
        self.cache = Path(cache) if cache is not None else None
        self.workers = workers
        self.seed = seed
        self.augment = augment
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
                    min_seconds=self.min_seconds,
                    max_seconds=self.max_seconds,
                    cache=self.cache,
                )
                self._keep(name, usable, rest)
                self._note_conversions(name)

    def connect(
        self, tokenizer: Tokenizer, frames_of: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        """Encode transcripts by ``tokenizer`` from here on.

        With ``frames_of`` (samples to the encoder's frames), training and validation utterances
        that CTC cannot align are set aside; a test utterance is always tested.
        """
        self.tokenizer = tokenizer
        for name, manifest in self.manifests.items():
            role = self.corpora[name].role
            if role != "train":
                self._note_unknown_characters(name, tokenizer)
            if role != "test" and frames_of is not None:
                self._keep(name, *check_alignable(manifest, tokenizer, frames_of, self.sample_rate))

    def skip(self, utterances: Sequence[Skipped]) -> None:
        """Add to ``skipped`` what turned out to be unreadable on the way."""
        rows = [asdict(utterance) for utterance in utterances]
        self.skipped = pl.concat([self.skipped, pl.DataFrame(rows, schema=SKIPPED_SCHEMA)])

    def transcripts(self, role: str) -> list[str]:
        """The transcripts of a role, normalised."""
        return [text for name in self.of_role(role) for text in self.manifests[name]["text"]]

    def of_role(self, role: str) -> list[str]:
        """The names of the corpora that play ``role``."""
        return [name for name, corpus in self.corpora.items() if corpus.role == role]

    def train_dataloader(self) -> DataLoader:
        return self._loader(self._only("train"), training=True)

    def val_dataloader(self) -> DataLoader:
        return self._loader(self._only("validation"), training=False)

    def test_dataloader(self) -> list[DataLoader]:
        return [self._loader(name, training=False) for name in self.of_role("test")]

    def _only(self, role: str) -> str:
        names = self.of_role(role)
        if len(names) != 1:
            raise DataError(
                f"one corpus with the role '{role}' is needed, not {len(names)}: {names}"
            )
        return names[0]

    def _loader(self, name: str, *, training: bool) -> DataLoader:
        if self.tokenizer is None:
            raise DataError("no tokenizer yet: call connect(tokenizer) before asking for batches")
        manifest = self.manifests[name]
        sampler = LengthBuckets(
            manifest["duration"].to_numpy(),
            self.batch_seconds,
            self.max_utterances,
            shuffle=training and not self._learns_by_heart(),
            seed=self.seed,
        )
        augment = self.augment if training else None
        return DataLoader(
            SpeechDataset(name, manifest, self.sample_rate, augment, self.seed),
            batch_sampler=sampler,
            num_workers=self.workers,
            collate_fn=Collate(self.tokenizer, self.corpora[name].language),
            # Said, because joblib's processes have another way, in which workers cannot start.
            multiprocessing_context="fork" if self.workers > 0 else None,
            persistent_workers=training and self.workers > 0,
            pin_memory=torch.cuda.is_available(),
        )

    def _learns_by_heart(self) -> bool:
        """Whether the trainer goes over the same few batches (debug=overfit)."""
        return getattr(self.trainer, "overfit_batches", 0) > 0

    def _keep(self, name: str, usable: pl.DataFrame, rest: pl.DataFrame) -> None:
        self.manifests[name] = usable
        if rest.is_empty() and not usable.is_empty():
            return
        rest = rest.select(pl.lit(name).alias("corpus"), "id", "reason")
        self.skipped = pl.concat([self.skipped, rest])
        total, first = rest.height + usable.height, "; ".join(rest["reason"].head(3))
        if usable.is_empty() or rest.height > self.max_skipped * total:
            raise DataError(
                f"corpus '{name}': {rest.height} of {total} utterances cannot be used ({first}); "
                f"mend them, or allow more with loader.max_skipped (now {self.max_skipped})"
                if total
                else f"corpus '{name}' is empty: its manifest has no rows for this split"
            )
        log.warning("%s: set aside %d of %d utterances (%s)", name, rest.height, total, first)

    def _note_unknown_characters(self, name: str, tokenizer: Tokenizer) -> None:
        unknown = unknown_characters(self.manifests[name]["text"], tokenizer)
        if unknown:
            self.unknown_characters[name] = unknown
            listed = ", ".join(f"'{letter}' in {n}" for letter, n in unknown.items())
            log.warning(
                "%s: transcripts hold characters outside the alphabet (%s): they count as errors",
                name,
                listed,
            )

    def _note_conversions(self, name: str) -> None:
        manifest = self.manifests[name]
        resampled = manifest.filter(pl.col("sample_rate") != self.sample_rate)
        if resampled.height:
            rates = ", ".join(f"{rate} Hz" for rate in resampled["sample_rate"].unique().sort())
            log.info(
                "%s: %d files are at %s; read at %d Hz",
                name,
                resampled.height,
                rates,
                self.sample_rate,
            )
        mixed = manifest.filter(pl.col("channels") > 1).height
        if mixed:
            log.info("%s: %d files have several channels; read as their average", name, mixed)
