"""A language model made of files and transcripts: ARPA, word frequencies, and what to report."""

import logging
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import polars as pl

from kaskad.corpora.table_files import write_table
from kaskad.ngrams.estimation import Statistics, estimate
from kaskad.ngrams.lmplz import estimate_with_lmplz, find_lmplz
from kaskad.ngrams.perplexity import perplexity
from kaskad.ngrams.sentences import Units, gather, in_units, read_sentences, training_text
from kaskad.ngrams.smoothing import FALLBACK
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)

Tested = Literal["test", "validation", "held_out"]
SHOWN = 5  # words that a message names
MAX_ORDER = 6  # of KenLM, as its wheel is built


def make_language_model(
    transcripts: pl.DataFrame,
    arpa: Path,
    *,
    order: int,
    prune: Sequence[int] = (0,),
    units: Units = "words",
    tokenizer: Tokenizer | None = None,
    vocabulary: int | str | None = None,
    text: Sequence[str] = (),
    language: str | None = None,
    normalise: bool = True,
    remove: Sequence[Tested] = ("test", "validation", "held_out"),
    held_out: str | None = None,
) -> dict[str, Any]:
    """Estimate a model and write it as ``arpa``, with ``….frequencies.csv``; return a report.

    ``transcripts`` has the columns text, language and role. The model is estimated from the files
    ``text`` and from transcripts that train; what stands word for word in a role of ``remove`` is
    taken out of all of it. It is measured on the file ``held_out``, else on validation.

    ``units`` and ``tokenizer`` are those of ``in_units``; ``language`` is that of the files (else
    of the first transcript), which lose case and punctuation unless ``normalise`` is false. For
    ``prune`` see ``smoothing.keep``. ``vocabulary`` is a number, of the most frequent words, or a
    file of words.

    Raises ``ValueError`` where no such model can be.
    """
    _require_sound(order, prune)
    table = gather(transcripts, text, held_out, language=language, normalised=normalise)
    chosen, removed = training_text(table, remove)
    sentences = in_units(chosen, tokenizer, units)
    _require_long_enough(sentences, order)
    frequencies = _frequencies(sentences)
    words = _vocabulary(vocabulary, frequencies, normalised=normalise)

    lmplz = find_lmplz() if order > 1 else None  # KenLM itself cannot open its unigram models
    log.info("estimating n-grams of %d sentences with %s", len(sentences), lmplz or "Kaskad's own")
    make = estimate_with_lmplz if lmplz else estimate
    with tempfile.TemporaryDirectory(dir=arpa.parent, prefix=f".{arpa.name}-") as beside:
        unfinished = Path(beside, arpa.name)
        statistics = make(sentences, unfinished, order=order, prune=prune, vocabulary=words)
        unfinished.replace(arpa)
    write_table(frequencies, arpa.with_suffix(".frequencies.csv"))
    _report_fallback(statistics)
    unseen = table.filter(role="held_out" if held_out else "validation")
    return {
        "estimator": "lmplz" if lmplz else "kaskad",
        "order": order,
        "units": units if tokenizer is None else f"{units} of {type(tokenizer).__name__}",
        "prune": list(prune),
        "files": list(text),
        "sentences": dict(table["role"].value_counts(sort=True, name="sentences").rows()),
        "removed": removed,
        "text": {
            "sentences": len(sentences),
            "words": int(frequencies["count"].sum()),
            "different_words": frequencies.height,
        },
        "n_grams": statistics.n_grams,
        "discounts": [list(discounts) for discounts in statistics.discounts],
        "orders_with_fallback_discounts": statistics.fallback,
        "held_out": _measure(arpa, in_units(unseen, tokenizer, units)),
    }


def _require_sound(order: int, prune: Sequence[int]) -> None:
    if not 1 <= order <= MAX_ORDER:
        raise ValueError(f"language_model.order={order}: a model can have orders 1 to {MAX_ORDER}")
    if not 1 <= len(prune) <= order or list(prune) != sorted(prune) or prune[0] < 0:
        raise ValueError(
            f"language_model.prune={list(prune)}: wants for each order, from 1 to at most {order}, "
            "the largest count that is left out, none below that of the order before: [0, 0, 1]"
        )


def _require_long_enough(sentences: pl.Series, order: int) -> None:
    longest = int(sentences.str.count_matches(" ").to_numpy().max()) + 1
    if order > longest + 2:
        raise ValueError(
            f"language_model.order={order}: the longest sentence has {longest} words, {longest + 2}"
            f" with <s> and </s>: no {order}-grams are in the text; set it to at most {longest + 2}"
        )


def _frequencies(sentences: pl.Series) -> pl.DataFrame:
    words = sentences.str.split(" ").explode().alias("word")
    return words.value_counts().sort("count", "word", descending=[True, False])


def _vocabulary(
    wanted: int | str | None, frequencies: pl.DataFrame, normalised: bool
) -> list[str] | None:
    """The words that a model may have; ``None`` where it may have all of the text."""
    if wanted is None:
        return None
    if isinstance(wanted, int):
        chosen = frequencies.head(max(0, wanted))
    else:
        listed = read_sentences(wanted, normalised=normalised).str.split(" ").explode().unique()
        chosen = frequencies.filter(pl.col("word").is_in(listed.implode()))
        missing = listed.filter(~listed.is_in(frequencies["word"].implode())).sort()
        if missing.len():
            log.warning(
                "language_model.vocabulary=%s: %d of its %d words are not in the text: %s%s",
                wanted,
                missing.len(),
                listed.len(),
                ", ".join(missing.head(SHOWN)),
                ", …" if missing.len() > SHOWN else "",
            )
    if chosen.is_empty():
        raise ValueError(f"language_model.vocabulary={wanted}: no word of the text is in it")
    log.info(
        "the vocabulary has %d of %d words, and %.1f %% of the text",
        chosen.height,
        frequencies.height,
        100 * int(chosen["count"].sum()) / int(frequencies["count"].sum()),
    )
    return chosen["word"].to_list()


def _report_fallback(statistics: Statistics) -> None:
    if statistics.fallback:
        log.warning(
            "no discounts can be estimated for order %s: too few different counts are in the "
            "text: taking %s, as lmplz --discount_fallback does",
            ", ".join(map(str, statistics.fallback)),
            ", ".join(map(str, FALLBACK)),
        )


def _measure(arpa: Path, sentences: pl.Series) -> Mapping[str, float] | None:
    if sentences.is_empty():
        log.warning("there is no text to measure on: name a file (language_model.held_out=…)")
        return None
    measured = perplexity(arpa, sentences)
    return {
        "sentences": measured.sentences,
        "words": measured.words,
        "perplexity": measured.value,
        "perplexity_without_unknown": measured.value_without_unknown,
        "out_of_vocabulary_rate": measured.unknown_rate,
    }
