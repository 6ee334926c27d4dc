"""What a language model is trained and tested on: transcripts and text files, no audio."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import polars as pl
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader, Dataset

from kaskad.data.checks import DataError
from kaskad.data.samplers.length import SortedByLength
from kaskad.data.samplers.order import BatchOrder
from kaskad.data.samplers.steps import StepBatchSampler
from kaskad.data.written import TRAIN, VALIDATION, WrittenDataModule
from kaskad.ngrams.sentences import gather, in_units, tidy, training_text
from kaskad.text.normalisation import normalise
from kaskad.text.tokenizer import Tokenizer


class Sentences(NamedTuple):
    """A batch: ``labels`` (batch, labels), 0 after the end of each, ``lengths`` (batch,)."""

    texts: list[str]
    labels: Tensor
    lengths: Tensor


def collate(texts: Sequence[str], tokenizer: Tokenizer) -> Sentences:
    """Encode texts and pad them into a batch."""
    encoded = [torch.tensor(tokenizer.encode(text), dtype=torch.long) for text in texts]
    lengths = torch.tensor([len(labels) for labels in encoded], dtype=torch.long)
    if not encoded:  # another process of the run has them all
        return Sentences([], torch.zeros(0, 1, dtype=torch.long), lengths)
    return Sentences(list(texts), pad_sequence(encoded, batch_first=True), lengths)


class TextDataModule(WrittenDataModule):
    """Serves batches of sentences of like length, in the spelling of a tokenizer's labels.

    ``transcripts`` has for each corpus a table with the columns text, language and role. It
    trains on those with the role ``train`` and on the files ``text``, without the sentences that
    also stand, word for word, in a role of ``remove``; for ``language`` and ``normalise`` see
    ``make_language_model``. Transcripts are normalised, as a recogniser's are. ``removed``
    says how many sentences each role cost.

    The order of a run: fit a tokenizer on ``spelt("train", tokenizer)``, then ``connect`` it; from
    there on the loaders work. A batch has at most ``max_sentences``, and ``batch_labels`` with
    padding; a sentence longer than that goes alone.
    """

    def __init__(
        self,
        transcripts: Mapping[str, pl.DataFrame],
        *,
        text: Sequence[str] = (),
        language: str | None = None,
        normalise: bool = True,
        remove: Sequence[Literal["test", "validation"]] = ("test", "validation"),
        batch_labels: int = 8192,
        max_sentences: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        self.files = list(text)
        self.batch_labels = batch_labels
        self.max_sentences = max_sentences
        self.tokenizer: Tokenizer | None = None
        spoken = {name: _normalised(table) for name, table in transcripts.items()}
        every = gather(pl.concat(spoken.values()), text, language=language, normalised=normalise)
        for role in ("validation", "test"):
            if role not in every["role"]:
                raise DataError(f"no corpus with the role '{role}' has a transcript to test on")
        training, self.removed = training_text(every, remove)
        self.tests = [name for name, table in spoken.items() if "test" in table["role"]]
        self.tables = {name: spoken[name] for name in self.tests}
        self.tables |= {TRAIN: training, VALIDATION: every.filter(role="validation")}
        self._spelt: dict[str, list[str]] = {}

    def spelt(self, name: str, tokenizer: Tokenizer) -> list[str]:
        """The sentences of "train", "validation" or a test corpus, as the labels spell them."""
        return in_units(self.tables[name], tokenizer, "words").to_list()

    def loaded(self, *roles: str) -> list[str]:
        """The names of the texts that play these roles."""
        named = {TRAIN: [TRAIN], VALIDATION: [VALIDATION], "test": self.tests}
        return [name for role in roles for name in named.get(role, [])]

    def summary(self) -> dict[str, Any]:
        """What a report says of the text that is trained on."""
        words = self.tables[TRAIN]["text"].str.count_matches(" ").sum() + self.tables[TRAIN].height
        return {
            "files": self.files,
            "sentences": self.tables[TRAIN].height,
            "words": words,
            "removed": self.removed,
        }

    def connect(self, tokenizer: Tokenizer) -> None:
        """Spell and encode sentences by ``tokenizer`` from here on."""
        self.tokenizer = tokenizer
        self._spelt = {name: self.spelt(name, tokenizer) for name in self.tables}

    def fingerprint(self) -> str:
        """Of all that is trained on, in its order: another one, another text."""
        digest = hashlib.sha256("\n".join(self._spelt[TRAIN]).encode())
        return digest.hexdigest()

    def _loader(self, name: str, order: Callable[..., BatchOrder] = SortedByLength) -> DataLoader:
        if self.tokenizer is None:
            raise DataError("no tokenizer yet: call connect(tokenizer) before asking for batches")
        texts = self._spelt[name]
        # What is predicted of a sentence: its labels, and its end.
        lengths = [len(self.tokenizer.encode(text)) + 1 for text in texts]
        manifest = pl.DataFrame({"duration": lengths}, {"duration": pl.Float64})
        return DataLoader(
            _Rows(texts),
            batch_sampler=StepBatchSampler(order(manifest, self.batch_labels, self.max_sentences)),
            collate_fn=partial(collate, tokenizer=self.tokenizer),
            # Its own: beginning an epoch draws nothing from the generator that the net draws from.
            generator=torch.Generator(),
        )


class _Rows(Dataset[str]):
    """Texts, asked for as ``(epoch, row)``."""

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def __getitem__(self, key: tuple[int, int]) -> str:
        return self.texts[key[1]]


def _normalised(transcripts: pl.DataFrame) -> pl.DataFrame:
    return tidy(transcripts.with_columns(normalise(pl.col("text"))))
