"""Where a model errs: tables of its errors, for report.json, report.html and notebooks."""

from collections import Counter
from itertools import pairwise

import numpy as np
import polars as pl
from polars import selectors

from kaskad.metrics.alignment import align, count_confusions
from kaskad.metrics.bootstrap import intervals, mean_of_groups, share, speaker_groups
from kaskad.metrics.error_rates import WORD_ERRORS
from kaskad.metrics.scores import Scores

STEP = 5  # % of WER
LENGTHS = (1, 2, 3, 5, 8, 12, 20)  # seconds, where one group of utterances ends
MOST_GROUPS = 200
# Columns of a manifest that would make no groups worth comparing.
NO_GROUPS = ("id", "path", "duration", "score", "split", "number", "problem")


def break_down(results: pl.DataFrame, scores: Scores) -> dict[str, pl.DataFrame]:
    """The tables by their names, those that have anything to say.

    ``results`` has the columns of the manifest, a row an utterance, in the order of ``scores``.
    """
    speakers = speakers_of(results)
    tables = {"figures": figures(scores, speakers), "groups": groups(results, scores, speakers)}
    if "words" in scores.table.columns:
        tables["histogram"] = histogram(scores.table)
        tables["confusions"] = confusions(scores.table)
    if "reference_phones" in scores.table.columns:
        tables["phones"] = phones(scores.table, results)
    if "number_accuracy" in tables["figures"]["figure"]:
        numbers = scores.table.filter(pl.col("number").is_not_null())
        tables["magnitudes"] = magnitudes(numbers)
        tables["digit_positions"] = digit_positions(numbers)
    return {name: table for name, table in tables.items() if table.height}


def speakers_of(results: pl.DataFrame) -> np.ndarray | None:
    """The number of the speaker of each utterance, where there are several and they are known."""
    return speaker_groups(results["speaker"]) if "speaker" in results.columns else None


def figures(scores: Scores, speakers: np.ndarray | None = None) -> pl.DataFrame:
    """``figure``, its ``value``, and the 95 % interval ``low`` to ``high``, drawn by ``speakers``
    where they are known; then there is ``wer_by_speaker``, the mean of their WERs, too."""
    shares = scores.shares() if scores.utterances else {}
    bounds = intervals(shares, speakers)
    if speakers is not None and "wer" in shares:
        mean = {"wer_by_speaker": mean_of_groups(shares["wer"], speakers)}
        shares, bounds = shares | mean, bounds | intervals(mean)
    rows = [(name, each.value, *bounds[name]) for name, each in shares.items()]
    return pl.DataFrame(rows, schema=["figure", "value", "low", "high"], orient="row")


def groups(
    results: pl.DataFrame, scores: Scores, speakers: np.ndarray | None = None
) -> pl.DataFrame:
    """Every figure, with its interval, by whatever the manifest tells utterances apart.

    That is length, speaker, gender, language, and any other column with at least two values, but
    fewer than half as many as utterances. Columns: ``column``, ``group``, ``utterances``, and for
    each figure ``<figure>``, ``<figure>_low`` and ``<figure>_high`` (null where there is nothing
    to count).
    """
    shares = scores.shares() if scores.utterances else {}
    rows = []
    for column, values in _groupings(results, scores).items():
        members = pl.DataFrame({"group": values}).with_row_index().group_by("group").agg("index")
        for group, indices in members.sort("group", nulls_last=True).rows():
            parts = {name: each.part(np.array(indices)) for name, each in shares.items()}
            parts = {name: part for name, part in parts.items() if part.of.any()}
            bounds = intervals(parts, _several(speakers, indices))
            name = "unknown" if group is None else str(group)
            row = {"column": column, "group": name, "utterances": len(indices)}
            for figure, part in parts.items():
                low, high = bounds[figure]
                row |= {figure: part.value, f"{figure}_low": low, f"{figure}_high": high}
            rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def _several(speakers: np.ndarray | None, utterances: list[int]) -> np.ndarray | None:
    """The speakers of these utterances, numbered anew; ``None`` where there is but one."""
    return None if speakers is None else speaker_groups(pl.Series(speakers[utterances]))


def _groupings(results: pl.DataFrame, scores: Scores) -> dict[str, pl.Series]:
    ours = {*NO_GROUPS, *scores.table.columns}
    found = {}
    if "duration" in results.columns:
        found["length"] = lengths(results["duration"])
    for column in results.select(~selectors.nested() & ~selectors.float()).iter_columns():
        if column.name not in ours:
            found[column.name] = column
    most = min(MOST_GROUPS, results.height // 2)
    return {name: values for name, values in found.items() if 2 <= values.n_unique() <= most}


def lengths(seconds: pl.Series) -> pl.Series:
    """The group of each duration, whose order is that of the groups."""
    names = [f"up to {LENGTHS[0]} s"]
    names += [f"{a}–{b} s" for a, b in pairwise(LENGTHS)]
    names.append(f"over {LENGTHS[-1]} s")
    groups = np.searchsorted(LENGTHS, seconds.to_numpy())
    return pl.Series(seconds.name, [names[group] for group in groups], pl.Enum(names))


def histogram(table: pl.DataFrame) -> pl.DataFrame:
    """How many utterances have which WER: none at all, then above ``above`` % up to ``up_to`` %.

    The last row, without an ``up_to``, is above 100 %.
    """
    errors = table.select(WORD_ERRORS).to_series().to_numpy()
    words = np.maximum(table["words"].to_numpy(), 1)
    steps = 100 // STEP
    bins = np.minimum(-(-steps * errors // words), steps + 1)  # rounded up, in whole numbers
    counts = np.bincount(bins, minlength=steps + 2)
    return pl.DataFrame(
        {
            "above": [None, *range(0, 101, STEP)],
            "up_to": [0, *range(STEP, 101, STEP), None],
            "utterances": counts,
        }
    )


def confusions(table: pl.DataFrame) -> pl.DataFrame:
    """``count_confusions`` of words and of characters, told apart by ``unit``."""
    texts = table["reference"].to_list(), table["hypothesis"].to_list()
    return pl.concat(
        count_confusions(*texts, unit).select(pl.lit(unit).alias("unit"), pl.all())
        for unit in ("words", "characters")
    )


def phones(table: pl.DataFrame, results: pl.DataFrame) -> pl.DataFrame:
    """How often each phone of a ``language`` was ``spoken``, the share of it that was recognised
    (``accuracy``), and its most frequent substitution, ``instead`` ("" for nothing)."""
    spoken: Counter[tuple[str, str]] = Counter()
    hypotheses: dict[tuple[str, str], Counter[str]] = {}
    texts = table["reference_phones"].to_list(), table["hypothesis_phones"].to_list()
    known = "language" in results.columns
    languages = results["language"].to_list() if known else [""] * results.height
    for language, edits in zip(languages, align(*texts, "words"), strict=True):
        for phone, found in (pair for edit in edits for pair in edit.pairs() if pair[0]):
            spoken[language, phone] += 1
            hypotheses.setdefault((language, phone), Counter())[found] += 1
    rows = []
    for (language, phone), count in sorted(spoken.items(), key=lambda item: (item[0][0], -item[1])):
        others = hypotheses[language, phone]
        right = others.pop(phone, 0)
        instead = others.most_common(1)[0][0] if others else None
        rows.append((language, phone, count, right / count, instead))
    columns = ["language", "phone", "spoken", "accuracy", "instead"]
    return pl.DataFrame(rows, schema=columns, orient="row")


def magnitudes(numbers: pl.DataFrame) -> pl.DataFrame:
    """By how many ``digits`` a number has: ``wrong`` of how many utterances, the ``error`` and its
    interval, and how many hypotheses are no number (``no_number``)."""
    rows = []
    for (digits,), part in numbers.group_by("digits", maintain_order=True):
        wrong = share((part["number"] != part["number_hypothesis"]).fill_null(True).to_numpy())
        rows.append(
            {
                "digits": digits,
                "utterances": part.height,
                "wrong": int(wrong.counted.sum()),
                "no_number": part["number_hypothesis"].null_count(),
                "error": wrong.value,
                **dict(zip(("low", "high"), intervals({"error": wrong})["error"], strict=True)),
            }
        )
    return pl.DataFrame(rows).sort("digits") if rows else pl.DataFrame()


def digit_positions(numbers: pl.DataFrame) -> pl.DataFrame:
    """By the ``position`` of a digit, 0 being the ones: ``wrong`` of how many, and the ``error``.

    Every digit is wrong where the hypothesis is no number.
    """
    rows = []
    for position in range(max(numbers["digits"], default=0)):
        part = numbers.filter(pl.col("digits") > position)
        reference, hypothesis = (
            part[name] // 10**position % 10 for name in ("number", "number_hypothesis")
        )
        wrong = int((reference != hypothesis).fill_null(True).sum())
        rows.append(
            {
                "position": position,
                "utterances": part.height,
                "wrong": wrong,
                "error": wrong / part.height,
            }
        )
    return pl.DataFrame(rows)
