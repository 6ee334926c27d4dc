"""What a model of corrections is trained and tested on: hypotheses and references."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import polars as pl
import torch
from torch import Tensor

from kaskad.data.checks import DataError
from kaskad.data.edits import edits_between, last_letters
from kaskad.data.simulated_errors import SimulatedErrors
from kaskad.data.written import TRAIN, VALIDATION, LetterDataModule, padded, spell
from kaskad.ngrams.sentences import gather, training_text
from kaskad.text.tokenizer import Tokenizer

BEYOND = -100  # in place of an edit, where a text has no more places: what nll_loss leaves out


class Sentence(NamedTuple):
    """Hypothesis and reference, the other texts of the n-best list, and the utterance."""

    hypothesis: str
    reference: str
    alternatives: list[str]
    id: str = ""


class Corrections(NamedTuple):
    """A batch: letters ``spelt`` (batch, letters) and ``spelt_lengths`` (batch,).

    Of each place of a text (see ``kaskad.data.edits``), ``letters`` (batch, places) has its last
    letter, ``edits`` (batch, places) the edit that makes the reference of the text, ``BEYOND``
    after the last place, and ``votes`` (batch, places, labels + 1) the share of the alternatives
    that have each edit there.
    """

    sentences: list[Sentence]
    spelt: Tensor
    spelt_lengths: Tensor
    letters: Tensor
    edits: Tensor
    votes: Tensor


class CorrectionDataModule(LetterDataModule):
    """Serves batches of hypotheses of like length.

    It trains on hypotheses, and on ``simulated`` times as many sentences with errors drawn from
    its confusions: the references, and the lines of the files ``text``, but for those that stand in
    validation or test.

    Args:
        tables: Of each corpus, as ``read_hypotheses`` makes it.
        roles: The role of each corpus.
        text: Text files, a sentence a line, into which errors are put as well.
        simulated: How often each sentence comes with simulated errors, each time with others.
        language: That of the hypotheses and the text.
        batch_letters: The most letters in a batch, padding included.
        max_sentences: The most sentences in a batch.
        seed: Of the errors and of the order of batches.

    Raises:
        DataError: Where there is nothing to train on, or to test on.
    """

    units = ("letters of hypotheses", "words of references")

    def __init__(
        self,
        tables: Mapping[str, pl.DataFrame],
        roles: Mapping[str, str],
        *,
        text: Sequence[str] = (),
        simulated: int = 1,
        language: str | None = None,
        batch_letters: int = 4096,
        max_sentences: int = 64,
        seed: int = 0,
    ) -> None:
        super().__init__(seed, batch_letters, max_sentences)
        if simulated < 0:
            raise DataError(f"datamodule.simulated={simulated}: 0 for none, or how often, as 1")
        by_role = {
            role: [tables[name] for name, its in roles.items() if its == role]
            for role in ("train", "validation", "test")
        }
        # A reference that is empty is of silence: a hypothesis there is no error of words.
        spoken = {
            role: pl.concat(parts).filter(pl.col("reference") != "") if parts else pl.DataFrame()
            for role, parts in by_role.items()
        }
        for role, table in spoken.items():
            if table.is_empty():
                raise DataError(
                    f"no hypothesis has the role '{role}': data=hypotheses names the runs to take "
                    "them of, data.runs=… and data.test=…"
                )
        self.tests = [name for name, role in roles.items() if role == "test"]
        self.tables = {name: tables[name] for name in self.tests}
        self.tables[VALIDATION] = spoken["validation"]
        recognised = spoken["train"].filter(pl.col("hypothesis") != "")
        if recognised.is_empty():
            raise DataError("every hypothesis to learn from is empty: there is nothing to correct")
        made = self._simulated(spoken, text, simulated, language)
        self.tables[TRAIN] = pl.concat([recognised.drop("speaker"), made])
        self._empty = spoken["train"].height - recognised.height
        self._made = made.height

    def read(self, name: str) -> list[str]:
        """The hypotheses of "train", "validation" or a test corpus, as it is read."""
        return [last_letters(text)[0] for text in self.tables[name]["hypothesis"]]

    def written(self, name: str) -> list[str]:
        """The references."""
        return self.tables[name]["reference"].to_list()

    def rows(self, name: str) -> list[Sentence]:
        columns = self.tables[name].select("hypothesis", "reference", "alternatives", "id")
        return [Sentence(*row) for row in columns.iter_rows()]

    @staticmethod
    def collate(rows: Sequence[Sentence], letters: Tokenizer, tokenizer: Tokenizer) -> Corrections:
        return collate(rows, letters, tokenizer)

    def summary(self) -> dict[str, Any]:
        """What a report says of what was trained on."""
        return {
            "hypotheses": self.tables[TRAIN].height - self._made,
            "simulated": self._made,
            "empty": self._empty,
            "validation": self.tables[VALIDATION].height,
            "unknown": {kind: sum(found.values()) for kind, found in self.unknown.items()},
        }

    def _simulated(
        self,
        spoken: Mapping[str, pl.DataFrame],
        text: Sequence[str],
        times: int,
        language: str | None,
    ) -> pl.DataFrame:
        """Sentences with errors drawn: columns reference, hypothesis, alternatives."""
        known = pl.concat(
            table.select(text="reference", language=pl.lit(language or ""), role=pl.lit(role))
            for role, table in spoken.items()
        )
        remove = ("test", "validation") if text else ()
        sentences, _ = training_text(gather(known, text, language=language), remove)
        references = sentences["text"].to_list()
        train = spoken["train"]
        errors = SimulatedErrors(train["reference"].to_list(), train["hypothesis"].to_list())
        rows = [
            ("", sentence, hypothesis)
            for time in range(times)
            for sentence, hypothesis in zip(
                references, errors(references, self.seed + time), strict=True
            )
            if hypothesis
        ]
        schema = dict.fromkeys(("id", "reference", "hypothesis"), pl.String)
        none = pl.lit([], pl.List(pl.String))
        return pl.DataFrame(rows, schema, orient="row").with_columns(alternatives=none)


def collate(sentences: Sequence[Sentence], letters: Tokenizer, words: Tokenizer) -> Corrections:
    """Read sentences by ``letters``, find the edits in terms of ``words``, and pad both."""
    read = [last_letters(each.hypothesis) for each in sentences]
    spelt, spelt_lengths = spell([text for text, _ in read], letters)
    places, counts = padded([found for _, found in read])
    wanted = edits_between(
        [each.hypothesis for each in sentences],
        [each.reference for each in sentences],
        words.labels,
    )
    edits, _ = padded([each.places for each in wanted])
    beyond = torch.arange(edits.shape[1]) >= counts[:, None]
    votes = torch.zeros(*places.shape, words.size + 1)
    for row, sentence in enumerate(sentences):
        others = sentence.alternatives
        for each in edits_between([sentence.hypothesis] * len(others), others, words.labels):
            votes[row, range(len(each.places)), each.places] += 1 / len(others)
    return Corrections(
        list(sentences), spelt, spelt_lengths, places, edits.masked_fill(beyond, BEYOND), votes
    )
