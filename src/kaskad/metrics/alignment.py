"""References and hypotheses aligned: what is equal, substituted, deleted and inserted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import jiwer
import polars as pl

Unit = Literal["words", "characters"]

AT_ONCE = 10_000  # utterances that jiwer aligns: it keeps all of theirs in memory


class Edit(NamedTuple):
    """Words or characters that stand together, and what was made of them.

    ``kind`` is equal, substitute, delete or insert. A substitution has as many on either side; of
    a deletion there is nothing in the hypothesis, of an insertion nothing in the reference.
    """

    kind: str
    reference: list[str]
    hypothesis: list[str]

    def pairs(self) -> list[tuple[str, str]]:
        """Each word or character with what was made of it, "" for none."""
        nothing = [""] * max(len(self.reference), len(self.hypothesis))
        return list(zip(self.reference or nothing, self.hypothesis or nothing, strict=True))


def align(references: Sequence[str], hypotheses: Sequence[str], unit: Unit) -> Iterator[list[Edit]]:
    """Each utterance as the fewest edits that lead from reference to hypothesis.

    Characters are those of the whole text, the blanks between words among them.
    """
    if len(references) != len(hypotheses):
        raise ValueError(f"{len(references)} references, but {len(hypotheses)} hypotheses")
    process = jiwer.process_words if unit == "words" else jiwer.process_characters
    for start in range(0, len(references), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        out = process(list(references[part]), list(hypotheses[part]))
        for reference, hypothesis, chunks in zip(
            out.references, out.hypotheses, out.alignments, strict=True
        ):
            yield [
                Edit(
                    chunk.type,
                    reference[chunk.ref_start_idx : chunk.ref_end_idx],
                    hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx],
                )
                for chunk in chunks
            ]


def count_confusions(
    references: Sequence[str], hypotheses: Sequence[str], unit: Unit
) -> pl.DataFrame:
    """What was taken for what, the most frequent first.

    Columns: ``kind`` (substitute, delete, insert), ``reference`` and ``hypothesis`` ("" where
    there is none), ``count``, and ``spoken``: how often the references have it.
    """
    counts: Counter[tuple[str, str, str]] = Counter()
    spoken: Counter[str] = Counter()
    for edits in align(references, hypotheses, unit):
        for edit in edits:
            spoken.update(edit.reference)
            if edit.kind != "equal":
                counts.update((edit.kind, *pair) for pair in edit.pairs())
    return pl.DataFrame(
        [(*edit, count, spoken[edit[1]]) for edit, count in sorted(counts.items())],
        schema={
            "kind": pl.String,
            "reference": pl.String,
            "hypothesis": pl.String,
            "count": pl.Int64,
            "spoken": pl.Int64,
        },
        orient="row",
    ).sort("count", descending=True, maintain_order=True)
