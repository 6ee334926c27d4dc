"""Which recordings are proposed as copies, by their keys and the contexts of these."""

import polars as pl
import pytest

from kaskad.audio.fingerprints import FINGERPRINT
from kaskad.data import near_duplicates
from kaskad.data.near_duplicates import UNLIKE, candidates

KEY, DOUBTS, CONTEXT = 0b1011, 0b0110, 2**40 + 1


def recordings(*prints: tuple[int | None, list[int], list[int]]) -> pl.DataFrame:
    """A row for each (recording, keys, contexts)."""
    rows = [
        (f"{row}.wav", recording, keys, [DOUBTS] * len(keys), contexts)
        for row, (recording, keys, contexts) in enumerate(prints)
    ]
    return pl.DataFrame(rows, schema={"path": pl.String, **FINGERPRINT}, orient="row")


def proposed(train: pl.DataFrame, held: pl.DataFrame) -> list[tuple[int, int]]:
    return candidates(train, held).select("recording", "near_duplicate").rows()


def test_bits_in_doubt_may_differ_and_no_others() -> None:
    held = recordings((1, [KEY], [CONTEXT]))
    kept = [KEY, KEY ^ 0b0010, KEY ^ 0b0100, KEY ^ 0b0110]
    keys = [*kept, KEY ^ 0b0001, KEY ^ 0b1010]
    train = recordings(*((10 + row, [key], [CONTEXT]) for row, key in enumerate(keys)))
    assert proposed(train, held) == [(10 + row, 1) for row in range(len(kept))]


def test_a_key_in_another_context_is_chance() -> None:
    held = recordings((1, [KEY], [CONTEXT]))
    train = recordings(
        (10, [KEY], [CONTEXT ^ (2**UNLIKE - 1)]), (11, [KEY], [CONTEXT ^ (2 ** (UNLIKE + 1) - 1)])
    )
    assert proposed(train, held) == [(10, 1)]


def test_the_same_and_the_unread_are_no_copies() -> None:
    held = recordings((1, [KEY], [CONTEXT]), (None, [], []))
    train = recordings((1, [KEY], [CONTEXT]), (None, [], []), (12, [], []))
    assert proposed(train, held) == []
    assert proposed(train[2:], held) == proposed(train, held[:0]) == []


def test_portions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    held = recordings(*((row, [KEY + row, 5_000], [row, CONTEXT]) for row in range(4)))
    train = recordings(*((10 + row, [5_000, KEY + row], [CONTEXT, row]) for row in range(4)))
    whole = proposed(train, held)
    assert len(whole) == 16
    monkeypatch.setattr(near_duplicates, "PORTION", 1)
    assert proposed(train, held) == whole


def test_what_everybody_says_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MOST_RECORDINGS", 3)
    held = recordings((1, [KEY, 5_000], [CONTEXT, CONTEXT]))
    train = recordings(
        *((10 + row, [KEY], [CONTEXT]) for row in range(4)), (20, [5_000], [CONTEXT])
    )
    assert proposed(train, held) == [(20, 1)]
