"""Who speaks in synthetic corpora: voice variants of espeak-ng, each at its own pitch and rate."""

import functools
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from kaskad import espeak

# Left out: whispers, robots, echoes, and what could not be told apart by matching single numerals
# (DTW) with ten ordinary voices. Variants alike in their vocal tract share a split, so that the
# voices of validation and test are new and not merely renamed. The odd ones only train.
VARIANTS = {
    "train": {
        "female": "f3 f4 linda belinda aunty Annie anika grandma",
        "male": "m1 m3 m4 m5 m6 m7 max john grandpa pedro pablo paul quincy robert iven3 Michael "
        "marcelo Mario Alex antonio Storm adam edward Andy",
    },
    "validation": {"female": "f1 steph steph2", "male": "m8 Gene boris"},
    "test": {"female": "f2 f5 Andrea", "male": "m2 ed michel"},
}
"""The engine's voice variants (the shapes of the vocal tract) that speak in each split."""
VOICES = {"train": 48, "validation": 12, "test": 12}
"""How many voices speak in a split, half of them women."""


@dataclass(frozen=True)
class Voice:
    """A speaker: the same in every corpus, whatever its seed.

    Rate in words a minute; pitch and pitch range in the engine's units (50: the variant's own).
    """

    name: str
    variant: str
    gender: str | None
    rate: float
    pitch: int
    pitch_range: int


@functools.cache
def voices(split: str, variants: tuple[str, ...] = ()) -> tuple[Voice, ...]:
    """The voices of a split, women and men in turn; ``test_known`` has those of ``train``.

    With ``variants`` all of these speak instead, in turn, of whatever gender.
    """
    cast = "train" if split == "test_known" else split
    count = VOICES[cast]
    if variants:
        return tuple(
            _voice(_GENDERS.get(variants[n % len(variants)]), variants, n) for n in range(count)
        )
    return tuple(
        _voice(gender, names.split(), turn)
        for turn in range(count // 2)
        for gender, names in VARIANTS[cast].items()
    )


def require_variants(chosen: Mapping[str, Sequence[str]]) -> None:
    """Raise ``ValueError`` for a voice variant that the engine has not."""
    known = espeak.voice_variants()
    for split, names in chosen.items():
        if unknown := [name for name in names if name not in known]:
            raise ValueError(
                f"voices.{split}: espeak-ng has no voice variant {', '.join(unknown)}; it has "
                f"{', '.join(known)}"
            )


def _voice(gender: str | None, variants: Sequence[str], turn: int) -> Voice:
    variant = variants[turn % len(variants)]
    name = f"{variant}-{turn // len(variants) + 1}"
    draw = random.Random(name)
    rate, pitch, pitch_range = draw.uniform(145, 220), draw.randint(30, 65), draw.randint(30, 70)
    return Voice(name, variant, gender, rate, pitch, pitch_range)


_GENDERS = {
    name: gender
    for cast in VARIANTS.values()
    for gender, names in cast.items()
    for name in names.split()
}
