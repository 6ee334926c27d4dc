"""Which training utterances sound to a net like those of a test: an error may come from there."""

import logging
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np
import polars as pl
import pytorch_lightning as lightning
import torch
from rich.progress import track
from torch.utils.data import DataLoader

from kaskad.audio.cache import file_stats
from kaskad.data.batch import Collate, Skipped
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.dataset import SpeechDataset
from kaskad.data.embedding_index import nearest_rows, open_embeddings, seen_rows
from kaskad.data.samplers.length import SortedByLength
from kaskad.data.samplers.steps import StepBatchSampler
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.embeddings import EmbeddingHook
from kaskad.models.recogniser import Recogniser

log = logging.getLogger(__name__)

KEPT_IN = "embeddings"  # a folder of the cache
SHOWN = 3  # of the utterances that could not be read
# What is shown of a training utterance; null where its corpus does not say it.
TRAINING_COLUMNS = ("corpus", "id", "text", "speaker", "path")


def nearest_in_training(
    trainer: lightning.Trainer,
    recogniser: CTCRecogniser,
    data: SpeechDataModule,
    tested: Mapping[str, pl.DataFrame],
    count: int,
    folder: Path,
) -> dict[str, pl.DataFrame]:
    """For utterances that were ``tested``, by corpus, the ``count`` training utterances whose
    embeddings are nearest, the nearest first: rows of ``id``, ``similarity`` (the cosine), and of
    the other ``train_corpus``, ``train_id``, ``train_text``, ``train_speaker``, ``train_path``.

    An embedding is the mean over time of the encoder's output. Those of the training corpora are
    kept in the cache of ``data`` (without one, in ``folder``) for these weights and
    these recordings. Where there are none to be had, or no room for them, a warning says why, and
    the result is empty: the report is worth more.
    """
    try:
        embedder = _Embedder(trainer, recogniser, data)
        return _nearest_by_corpus(embedder, tested, count, folder)
    except (OSError, RuntimeError, ValueError, MemoryError) as error:
        log.warning("nearest=%d: left out: %s", count, error)
        return {}


def nearest_count(recogniser: Recogniser, count: int) -> int:
    """How many nearest utterances to look for where ``count`` are wanted: none, with a warning, for
    a model without embeddings. Raises ``ValueError`` for a negative ``count``.
    """
    if count < 0:
        raise ValueError(f"nearest={count}: it is a number of training utterances, 0 for none")
    if count and not isinstance(recogniser, CTCRecogniser):
        kind = type(recogniser).__name__
        log.warning("nearest=%d: left out; it needs a model with CTC, not a %s", count, kind)
        return 0
    return count


def _nearest_by_corpus(
    embedder: "_Embedder", tested: Mapping[str, pl.DataFrame], count: int, folder: Path
) -> dict[str, pl.DataFrame]:
    data = embedder.data
    train = pl.concat([_rows(name, data.manifests[name]) for name in data.of_role("train")])
    kept = (data.cache or folder) / KEPT_IN / _fingerprint(embedder.recogniser, train["path"])
    embeddings = _embeddings(embedder, train, kept)
    known = len(seen_rows(embeddings))
    if not known:
        log.warning("nearest=%d: left out, because no training utterance has an embedding", count)
        return {}
    if lost := train.height - known:
        log.warning("%d of %d training utterances have no embedding", lost, train.height)
    return {
        name: _nearest(embedder, embeddings, train, _rows(name, table), count)
        for name, table in tested.items()
        if table.height
    }


class _Embedder:
    """Makes embeddings of recordings, on the device and in the precision of the test."""

    def __init__(
        self, trainer: lightning.Trainer, recogniser: CTCRecogniser, data: SpeechDataModule
    ) -> None:
        self.dim = recogniser.encoder.dim
        self.trainer = trainer
        self.recogniser = recogniser
        self.data = data

    @torch.inference_mode()
    def embed(self, rows: pl.DataFrame, embeddings: np.ndarray) -> list[Skipped]:
        """Put the embedding of each utterance of ``rows`` into its ``row`` of ``embeddings``
        (utterances, dim); returns those that could not be read."""
        device = self.trainer.strategy.root_device
        recogniser = self.recogniser.eval().to(device)
        hook, lost = EmbeddingHook(recogniser.encoder), list[Skipped]()
        for (name,), part in rows.group_by("corpus", maintain_order=True):
            for batch in track(self._batches(str(name), part), f"embedding {name}", transient=True):
                lost += batch.skipped
                if len(batch):
                    with self.trainer.precision_plugin.forward_context():
                        recogniser.posteriors(batch.to(device))
                    means = hook.take()
                    assert means is not None
                    embeddings[[int(row) for row in batch.ids]] = means.float().cpu().numpy()
        hook.remove()
        return lost

    def _batches(self, name: str, rows: pl.DataFrame) -> DataLoader:
        """Of one corpus, by length, without augmentation; the id of an utterance is its row."""
        data, corpus = self.data, self.data.corpora[name]
        named = rows.with_columns(id=pl.col("row").cast(pl.String), text=pl.lit(""))
        return DataLoader(
            SpeechDataset(name, named, data.sample_rate),
            batch_sampler=StepBatchSampler(
                SortedByLength(named, data.batch_seconds, data.max_utterances)
            ),
            collate_fn=Collate(self.recogniser.tokenizer, corpus.language, name, corpus.branch),
            num_workers=data.workers,
            multiprocessing_context="fork" if data.workers > 0 else None,
        )


def _embeddings(embedder: _Embedder, train: pl.DataFrame, kept: Path) -> np.ndarray:
    """The embeddings (utterances, dim) of the training utterances, kept in the folder ``kept``.

    Those that are there already are not made again. Rows of zeros are utterances without one.
    """
    embeddings = open_embeddings(kept / "embeddings.npy", (train.height, embedder.dim))
    train = train.with_row_index("row")
    missing = train.filter(~pl.col("row").is_in(seen_rows(embeddings)))
    if missing.height:
        log.info("embedding %d training utterances once, in %s", missing.height, kept)
        for each in embedder.embed(missing, embeddings)[:SHOWN]:
            log.warning("a training utterance has no embedding: %s", each.reason)
        embeddings.flush()
    return embeddings


def _nearest(
    embedder: _Embedder,
    embeddings: np.ndarray,
    train: pl.DataFrame,
    tested: pl.DataFrame,
    count: int,
) -> pl.DataFrame:
    """The nearest rows of ``train``, whose ``embeddings`` these are, to each of ``tested``."""
    wanted = np.zeros((tested.height, embedder.dim), dtype=np.float16)
    embedder.embed(tested.with_row_index("row"), wanted)
    sound = seen_rows(wanted)
    rows, similarities = nearest_rows(embeddings, wanted[sound], count)
    pairs = tested[np.repeat(sound, rows.shape[1])].select(
        "id", pl.Series("similarity", similarities.ravel().astype(np.float64))
    )
    shown = train[rows.ravel()].select(TRAINING_COLUMNS)
    return pairs.hstack(shown.rename(lambda name: f"train_{name}"))


def _rows(name: str, table: pl.DataFrame) -> pl.DataFrame:
    """What is ``TRAINING_COLUMNS`` of the utterances of a corpus, and their ``duration``."""
    known = table.with_columns(corpus=pl.lit(name))
    missing = [
        pl.lit(None).alias(column) for column in TRAINING_COLUMNS if column not in known.columns
    ]
    return known.with_columns(missing).select(pl.col(*TRAINING_COLUMNS).cast(pl.String), "duration")


def _fingerprint(recogniser: CTCRecogniser, paths: pl.Series) -> str:
    """Of the weights, and of the recordings as they lie there."""
    digest = sha256()
    for name, weights in recogniser.state_dict().items():
        digest.update(name.encode() + weights.float().cpu().numpy().tobytes())
    digest.update(file_stats(paths).write_csv().encode())
    return digest.hexdigest()[:16]
