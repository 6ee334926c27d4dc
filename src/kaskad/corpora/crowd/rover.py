"""ROVER with weights: several transcripts of one recording vote, word by word, for a common one.

J. G. Fiscus, "A post-processing system to yield reduced word error rates: Recognizer Output Voting
Error Reduction (ROVER)", ASRU 1997. With equal weights the result is that of crowd-kit's ROVER.
"""

from collections.abc import Sequence

Slot = dict[str, float]
"""One place of the common transcript: the word there, ``""`` for nothing, and its votes."""

_BOTH, _ADDED, _OMITTED = range(3)


def weighted_rover(
    transcripts: Sequence[Sequence[str]], weights: Sequence[float] | None = None
) -> list[str]:
    """Return the words that win the vote of ``transcripts``, each with its weight (default: 1).

    Transcripts are aligned one after the other to what is there already, so the best one should
    come first. Among words with equal votes the longest wins.
    """
    slots: list[Slot] = []
    cast = 0.0
    for words, weight in zip(transcripts, weights or [1.0] * len(transcripts), strict=True):
        slots = _join(slots, words, weight, cast) if cast else [{word: weight} for word in words]
        cast += weight
    winners = (max((votes, len(word), word) for word, votes in slot.items()) for slot in slots)
    return [word for _, _, word in winners if word]


def _join(slots: list[Slot], words: Sequence[str], weight: float, cast: float) -> list[Slot]:
    """Add a transcript to the slots, where ``cast`` is the weight of those already there."""
    steps = _alignment(slots, words)
    joined: list[Slot] = []
    place, spoken = len(slots), len(words)
    while place or spoken:
        step = steps[spoken][place]
        slot = {"": cast} if step == _ADDED else slots[place - 1]
        word = "" if step == _OMITTED else words[spoken - 1]
        slot[word] = slot.get(word, 0.0) + weight
        joined.append(slot)
        place -= step != _ADDED
        spoken -= step != _OMITTED
    return joined[::-1]


def _alignment(slots: list[Slot], words: Sequence[str]) -> list[list[int]]:
    """The last step of the cheapest way to align so many words with so many slots.

    A word that a slot has not, a word without a slot and a slot without a word cost 1 each; to
    leave out a slot that somebody has left out before costs nothing.
    """
    omission = [float("" not in slot) for slot in slots]
    above = [float(place) for place in range(len(slots) + 1)]
    steps = [[_OMITTED] * len(above)]
    for spoken, word in enumerate(words, start=1):
        row, row_steps = [float(spoken)], [_ADDED]
        for place, slot in enumerate(slots):
            cost, step = above[place] + (word not in slot), _BOTH
            if row[place] + omission[place] < cost:
                cost, step = row[place] + omission[place], _OMITTED
            if above[place + 1] + 1 < cost:
                cost, step = above[place + 1] + 1, _ADDED
            row.append(cost)
            row_steps.append(step)
        above = row
        steps.append(row_steps)
    return steps
