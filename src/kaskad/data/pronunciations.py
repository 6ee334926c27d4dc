"""What a model of pronunciations learns from and is judged on: words, and the phones of each."""

import hashlib
import logging
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

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
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


class Spellings(NamedTuple):
    """A batch: the ``references`` of each word, its letters ``spelt`` (batch, letters) and
    ``spelt_lengths`` (batch,), the phones ``said`` (batch, phones), those of the first reference,
    and ``said_lengths`` (batch,); 0 beyond the end of each."""

    words: list[str]
    references: list[list[str]]
    spelt: Tensor
    spelt_lengths: Tensor
    said: Tensor
    said_lengths: Tensor


class PronunciationDataModule(WrittenDataModule):
    """Serves batches of words of like length.

    ``tables`` has for each corpus a table as ``read_pronunciations`` makes it, and ``roles`` the
    role of each. In training each pronunciation of a word is a row of its own; in validation and
    test a word is one row with all its pronunciations. ``skipped`` has the rows of no use. A batch
    has at most ``max_words``, and ``batch_letters`` with padding.

    The order of a run: fit tokenizers on ``words("train")`` and ``phones("train")``, then
    ``connect`` them. Raises ``DataError`` where there is nothing to learn from, or to judge.
    """

    def __init__(
        self,
        tables: Mapping[str, pl.DataFrame],
        roles: Mapping[str, str],
        *,
        batch_letters: int = 4096,
        max_words: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__(seed)
        self.batch_letters = batch_letters
        self.max_words = max_words
        named = [
            each.select(pl.lit(name).alias("corpus"), pl.all()) for name, each in tables.items()
        ]
        if not named:
            raise DataError("there is no dictionary: data=pronunciations data.path=…")
        rows = pl.concat(named).with_columns(role=pl.col("corpus").replace_strict(dict(roles)))
        self.skipped = rows.filter(pl.col("problem") != "").select("corpus", "word", "problem")
        good = rows.filter(pl.col("problem") == "")
        for role in ("train", "validation", "test"):
            if role not in good["role"]:
                raise DataError(
                    f"no word has the role '{role}': of {rows.height} rows {good.height} are of "
                    f"use{_told(self.skipped)}; a dictionary of at least some hundred words is "
                    "wanted, or a column split that says train, validation, test"
                )
        self.tests = [name for name, role in roles.items() if role == "test"]
        one = pl.concat_list("pronunciation")
        self.tables = {TRAIN: good.filter(role="train").select("word", pronunciations=one)}
        judged = {VALIDATION: good.filter(role="validation")}
        judged |= {name: good.filter(corpus=name) for name in self.tests}
        for name, table in judged.items():
            self.tables[name] = table.group_by("word", maintain_order=True).agg(
                pronunciations="pronunciation"
            )
        if self.skipped.height:
            told = _told(self.skipped)
            log.warning("left out %d of %d rows%s", self.skipped.height, rows.height, told)
        self._tokenizers: tuple[Tokenizer, Tokenizer] | None = None
        self.unknown: dict[str, dict[str, int]] = {}

    def words(self, name: str) -> list[str]:
        """The words of "train", "validation" or a test corpus."""
        return self.tables[name]["word"].to_list()

    def phones(self, name: str) -> list[str]:
        """The pronunciations of these, each as often as it is there."""
        return self.tables[name]["pronunciations"].explode().to_list()

    def connect(self, letters: Tokenizer, phones: Tokenizer) -> None:
        """Encode words by ``letters`` and pronunciations by ``phones`` from here on.

        Letters and phones that training does not have are counted, and told of.
        """
        self._tokenizers = (letters, phones)
        for kind, tokenizer, texts in (
            ("letters", letters, self.words),
            ("phones", phones, self.phones),
        ):
            found: dict[str, int] = {}
            for name in self.tables:
                for text in texts(name):
                    for unit in tokenizer.unknown(text):
                        found[unit] = found.get(unit, 0) + 1
            if found:
                log.warning(
                    "%s that training does not have, in validation and test: %s",
                    kind,
                    ", ".join(f"{unit} ({count} times)" for unit, count in sorted(found.items())),
                )
            self.unknown[kind] = found

    def summary(self) -> dict[str, Any]:
        """What a report says of the dictionary."""
        return {
            "words": {name: table["word"].n_unique() for name, table in self.tables.items()},
            "pronunciations": {name: len(self.phones(name)) for name in self.tables},
            "left_out": dict(self.skipped["problem"].value_counts(sort=True).iter_rows()),
            "unknown": self.unknown,
        }

    def fingerprint(self) -> str:
        """Of all that is trained on, in its order: another one, another dictionary."""
        pairs = (
            f"{word}\t{said}"
            for word, said in zip(self.words(TRAIN), self.phones(TRAIN), strict=True)
        )
        return hashlib.sha256("\n".join(pairs).encode()).hexdigest()

    def _loader(self, name: str, order: Callable[..., BatchOrder] = SortedByLength) -> DataLoader:
        if self._tokenizers is None:
            raise DataError("no tokenizers yet: call connect(letters, phones) first")
        lengths = self.tables[name].select(duration=pl.col("word").str.len_chars().cast(pl.Float64))
        return DataLoader(
            _Rows(self.words(name), self.tables[name]["pronunciations"].to_list()),
            batch_sampler=StepBatchSampler(order(lengths, self.batch_letters, self.max_words)),
            collate_fn=partial(collate, letters=self._tokenizers[0], phones=self._tokenizers[1]),
            # Its own: beginning an epoch draws nothing from the generator that the net draws from.
            generator=torch.Generator(),
        )


def collate(
    rows: Sequence[tuple[str, list[str]]], letters: Tokenizer, phones: Tokenizer
) -> Spellings:
    """Encode words and their pronunciations, and pad them into a batch."""
    words = [word for word, _ in rows]
    references = [list(known) for _, known in rows]
    said = [phones.encode(known[0]) for known in references]
    return Spellings(words, references, *spell(words, letters), *padded(said))


def spell(words: Sequence[str], letters: Tokenizer) -> tuple[Tensor, Tensor]:
    """The letters of words (batch, letters), and how many (batch,); 0 is an unknown one."""
    numbers = {letter: number for number, letter in enumerate(letters.labels)}
    return padded([[numbers.get(letter, 0) for letter in word] for word in words])


def padded(labels: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Labels of unequal count in one tensor (batch, labels), and the counts (batch,)."""
    counts = torch.tensor([len(each) for each in labels], dtype=torch.long)
    if not len(labels):  # another process of the run has them all
        return torch.zeros(0, 1, dtype=torch.long), counts
    rows = [torch.tensor(each, dtype=torch.long) for each in labels]
    return pad_sequence(rows, batch_first=True), counts


class _Rows(Dataset[tuple[str, list[str]]]):
    """Words and their pronunciations, asked for as ``(epoch, row)``."""

    def __init__(self, words: list[str], pronunciations: list[list[str]]) -> None:
        self.words, self.pronunciations = words, pronunciations

    def __getitem__(self, key: tuple[int, int]) -> tuple[str, list[str]]:
        return self.words[key[1]], self.pronunciations[key[1]]


def _told(skipped: pl.DataFrame) -> str:
    """Why rows are of no use, and an example of each reason: ``: 3 a digit in the word (3d)``."""
    reasons = skipped.group_by("problem", maintain_order=True).agg(pl.len(), pl.first("word"))
    listed = [
        f"{count} {reason} ({word})" if word else f"{count} {reason}"
        for reason, count, word in reasons.iter_rows()
    ]
    return f": {', '.join(listed)}" if listed else ""
