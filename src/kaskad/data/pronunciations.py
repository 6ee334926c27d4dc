"""What a model of pronunciations is trained and tested on: words, and the phones of each."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
from torch import Tensor

from kaskad.data.checks import DataError
from kaskad.data.written import TRAIN, VALIDATION, LetterDataModule, padded, spell
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


class Spellings(NamedTuple):
    """A batch: the ``references`` of each word, its letters ``spelt`` (batch, letters) and
    ``spelt_lengths`` (batch,), the ``phones`` (batch, phones), those of the first reference,
    and ``phone_lengths`` (batch,); 0 beyond the end of each."""

    words: list[str]
    references: list[list[str]]
    spelt: Tensor
    spelt_lengths: Tensor
    phones: Tensor
    phone_lengths: Tensor


class PronunciationDataModule(LetterDataModule):
    """Serves batches of words of like length.

    ``tables`` has for each corpus a table as ``read_pronunciations`` makes it, and ``roles`` the
    role of each. In training each pronunciation of a word is a row of its own; in validation and
    test a word is one row with all its pronunciations. ``skipped`` has the rows of no use. A batch
    has at most ``max_words``, and ``batch_letters`` with padding.

    Raises ``DataError`` where there is nothing to train on, or to test on.
    """

    units = ("letters", "phones")

    def __init__(
        self,
        tables: Mapping[str, pl.DataFrame],
        roles: Mapping[str, str],
        *,
        batch_letters: int = 4096,
        max_words: int = 256,
        seed: int = 0,
    ) -> None:
        super().__init__(seed, batch_letters, max_words)
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
                    f"use{_reasons(self.skipped)}; a dictionary of at least some hundred words is "
                    "wanted, or a column split that says train, validation, test"
                )
        self.tests = [name for name, role in roles.items() if role == "test"]
        one = pl.concat_list("pronunciation")
        self.tables = {TRAIN: good.filter(role="train").select("word", pronunciations=one)}
        tested = {VALIDATION: good.filter(role="validation")}
        tested |= {name: good.filter(corpus=name) for name in self.tests}
        for name, table in tested.items():
            self.tables[name] = table.group_by("word", maintain_order=True).agg(
                pronunciations="pronunciation"
            )
        if self.skipped.height:
            reasons = _reasons(self.skipped)
            log.warning("left out %d of %d rows%s", self.skipped.height, rows.height, reasons)

    def read(self, name: str) -> list[str]:
        """The words of "train", "validation" or a test corpus."""
        return self.tables[name]["word"].to_list()

    def written(self, name: str) -> list[str]:
        """The pronunciations of these, each as often as it is there."""
        return self.tables[name]["pronunciations"].explode().to_list()

    def rows(self, name: str) -> list[tuple[str, list[str]]]:
        return self.tables[name].select("word", "pronunciations").rows()

    @staticmethod
    def collate(
        rows: Sequence[tuple[str, list[str]]], letters: Tokenizer, tokenizer: Tokenizer
    ) -> Spellings:
        """Encode words and their pronunciations, and pad them into a batch."""
        words = [word for word, _ in rows]
        references = [list(known) for _, known in rows]
        phones = [tokenizer.encode(known[0]) for known in references]
        return Spellings(words, references, *spell(words, letters), *padded(phones))

    def summary(self) -> dict[str, Any]:
        """What a report says of the dictionary."""
        return {
            "words": {name: table["word"].n_unique() for name, table in self.tables.items()},
            "pronunciations": {name: len(self.written(name)) for name in self.tables},
            "left_out": dict(self.skipped["problem"].value_counts(sort=True).iter_rows()),
            "unknown": self.unknown,
        }


def _reasons(skipped: pl.DataFrame) -> str:
    """Why rows are of no use, and an example of each reason: ``: 3 a digit in the word (3d)``."""
    reasons = skipped.group_by("problem", maintain_order=True).agg(pl.len(), pl.first("word"))
    listed = [
        f"{count} {reason} ({word})" if word else f"{count} {reason}"
        for reason, count, word in reasons.iter_rows()
    ]
    return f": {', '.join(listed)}" if listed else ""
