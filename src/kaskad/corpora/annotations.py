"""Recordings whose turns are marked in Praat (TextGrid) or ELAN (.eaf), each an utterance.

https://www.fon.hum.uva.nl/praat/manual/TextGrid_file_formats.html
ELAN: see ``elan``.
"""

import codecs
import io
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl

from kaskad.audio.folders import files_in, is_audio, no_audio
from kaskad.corpora.elan import Turn, read_elan
from kaskad.corpora.manifest import refuse_repeated_ids, with_segments
from kaskad.corpora.splits import PARTS, name_parts, select_split
from kaskad.corpora.text_files import ManifestError, read_text, require_file

log = logging.getLogger(__name__)

WORDS = ("id", "path", "text", "speaker", "language", "split", "problem")
SCHEMA = {**dict.fromkeys(WORDS, pl.String), "start": pl.Float64, "end": pl.Float64}
PRAAT, ELAN = ".textgrid", ".eaf"
# A number with an exponent, or below 0, alone on its line or after the name of a field.
ODD_NUMBER = re.compile(
    r"(?m)^([ \t]*(?:\w+ = )?)(-[\d.]+(?:[eE][-+]?\d+)?|[\d.]+[eE][-+]?\d+)(?=[ \t]*$)"
)


def read_annotations(
    root: str | Path,
    split: str,
    *,
    language: str = "ru",
    tiers: Sequence[str] | None = None,
) -> pl.DataFrame:
    """Return one split of the turns marked beside the recordings in ``root`` and below.

    ``call.TextGrid`` and ``call.eaf`` mark ``call.wav``. Each interval with a text is an utterance,
    and the name of its tier (in ELAN the participant, where there is one) its speaker. Splits are
    folders, as in ``read_sidecar``. An annotation without a recording has a row that says so.

    Args:
        root: the folder.
        split: of which rows are wanted.
        language: that is spoken, as in ISO 639-1.
        tiers: the tiers that are transcripts, where others hold words, phones or remarks
            (None: all).

    Raises ``FileNotFoundError`` where no annotations are, and ``ManifestError``, with the file, for
    one that cannot be read or has none of the ``tiers``.
    """
    folder = Path(root).resolve()
    files = files_in(folder)
    marked = [path for path in files if path.suffix.lower() in (PRAAT, ELAN)]
    if not marked:
        beside = "beside its recordings" if any(map(is_audio, files)) else f"({no_audio(folder)})"
        raise FileNotFoundError(
            f"no .TextGrid or .eaf in {folder} {beside}; say where they are with data.root=…"
        )
    recordings = {path.with_suffix(""): path for path in files if is_audio(path)}
    rows = []
    for path in marked:
        recording = recordings.get(path.with_suffix(""))
        lost = None if recording else "there is no recording of this name"
        inside = path.relative_to(folder)
        turns = list(_turns(path, tiers))
        if not turns:
            log.warning("%s: no interval in it has a text (points have no length)", path)
        for number, turn in enumerate(turns, start=1):
            key, file = f"{inside.as_posix()}#{number}", str(recording or path)
            text = " ".join(turn.text.split())
            who = (key, file, text, turn.speaker, language, inside.parts[0])
            rows.append((*who, lost or turn.problem, turn.start, turn.end))
    table = name_parts(pl.DataFrame(rows, schema=SCHEMA, orient="row"))
    if table["problem"].is_null().all():
        table = table.drop("problem")
    if not table["split"].is_in(PARTS).any():
        table = table.drop("split")
    refuse_repeated_ids(table, folder)
    return select_split(with_segments(table, folder), split, folder)


def _turns(path: Path, tiers: Sequence[str] | None) -> Iterator[Turn]:
    """The intervals of a file that have a text."""
    require_file(path)
    try:
        by_tier = (_of_praat if path.suffix.lower() == PRAAT else read_elan)(path)
    except (ImportError, ManifestError):
        raise
    except Exception as error:  # the library has none of its own
        raise ManifestError(
            f"{path}: it breaks off, or is no annotation of Praat or ELAN "
            f"({type(error).__name__}: {error}); open it there, and save it again"
        ) from error
    if tiers is not None and not set(tiers) & by_tier.keys():
        raise ManifestError(
            f"{path}: has none of the tiers {', '.join(tiers)}, only {', '.join(by_tier)}; name "
            "those that are transcripts with data.source.tiers=[…]"
        )
    for name, turns in by_tier.items():
        if tiers is None or name in tiers:
            yield from (turn for turn in turns if turn.text.strip())


def _of_praat(path: Path) -> dict[str, list[Turn]]:
    from pympi import TextGrid  # here, for most corpora need it not

    head = path.read_bytes()[:3]
    encoding = "utf-16" if head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    if encoding == "utf-8-sig" and head != b"ooB":  # ooBinaryFile
        read_text(path)  # says what else it is in
    grid = TextGrid(xmax=0)
    if head == b"ooB":
        content = path.read_bytes()
    else:  # the library takes the digits at the end of a number for all of it
        content = ODD_NUMBER.sub(_plainly, path.read_text(encoding)).encode()
    grid.from_file(io.BytesIO(content), "utf-8")
    by_tier: dict[str, list[Turn]] = {}
    for tier in grid.get_tiers():
        turns = by_tier.setdefault(tier.name, [])  # two tiers may have one name
        if tier.tier_type == "IntervalTier":
            marked = tier.get_intervals(sort=True)
            turns += [
                Turn(tier.name, float(start), float(end), text) for start, end, text in marked
            ]
    return by_tier


def _plainly(number: re.Match[str]) -> str:
    """A time as the library can read it; before the recording there is none."""
    return f"{number[1]}{max(0.0, float(number[2])):.6f}"
