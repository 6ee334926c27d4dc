"""Annotations of ELAN: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

from kaskad.corpora.text_files import ManifestError

# What a unit of time is, in seconds.
UNITS = {"milliseconds": 1e-3, "PAL-frames": 1 / 25, "NTSC-frames": 1_001 / 30_000}
NO_TIME = "has no time in ELAN: mark its begin and its end there"


@dataclass(frozen=True)
class Turn:
    """Who says what, from which second to which; ``problem`` is why these are not known."""

    speaker: str
    start: float | None
    end: float | None
    text: str
    problem: str | None = None


def read_elan(path: Path) -> dict[str, list[Turn]]:
    """Return the turns of each tier, in the order of their times.

    What is marked on another annotation, such as a translation, has its time; several that divide
    one, such as its words, are one turn. Raises ``ManifestError`` for an odd unit of time, and
    ``ElementTree.ParseError`` where a file breaks off.
    """
    root = ElementTree.parse(path).getroot()
    if root.tag != "ANNOTATION_DOCUMENT":
        raise ManifestError(
            f"{path}: is no annotation of ELAN, but XML of another kind: {root.tag}"
        )
    header = root.find("HEADER")
    unit = "milliseconds" if header is None else header.get("TIME_UNITS", "milliseconds")
    if unit not in UNITS:
        raise ManifestError(f"{path}: its unit of time is '{unit}'; known: {', '.join(UNITS)}")
    origin = _origin(header, path.stem)
    slots: dict[str, float] = {}
    for slot in root.iter("TIME_SLOT"):
        if (time := slot.get("TIME_VALUE")) is not None:
            seconds = round(UNITS[unit] * int(time) + origin, 6)
            slots[slot.get("TIME_SLOT_ID", "")] = seconds
    marked = {
        annotation.get("ANNOTATION_ID", ""): annotation
        for annotation in (*root.iter("ALIGNABLE_ANNOTATION"), *root.iter("REF_ANNOTATION"))
    }
    return {
        tier.get("TIER_ID", ""): sorted(
            _turns(tier, marked, slots), key=lambda turn: (turn.start or 0.0, turn.end or 0.0)
        )
        for tier in root.iter("TIER")
    }


def _origin(header: ElementTree.Element | None, name: str) -> float:
    """At which second of the recording of a name the times begin, where several are set side by
    side."""
    for medium in [] if header is None else header.iter("MEDIA_DESCRIPTOR"):
        if Path(unquote(medium.get("MEDIA_URL", ""))).stem == name:
            return int(medium.get("TIME_ORIGIN", 0)) / 1_000
    return 0.0


def _turns(
    tier: ElementTree.Element, marked: dict[str, ElementTree.Element], slots: dict[str, float]
) -> list[Turn]:
    texts: dict[str, list[str]] = defaultdict(list)
    for annotation in (*tier.iter("ALIGNABLE_ANNOTATION"), *tier.iter("REF_ANNOTATION")):
        text = annotation.findtext("ANNOTATION_VALUE") or ""
        texts[_root_of(annotation, marked)].append(text.strip())
    speaker = tier.get("PARTICIPANT") or tier.get("TIER_ID") or ""
    turns = []
    for key, parts in texts.items():
        text = " ".join(filter(None, parts))
        start, end = (slots.get(marked[key].get(f"TIME_SLOT_REF{n}", "")) for n in (1, 2))
        if start is None or end is None:
            turns.append(Turn(speaker, None, None, text, NO_TIME))
        else:
            turns.append(Turn(speaker, start, end, text))
    return turns


def _root_of(annotation: ElementTree.Element, marked: dict[str, ElementTree.Element]) -> str:
    """Which annotation has the times of one; itself, where none has."""
    own = key = annotation.get("ANNOTATION_ID", "")
    for _ in range(len(marked)):  # not for ever, where they refer to each other
        above = annotation.get("ANNOTATION_REF")
        if above is None:
            return key
        if above not in marked:
            break
        key, annotation = above, marked[above]
    return own
