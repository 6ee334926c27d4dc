"""Options of a decoder are searched within one process."""

import math
from statistics import median

import pytest

from kaskad.config.messages import ConfigurationError
from kaskad.sweeps.decoder_search import read_options, search


def tried(
    space: dict, trials: int | None, measure=lambda options: 0.0, seed: int = 0
) -> list[dict]:
    options = read_options(space)
    return list(search(options, trials, measure, direction="minimize", seed=seed))


@pytest.mark.parametrize("trials", [None, 6, 99])
def test_where_there_are_few_all_are_tried_in_their_order(trials: int | None) -> None:
    every = tried({"alpha": [0.1, 0.2, 0.3], "beta": [1, 2], "beam_width": [10]}, trials)
    assert len(every) == 6
    assert every[0] == {"alpha": 0.1, "beta": 1, "beam_width": 10}
    assert every[-1] == {"alpha": 0.3, "beta": 2, "beam_width": 10}


def test_none_is_tried_twice_and_the_draw_follows_from_the_seed() -> None:
    space = {"alpha": [0.1, 0.2, 0.3], "beta": [1, 2, 3]}
    some = tried(space, 7)
    assert len({tuple(options.values()) for options in some}) == len(some) == 7
    assert some == tried(space, 7)
    assert some != tried(space, 7, seed=1)


def test_the_search_comes_nearer_than_chance_does() -> None:
    """Of 40 trials, the last twenty lie nearer to the best than the first ten, drawn at random."""
    space = {"alpha": "interval(0.0, 2.0)", "penalty": "tag(log, interval(0.1, 10.0))"}

    def measure(options: dict) -> float:
        return (options["alpha"] - 0.7) ** 2 + math.log(options["penalty"] / 2.0) ** 2

    for seed in range(3):
        found = [measure(options) for options in tried(space, 40, measure, seed)]
        assert median(found[20:]) < 0.75 * median(found[:10])


def test_whole_numbers_stay_whole() -> None:
    widths = [options["beam_width"] for options in tried({"beam_width": "int(interval(5, 9))"}, 4)]
    assert all(isinstance(width, int) and 5 <= width <= 9 for width in widths)


@pytest.mark.parametrize("space", [0.5, "0.5", "choice(1, 2)", [], None, "interval(2, 1)"])
def test_what_is_no_space_is_refused_with_what_is(space: object) -> None:
    with pytest.raises(ConfigurationError):
        read_options({"alpha": space})


def test_all_of_an_interval_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="no end of them"):
        tried({"alpha": "interval(0.0, 1.0)"}, None)
