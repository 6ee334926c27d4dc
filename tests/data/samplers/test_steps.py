"""Corpora of unequal size keep step, none of their utterances is preferred, and seeds hold."""

from collections import Counter
from functools import partial
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from kaskad.corpora.table import read_table
from kaskad.data.batch import batches_of
from kaskad.data.corpus import Corpus
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.dataset import SpeechDataset
from kaskad.data.samplers.balanced import Balanced
from kaskad.data.samplers.length import LengthBuckets, SortedByLength
from kaskad.data.samplers.steps import Interleave, Mix, StepBatchSampler, interleave
from kaskad.text.characters import CharacterTokenizer

DRAW = np.random.default_rng(0)
DURATIONS = {name: DRAW.uniform(0.5, 2.0, size) for name, size in (("ru", 60), ("uk", 23))}


def plan(
    durations: dict[str, np.ndarray], mix: Mix, *budget: float, order=LengthBuckets
) -> dict[str, StepBatchSampler]:
    manifests = {name: pl.DataFrame({"duration": each}) for name, each in durations.items()}
    return interleave(manifests, mix, order, *budget)


def samplers(
    mode: Interleave, *, order=LengthBuckets, seed: int = 0, **mix
) -> dict[str, StepBatchSampler]:
    return plan(DURATIONS, Mix(mode, **mix), 10.0, 6, order=partial(order, seed=seed))


def epoch(sampler: StepBatchSampler, number: int) -> list[list[tuple[int, int]]]:
    sampler.set_epoch(number)
    return list(sampler)


def rows_of(sampler: StepBatchSampler, epochs: int) -> list[int]:
    """The rows of so many epochs, one after the other."""
    return [row for number in range(epochs) for step in epoch(sampler, number) for _, row in step]


@pytest.mark.parametrize(
    ("mode", "gone_through_once", "steps"), [("longest", "ru", 12), ("shortest", "uk", 5)]
)
def test_an_epoch_ends_with_the_longest_or_the_shortest(mode, gone_through_once, steps) -> None:
    for name, sampler in samplers(mode).items():
        assert len(epoch(sampler, 0)) == len(sampler) == steps
        assert all(epoch(sampler, 0))
        once = sorted(rows_of(sampler, 1)) == [*range(len(DURATIONS[name]))]
        assert once == (name == gone_through_once)


@pytest.mark.parametrize("mode", ["longest", "shortest"])
def test_no_utterance_comes_again_before_every_other_has_come(mode: Interleave) -> None:
    for name, sampler in samplers(mode).items():
        rows, count = rows_of(sampler, 6), len(DURATIONS[name])
        passages = [rows[start : start + count] for start in range(0, len(rows), count)]
        assert len(passages) > 2
        for one, next_one in pairwise(passages):
            assert sorted(one) == [*range(count)]
            assert one[: len(next_one)] != next_one


def test_proportional_batches_go_through_every_corpus_once_an_epoch() -> None:
    found = samplers("proportional")
    assert len({len(sampler) for sampler in found.values()}) == 1
    for name, sampler in found.items():
        for number in (0, 1, 5):
            assert Counter(row for step in epoch(sampler, number) for _, row in step) == Counter(
                range(len(DURATIONS[name]))
            )
    assert all(found["ru"])
    sizes = [len(step) for step in found["uk"]]
    assert max(sizes) == 3 and sizes.count(0) <= 2


def test_a_corpus_with_fewer_utterances_than_steps_is_spread_over_them() -> None:
    durations = {"ru": np.full(40, 0.9), "uk": np.full(4, 0.9)}
    steps = list(plan(durations, Mix("proportional"), 4.0, 4)["uk"])
    assert len(steps) == 10
    assert max(map(len, steps)) == 1
    taken = [number for number, step in enumerate(steps) if step]
    assert len(taken) == 4 and set(np.diff(taken)) == {2, 3}


@pytest.mark.parametrize("mode", ["longest", "shortest", "proportional"])
def test_the_same_seed_and_epoch_give_the_same_order(mode: Interleave) -> None:
    one, two, other = samplers(mode, seed=1), samplers(mode, seed=1), samplers(mode, seed=2)
    for name in DURATIONS:
        rows_of(one[name], 3)
        assert epoch(one[name], 4) == epoch(two[name], 4) != epoch(other[name], 4)


def test_unshuffled_every_epoch_is_the_same() -> None:
    sampler = samplers("longest", order=SortedByLength)["uk"]
    assert epoch(sampler, 0) == epoch(sampler, 3)


@pytest.mark.parametrize("mode", ["longest", "proportional"])
@pytest.mark.parametrize("count", [2, 3])
def test_processes_share_each_step_between_them(mode: Interleave, count: int, monkeypatch) -> None:
    for name, sampler in samplers(mode).items():
        alone = epoch(sampler, 1)
        monkeypatch.setattr("kaskad.runs.distributed.count", lambda: count)
        shares = []
        for rank in range(count):
            monkeypatch.setattr("kaskad.runs.distributed.rank", lambda rank=rank: rank)
            shares.append(epoch(samplers(mode)[name], 1))
        monkeypatch.undo()
        for whole, *parts in zip(alone, *shares, strict=True):
            assert sorted(key for part in parts for key in part) == sorted(whole)
            assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_an_interrupted_epoch_goes_on_where_it_was() -> None:
    for sampler in samplers("longest").values():
        whole, following = epoch(sampler, 2), epoch(sampler, 3)
        sampler.begin_at(2, 4)
        iter(sampler)  # as a loader with workers does
        assert list(sampler) == whole[4:]
        assert epoch(sampler, 3) == following


def balanced(seed: int = 0) -> StepBatchSampler:
    """Of 40 utterances of one speaker and 2 of another, who come ten times each in a passage."""
    manifest = pl.DataFrame({"duration": [1.0] * 42, "speaker": ["a"] * 40 + ["b"] * 2})
    return interleave({"ru": manifest}, Mix(), partial(Balanced, seed=seed), 6.0, 6)["ru"]


def test_an_utterance_that_comes_again_in_a_passage_has_another_key_every_time() -> None:
    keys = [key for step in epoch(balanced(), 3) for key in step]
    assert len(set(keys)) == len(keys) == 42
    for _, rows in groupby(sorted(keys, key=lambda key: key[:2]), key=lambda key: key[:2]):
        passage_and_row, *again = list(rows)
        assert len(passage_and_row) == 2  # as where none comes again: a seed draws what it drew
        assert [key[2] for key in again] == [*range(1, len(again) + 1)]


@pytest.mark.parametrize("count", [2, 3])
def test_repeats_are_counted_alike_by_all_processes_and_after_an_interruption(
    count: int, monkeypatch
) -> None:
    whole = epoch(balanced(), 3)
    resumed = balanced()
    resumed.begin_at(3, 4)
    assert list(resumed) == whole[4:]
    monkeypatch.setattr("kaskad.runs.distributed.count", lambda: count)
    shares = []
    for rank in range(count):
        monkeypatch.setattr("kaskad.runs.distributed.rank", lambda rank=rank: rank)
        shares.append(epoch(balanced(), 3))
    for step, *parts in zip(whole, *shares, strict=True):
        assert sorted(key for part in parts for key in part) == sorted(step)


def test_an_utterance_that_comes_again_is_varied_anew(write_tone) -> None:
    manifest = pl.DataFrame({"id": ["a"], "path": [str(write_tone("a.wav"))], "text": ["один"]})

    def drawn(waveform: np.ndarray, rate: int, generator: np.random.Generator) -> np.ndarray:
        return generator.random(3)

    dataset = SpeechDataset("ru", manifest, 16_000, drawn, seed=5)
    keys = [(2, 0), (2, 0, 1), (2, 0, 2), (3, 0)]
    assert len({dataset[key].waveform.tobytes() for key in keys}) == 4
    once = np.random.default_rng((5, 2, 0)).random(3)  # what seeds of earlier runs have drawn
    np.testing.assert_array_equal(dataset[2, 0].waveform, once)


def test_a_batch_of_no_utterances_is_refused_not_rounded_up() -> None:
    with pytest.raises(ValueError, match="max_utterances=0: a batch holds 1 utterance or more"):
        plan(DURATIONS, Mix(), 10.0, 0)


def test_with_a_temperature_small_corpora_come_the_more_often() -> None:
    def passages(temperature: float) -> dict[str, float]:
        found = samplers("proportional", temperature=temperature)
        return {
            name: len(rows_of(each, 12)) / 12 / len(DURATIONS[name]) for name, each in found.items()
        }

    as_they_are, warmer, alike = (passages(temperature) for temperature in (1.0, 2.0, np.inf))
    assert all(one["ru"] == 1.0 for one in (as_they_are, warmer, alike))
    ratio = DURATIONS["ru"].sum() / DURATIONS["uk"].sum()
    assert as_they_are["uk"] == 1.0
    assert warmer["uk"] == pytest.approx(ratio**0.5, rel=0.15)
    assert alike["uk"] == pytest.approx(ratio, rel=0.15)


def test_corpora_that_take_turns_give_what_they_give_side_by_side() -> None:
    together, in_turn = samplers("longest"), samplers("longest", alternate=True)
    for turn, name in enumerate(("ru", "uk")):
        for number in (0, 3):
            steps = epoch(in_turn[name], number)
            assert steps[turn::2] == epoch(together[name], number)
            assert not any(steps[1 - turn :: 2])
    in_turn["uk"].begin_at(3, 5)
    assert list(in_turn["uk"]) == epoch(in_turn["uk"], 3)[5:]


def test_a_corpus_joins_late_and_the_others_are_left_out_at_the_end() -> None:
    found = samplers("longest", join_after=2, release_after=3)
    taught = {name: [any(epoch(each, n)) for n in range(5)] for name, each in found.items()}
    assert taught["ru"] == [False, False, True, True, True]
    assert taught["uk"] == [True, True, True, False, False]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"interleave": "random"}, "interleave 'random'; known: longest, shortest, proportional"),
        ({"temperature": 2.0}, "changes nothing with interleave=longest"),
        ({"temperature": 0.0, "interleave": "proportional"}, "temperature is 0.0; it is above 0"),
        ({"join_after": -1}, "join_after is -1 epochs"),
        ({"join_after": 5, "release_after": 3}, r"no less than join_after \(5\)"),
        ({"release_after": 0}, "release_after is 0 epochs; it is 1 or more"),
    ],
)
def test_a_mix_that_cannot_be_meant_is_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Mix(**settings)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corpus_that_trains_beside_another_comes_in_the_same_steps(
    make_corpus, write_tone, caplog, workers: int, tmp_path: Path
) -> None:
    caplog.set_level("INFO")
    main = make_corpus(["один", "два", "три", "пять"])
    write_tone("eight.wav", sample_rate=8_000)
    (tmp_path / "beside.csv").write_text("path,text\neight.wav,п'ять\n")
    corpora = {
        "main": Corpus("train", "ru", partial(read_table, main), split="all"),
        "beside": Corpus(
            "train_ext", "uk", partial(read_table, tmp_path / "beside.csv"), split="all"
        ),
    }
    data = SpeechDataModule(corpora, 16_000, max_utterances=2, workers=workers)
    data.load("train", "train_ext")
    assert "beside: 1 files are at 8000 Hz; read at 16000 Hz" in caplog.text
    data.connect(CharacterTokenizer().fit(["одинватрпя'ь"]))
    steps = [batches_of(batches) for batches, _, _ in data.train_dataloader()]
    assert [[batch.corpus for batch in step] for step in steps] == [["main", "beside"]] * 2
    for _, beside in steps:
        assert (beside.language, beside.branch, beside.texts) == ("uk", "uk", ["п'ять"])
        assert torch.equal(beside.waveform_lengths, torch.tensor([16_000]))
