"""The model estimated here is lmplz's, n-gram by n-gram, and a sound one by definition."""

import math
from collections import Counter, defaultdict
from pathlib import Path

import kenlm
import numpy as np
import polars as pl
import pytest

from kaskad.ngrams.counts import BEGIN, count, number_words
from kaskad.ngrams.estimation import estimate
from kaskad.ngrams.lmplz import estimate_with_lmplz, find_lmplz
from kaskad.ngrams.perplexity import perplexity
from kaskad.ngrams.smoothing import FALLBACK, discounts_of
from kaskad.text.numerals import number_to_words

NGrams = dict[str, tuple[float, float]]

needs_lmplz = pytest.mark.skipif(
    find_lmplz() is None,
    reason="no lmplz on the PATH or at $LMPLZ: build KenLM's to compare with it",
)


def numerals(number: int) -> pl.Series:
    drawn = np.random.default_rng(0).integers(1_000_000, size=number)
    return pl.Series([number_to_words(int(n), "ru") for n in drawn])


@pytest.fixture(scope="module")
def news(real_data: Path) -> pl.Series:
    lines = (real_data / "crowdspeech" / "vox-diy-ru-gt.txt").read_text("utf-8").splitlines()
    return pl.Series([" ".join(line.split("\t")[1].split()) for line in lines])


def read_arpa(path: Path) -> NGrams:
    """Every n-gram, with the decimal logarithms of its probability and of its weight."""
    rows = [line.split("\t") for line in path.read_text("utf-8").splitlines() if "\t" in line]
    return {row[1]: (float(row[0]), float(row[2]) if row[2:] else 0.0) for row in rows}


def load(path: Path) -> kenlm.Model:
    config = kenlm.Config()
    config.show_progress = False
    return kenlm.Model(str(path), config)


@needs_lmplz
@pytest.mark.parametrize("text", ["numerals", "news"])
@pytest.mark.parametrize(
    ("order", "prune", "cut"),
    [(1, [0], 0), (2, [0], 0), (3, [0, 0, 1], 0), (3, [1, 1, 2], 0), (4, [0], 30), (6, [0], 0)],
)
def test_lmplz_estimates_the_same(
    text: str, order: int, prune: list[int], cut: int, request, tmp_path: Path
) -> None:
    sentences = numerals(3000) if text == "numerals" else request.getfixturevalue("news")
    words = sentences.str.split(" ").explode().value_counts(sort=True).to_series()
    settings = {"order": order, "prune": prune, "vocabulary": words[:cut] if cut else None}
    ours = estimate(sentences, tmp_path / "ours.arpa", **settings)
    theirs = estimate_with_lmplz(sentences, tmp_path / "theirs.arpa", **settings)
    assert ours.n_grams == theirs.n_grams
    assert ours.fallback == theirs.fallback
    np.testing.assert_allclose(ours.discounts, theirs.discounts, rtol=1e-4)
    ours, theirs = read_arpa(tmp_path / "ours.arpa"), read_arpa(tmp_path / "theirs.arpa")
    assert ours.keys() == theirs.keys()
    pairs = np.array([(ours[n_gram], figures) for n_gram, figures in theirs.items()])
    np.testing.assert_allclose(pairs[:, 0], pairs[:, 1], atol=2e-6, rtol=0)


def by_definition(
    text: list[str], order: int, discounts: list[tuple[float, float, float]]
) -> dict[tuple[str, ...], float]:
    """The probability of the last word of each n-gram, by Chen and Goodman's formulas."""
    seen: Counter[tuple[str, ...]] = Counter()
    before = defaultdict(set)
    for sentence in text:
        words = ["<s>", *sentence.split(), "</s>"]
        for end in range(2, len(words) + 1):
            for start in range(max(0, end - order), end):
                gram = tuple(words[start:end])
                seen[gram] += 1
                before[gram].add(words[start - 1] if start else None)
    counts = {
        gram: times if len(gram) == order or gram[0] == "<s>" else len(before[gram])
        for gram, times in seen.items()
    }
    followers = defaultdict(list)
    for gram, number in counts.items():
        followers[gram[:-1]].append(number)
    words = {gram[0] for gram in counts if len(gram) == 1} | {"<unk>"}

    def discount(gram: tuple[str, ...], number: int) -> float:
        return discounts[len(gram) - 1][min(number, 3) - 1]

    def probability(gram: tuple[str, ...]) -> float:
        if not gram:
            return 1 / len(words)
        total = sum(followers[gram[:-1]])
        left = sum(discount(gram, number) for number in followers[gram[:-1]])
        own = counts[gram] - discount(gram, counts[gram]) if gram in counts else 0.0
        return own / total + left / total * probability(gram[1:])

    return {gram: probability(gram) for gram in [*counts, ("<unk>",)]}


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_probabilities_are_those_of_the_definition(order: int, tmp_path: Path) -> None:
    sentences = numerals(300).extend(pl.Series(["п'ять", "ещё один", "ещё"]))
    statistics = estimate(sentences, tmp_path / "model.arpa", order=order)
    expected = by_definition(sentences.to_list(), order, statistics.discounts)
    found = read_arpa(tmp_path / "model.arpa")
    assert found.pop("<s>")[0] == 0.0
    assert found.keys() == {" ".join(gram) for gram in expected}
    for gram, probability in expected.items():
        assert found[" ".join(gram)][0] == pytest.approx(math.log10(probability), abs=1e-6)


@pytest.mark.parametrize(
    "settings",
    [{"order": 3}, {"order": 4, "prune": [0, 1, 2]}, {"order": 3, "vocabulary": ["сто", "два"]}],
)
def test_whatever_came_before_probabilities_sum_to_one(settings, tmp_path: Path) -> None:
    arpa = tmp_path / "model.arpa"
    estimate(numerals(500), arpa, **settings)
    model = load(arpa)
    words = [gram for gram in read_arpa(arpa) if " " not in gram and gram != "<s>"]
    for context in ("", "сто", "сто двадцать", "двести тысяч", "тысяч тысяч", "миллион сто два"):
        state, after = kenlm.State(), kenlm.State()
        model.BeginSentenceWrite(state)
        for word in context.split():
            model.BaseScore(state, word, after)
            state, after = after, state
        total = sum(10 ** model.BaseScore(state, word, kenlm.State()) for word in words)
        assert total == pytest.approx(1.0, abs=1e-5), context


def test_perplexity_is_what_the_arpa_says(tmp_path: Path) -> None:
    arpa = tmp_path / "model.arpa"
    estimate(numerals(500), arpa, order=3)
    grams = read_arpa(arpa)
    unseen = [*numerals(530)[500:], "сто рублей", "рублей"]

    def score(gram: tuple[str, ...]) -> float:
        if found := grams.get(" ".join(gram)):
            return found[0]
        return grams.get(" ".join(gram[:-1]), (0.0, 0.0))[1] + score(gram[1:])

    logs = []
    for sentence in unseen:
        known = [word if word in grams else "<unk>" for word in sentence.split()]
        words = ["<s>", *known, "</s>"]
        logs += [score(tuple(words[max(0, i - 2) : i + 1])) for i in range(1, len(words))]
    measured = perplexity(arpa, unseen)
    assert measured.value == pytest.approx(10 ** (-sum(logs) / len(logs)), rel=1e-5)
    assert (measured.unknown, measured.words) == (2, len(logs) - len(unseen))
    known = perplexity(arpa, unseen[:-2])
    assert known.value == known.value_without_unknown
    assert measured.value > measured.value_without_unknown


def test_discounts_are_those_of_the_formula_or_none() -> None:
    # y = 10 / (10 + 2 · 4); 1 - 2 y · 4/10, 2 - 3 y · 2/4, 3 - 4 y · 1/2
    assert discounts_of(np.array([0, 10, 4, 2, 1, 9])) == pytest.approx((5 / 9, 7 / 6, 17 / 9))
    assert discounts_of(np.array([0, 10, 0, 2, 1, 9])) is None
    assert discounts_of(np.array([0, 1, 1, 9, 9, 9])) is None  # that of 2 would be -7


def test_the_same_sentence_over_and_over_falls_back(tmp_path: Path) -> None:
    statistics = estimate(pl.Series(["раз два"] * 9), tmp_path / "model.arpa", order=2)
    assert statistics.fallback == [1, 2]
    assert statistics.discounts == [FALLBACK, FALLBACK]


def test_more_pairs_of_words_than_a_small_integer_holds() -> None:
    numbers = np.random.default_rng(0).permutation(60_000).astype(str)
    words, text = number_words(pl.Series([" ".join(numbers)]))
    assert len(words) ** 2 > 2**31
    unigrams, bigrams = count(text, len(words), 2)
    assert len(bigrams) == 60_001
    np.testing.assert_array_equal(np.sort(bigrams.context), np.sort(text[:-1]))
    assert unigrams.adjusted[BEGIN] == 0
    assert (np.delete(unigrams.adjusted, [0, BEGIN]) == 1).all()
