"""Aggregating a crowd's answers: several answers to a recording become one transcript.

How far answers agree with the common transcript tells how good each worker is, and how sure each
transcript.
"""

import logging
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import polars as pl
from rapidfuzz.distance import Levenshtein
from rich.progress import track

from kaskad.corpora.crowd.rover import weighted_rover
from kaskad.text.normalisation import normalise

log = logging.getLogger(__name__)

Texts = dict[str, str]
LEAST_ERROR = 0.01  # nobody is so good that all others have no vote
TRIGRAM_BINS = 256
WORTH_A_BAR = 1000  # recordings; fewer are aggregated in less than a second


@dataclass(frozen=True)
class Consensus:
    """What became of a crowd's answers; nothing is in none of the tables.

    ``recordings``: ``audio``, ``text``, ``confidence``, ``answers`` (how many were used),
    ``golden``. ``workers``: ``worker``, ``answers``, ``compared`` (of these, how many could be
    compared), ``quality``. ``dropped``: ``audio``, ``worker``, ``text`` as it was answered, and the
    ``reason`` why it was not used; among them golden answers that others outvote, without worker.
    """

    recordings: pl.DataFrame
    workers: pl.DataFrame
    dropped: pl.DataFrame


def aggregate(
    answers: pl.DataFrame, *, method: str = "rover", min_quality: float = 0.0
) -> Consensus:
    """Make one transcript of the answers to each recording by one of ``METHODS``.

    ``answers`` has ``audio``, ``worker``, ``text``, ``golden`` (the known right answer, or null)
    and ``problem`` (why this answer must not be used, or null). Texts are compared normalised, and
    the transcript is normalised too. A golden answer is the transcript, with confidence 1; of
    several that differ, the most frequent.

    A worker's quality is the mean agreement of their answers with the golden answers and with the
    vote of all, drawn to the crowd's mean as if by one answer more. Answers of workers below
    ``min_quality`` are not used. The confidence of a transcript is the mean agreement of its
    answers with it, the better workers counting more; that of a lone answer is the quality of its
    worker. Both are null where no recording has a second answer to compare with.

    Raises ``ValueError`` for an unknown method, ``ImportError`` where crowd-kit is missing.
    """
    if method not in METHODS:
        raise ValueError(f"unknown way to aggregate '{method}'; known: {', '.join(METHODS)}")
    answers = answers.with_columns(answered="text", text=normalise(pl.col("text").fill_null("")))
    right = normalise(pl.col("golden")).replace("", None)
    answers = answers.with_columns(golden=right, problem=_problem())
    golden, overruled = _golden(answers)
    workers = _workers(answers, golden)
    quality = workers.select("worker", "quality")
    answers = answers.join(
        quality, on="worker", how="left", nulls_equal=True, maintain_order="left"
    )
    answers = answers.with_columns(problem=pl.coalesce("problem", _too_bad(min_quality)))

    used = answers.filter(pl.col("problem").is_null())
    error = (1 - pl.col("quality")).clip(lower_bound=LEAST_ERROR).fill_null(1.0)
    used = used.with_columns(weight=1 / error).sort("weight", descending=True, maintain_order=True)
    is_lone = pl.len().over("audio") == 1
    lone, several = used.filter(is_lone), used.filter(~is_lone)
    texts: Texts = dict(lone.select("audio", "text").iter_rows())
    if several.height:
        texts |= METHODS[method](several)
    texts |= golden
    unused = answers.filter(pl.col("problem").is_not_null())
    dropped = unused.select("audio", "worker", text="answered", reason="problem")
    return Consensus(
        recordings=_recordings(answers, used, texts, golden),
        workers=workers,
        dropped=pl.concat([dropped, overruled]),
    )


def agreement(answer: str, text: str) -> float:
    """1 − edit distance in words / words of the longer: 1 for the same words, 0 for none."""
    return Levenshtein.normalized_similarity(answer.split(), text.split())


def _problem() -> pl.Expr:
    """Why an answer cannot be used, beside what its table says."""
    is_empty = pl.when(pl.col("text") == "").then(pl.lit("the answer is empty"))
    in_itself = pl.coalesce("problem", is_empty)
    is_usable = in_itself.is_null().alias("usable")
    is_first = pl.struct("audio", "worker", is_usable).is_first_distinct()
    repeated = pl.when(~is_first & pl.col("worker").is_not_null())
    return pl.coalesce(in_itself, repeated.then(pl.lit("the same worker has answered before")))


def _golden(answers: pl.DataFrame) -> tuple[Texts, pl.DataFrame]:
    """The golden answer to each recording, and what is dropped because it differs from that."""
    given = answers.select("audio", "golden").drop_nulls()
    counted = given.group_by("audio", "golden", maintain_order=True).len()
    counted = counted.sort("len", descending=True, maintain_order=True)
    is_best = pl.col("audio").is_first_distinct()
    best, others = counted.filter(is_best), counted.filter(~is_best)
    if others.height:
        log.warning(
            "%d golden answers are not used: the recording has another that is more frequent, or "
            "as frequent and earlier; the first: %s, '%s'",
            others.height,
            *others.select("audio", "golden").row(0),
        )
    reason = pl.lit("another golden answer is more frequent, or as frequent and earlier")
    nobody = pl.lit(None, pl.String)
    overruled = others.select("audio", worker=nobody, text="golden", reason=reason)
    return dict(best.select("audio", "golden").iter_rows()), overruled


def _too_bad(min_quality: float) -> pl.Expr:
    share = (100 * pl.col("quality")).round(0).cast(pl.Int64)
    reason = "worker {} agrees with the others in {} % of the words, less than min_quality={}"
    return pl.when(pl.col("quality") < min_quality).then(
        pl.format(reason, "worker", share, pl.lit(min_quality))
    )


def _workers(answers: pl.DataFrame, golden: Texts) -> pl.DataFrame:
    """Rate each worker by an equal vote of all, whatever the method: it is quick and robust."""
    sound = answers.filter(pl.col("problem").is_null())
    votes = sound.group_by("audio", maintain_order=True).agg("text")
    texts = {
        audio: " ".join(weighted_rover([text.split() for text in given]))
        for audio, given in _with_bar(votes, "comparing answers")
        if len(given) > 1
    } | golden
    errors = _agreements(sound, texts).select("worker", error=1 - pl.col("agreement"))
    compared = errors.group_by("worker").agg(
        compared=pl.col("error").count(), error=pl.col("error").sum()
    )
    smoothed = (pl.col("error") + errors["error"].mean()) / (pl.col("compared") + 1)
    # An answer that cannot be used and has no worker either makes no worker.
    of_somebody = pl.col("worker").is_not_null() | pl.col("problem").is_null()
    return (
        answers.filter(of_somebody)
        .group_by("worker")
        .agg(answers=pl.len())
        .join(compared, on="worker", how="left")
        .select("worker", "answers", pl.col("compared").fill_null(0), quality=1 - smoothed)
        .sort("quality", "worker", nulls_last=True)
    )


def _recordings(
    answers: pl.DataFrame, used: pl.DataFrame, texts: Texts, golden: Texts
) -> pl.DataFrame:
    compared = _agreements(used, texts)
    quality = pl.col("quality").fill_null(1.0)
    of_many = (pl.col("agreement") * quality).sum() / quality.sum()
    of_one = pl.col("quality").first()
    confidence = compared.group_by("audio").agg(
        confidence=pl.when(pl.len() > 1).then(of_many).otherwise(of_one), answers=pl.len()
    )
    is_golden = pl.col("audio").is_in(list(golden))
    return (
        answers.select(pl.col("audio").drop_nulls().unique(maintain_order=True))
        .join(confidence, on="audio", how="left", maintain_order="left")
        .select(
            "audio",
            text=pl.col("audio").replace_strict(texts, default=None, return_dtype=pl.String),
            confidence=pl.when(is_golden).then(1.0).otherwise("confidence"),
            answers=pl.col("answers").fill_null(0),
            golden=is_golden,
        )
    )


def _agreements(answers: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """The answers with their ``agreement`` with the texts; null where there is no text."""
    pairs: Iterable[tuple[str, str]] = answers.select("audio", "text").iter_rows()
    shares = [agreement(text, texts[audio]) if audio in texts else None for audio, text in pairs]
    return answers.with_columns(agreement=pl.Series(shares, dtype=pl.Float64))


def _with_bar(rows: pl.DataFrame, description: str) -> Iterable[tuple[Any, ...]]:
    few = rows.height < WORTH_A_BAR
    return track(rows.iter_rows(), description, rows.height, transient=True, disable=few)


def _rover(answers: pl.DataFrame) -> Texts:
    """Vote word by word; every answer has the same weight."""
    silent = answers["audio"].n_unique() < WORTH_A_BAR or not sys.stderr.isatty()
    rover = _crowd_kit().ROVER(str.split, " ".join, silent=silent)
    return rover.fit_predict(_pandas(answers, "text")).to_dict()


def _weighted_rover(answers: pl.DataFrame) -> Texts:
    """Vote word by word; an answer weighs as much as its worker rarely errs."""
    voters = answers.group_by("audio", maintain_order=True).agg("text", "weight")
    return {
        audio: " ".join(weighted_rover([text.split() for text in texts], weights))
        for audio, texts, weights in _with_bar(voters, "aggregating answers")
    }


def _majority(answers: pl.DataFrame) -> Texts:
    """Take the answer that most have given word for word."""
    return _crowd_kit().MajorityVote().fit_predict(_pandas(answers, "label")).to_dict()


def _hrrasa(answers: pl.DataFrame) -> Texts:
    """Take the answer closest to all others (HRRASA, Li 2020), in trigrams of letters and in words.

    The published figures have a neural sentence encoder; counts of trigrams need no download.
    """
    from sklearn.feature_extraction.text import HashingVectorizer  # crowd-kit brings it

    trigrams = HashingVectorizer(analyzer="char_wb", ngram_range=(3, 3), n_features=TRIGRAM_BINS)
    hrrasa = _crowd_kit().TextHRRASA(
        encoder=lambda text: trigrams.transform([text]).toarray()[0],
        output_similarity=agreement,
        n_iter=20,
    )
    return hrrasa.fit_predict(_pandas(answers, "text"), None).to_dict()


METHODS: dict[str, Callable[[pl.DataFrame], Texts]] = {
    "rover": _rover,
    "weighted_rover": _weighted_rover,
    "majority": _majority,
    "hrrasa": _hrrasa,
}


def _crowd_kit() -> Any:
    try:
        from crowdkit import aggregation
    except ImportError as error:
        raise ImportError(
            "crowd-kit, which aggregates the answers of a crowd, is not installed: "
            "pip install 'kaskad[crowd]', or choose data.method=weighted_rover"
        ) from error
    return aggregation


def _pandas(answers: pl.DataFrame, text: str) -> Any:
    """The table as crowd-kit takes it. Column by column: polars' own way would need pyarrow.

    An answer without a name is of a worker of its own: crowd-kit leaves out those of nobody.
    """
    import pandas

    worker = pl.coalesce("worker", pl.format("nobody {}", pl.int_range(pl.len())))
    table = answers.select(worker=worker, task="audio", **{text: "text"})
    return pandas.DataFrame(table.to_dict(as_series=False))
