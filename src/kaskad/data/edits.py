"""The edits that make another text of a hypothesis: one for each word, and each gap beside it.

A text of n words has 2 n + 1 places: the gap before the first word, that word, the gap after it,
and so on. An edit is a number: ``KEEP`` leaves the place as it is; the label of a word puts that
word in the place of another, or into the gap; one more than the last label takes a word away.
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kaskad.metrics.alignment import align

KEEP = 0  # the label of the blank, which stands for no word


class Edits(NamedTuple):
    """The edit of each place, and whether they make all of the other text.

    Of several words that are missing in a gap there is room for the first alone, and a word without
    a label cannot be put.
    """

    places: list[int]
    complete: bool


def edits_between(
    texts: Sequence[str], others: Sequence[str], labels: Sequence[str]
) -> Iterator[Edits]:
    """The fewest edits that make of each text the other one.

    ``labels`` are words, the blank first, as ``WordTokenizer`` has them.
    """
    numbers = {label.strip(): number for number, label in enumerate(labels)}
    for chunks in align(texts, others, "words"):
        places, complete = [KEEP], True
        for chunk in chunks:
            if chunk.kind == "insert":
                places[-1] = numbers.get(chunk.hypothesis[0], KEEP)
                complete &= places[-1] != KEEP and len(chunk.hypothesis) == 1
                continue
            for _, word in chunk.pairs():
                edit = KEEP
                if chunk.kind == "delete":
                    edit = len(labels)
                elif chunk.kind == "substitute":
                    edit = numbers.get(word, KEEP)
                    complete &= edit != KEEP
                places += [edit, KEEP]
        yield Edits(places, complete)


def edited(text: str, places: Sequence[int], labels: Sequence[str]) -> list[tuple[str, int]]:
    """The words of a text after the edits of its places, each with the place that it stands in."""
    words = text.split()
    found = []
    for place, edit in enumerate(places):
        if edit == KEEP and is_word(place):
            found.append((words[place // 2], place))
        elif KEEP < edit < len(labels):
            found.append((labels[edit].strip(), place))
    return found


def is_word(place: int) -> bool:
    """Whether a place is that of a word, and no gap."""
    return place % 2 == 1


def last_letters(text: str) -> tuple[str, list[int]]:
    """The text as it is read, with a blank before and after it, and the letter of each place in it:
    of a word the last one, of a gap the blank."""
    places, end = [0], 0
    for word in text.split():
        end += len(word) + 1
        places += [end - 1, end]
    return f" {' '.join(text.split())} " if text.split() else " ", places
