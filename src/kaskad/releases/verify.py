"""Checks that a release is as it was made: its files, and its hypotheses for test utterances."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kaskad.models.language_model import LanguageModel
from kaskad.models.recogniser import Recogniser
from kaskad.releases import utterances
from kaskad.releases.archive import unpack
from kaskad.releases.exports import FOLDER as EXPORTS
from kaskad.releases.exports import verify_exports
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.released import ARCHIVE, SUMS, WEIGHTS, ReleaseError, is_release, require_whole
from kaskad.runs.trusted_parts import load_model


@dataclass(frozen=True)
class Verified:
    """What was looked at: how many ``files``, the hypotheses for the test utterances, and which
    ``exports`` decode it as well."""

    files: int
    texts: list[str]
    exports: list[str]


def verify(path: str | Path, *, trusted: Sequence[str] = ()) -> Verified:
    """Verify a release, a folder or its archive; nothing in it is executed.

    Its files must be those that were made, it must load, and recognise its test utterances as
    when it was made. ``trusted`` names packages, besides kaskad, whose classes it may use.
    Raises ``ReleaseError`` with the first thing that is not so.
    """
    with _folder_of(Path(path)) as folder:
        listed = require_whole(folder)
        try:
            model, _ = load_model(folder / WEIGHTS, trusted=trusted)
        except CheckpointError as error:
            raise ReleaseError(str(error)) from None
        place = folder / utterances.FOLDER
        expected = utterances.read_expected(place)
        exports: list[str] = []
        if isinstance(model, LanguageModel):
            texts = [row["text"] for row in expected]
            decoded = list(zip(texts, model.log_probabilities(texts), strict=True))
        elif isinstance(model, Recogniser):
            signals = _signals(expected, place, model.features.sample_rate)
            decoded = utterances.transcriber(model)(signals)
            exports = verify_exports(model, signals, folder / EXPORTS)
        else:
            raise ReleaseError(f"{folder}: a {type(model).__name__}, which recognises nothing")
        utterances.compare(decoded, expected, str(folder))
        return Verified(len(listed), [text for text, _ in decoded], exports)


def _signals(expected: list[dict], place: Path, sample_rate: int) -> list[np.ndarray]:
    """The test utterances, as a recogniser is given them."""
    if unnamed := [row["text"] for row in expected if "file" not in row]:
        raise ReleaseError(f"{place}: does not say in which file {unnamed[0]!r} is to be found")
    return [utterances.read(place / row["file"], sample_rate) for row in expected]


@contextmanager
def _folder_of(path: Path) -> Iterator[Path]:
    """The folder of a release; that of an archive for as long as it is looked at."""
    if path.is_file() and path.name.endswith(ARCHIVE):
        with tempfile.TemporaryDirectory() as folder:
            yield unpack(path, Path(folder))
        return
    if not path.exists():
        raise ReleaseError(f"{path}: there is no such release")
    if not is_release(path):
        raise ReleaseError(
            f"{path}: no release: it is no folder with a {SUMS}, and no archive {ARCHIVE}; "
            "kaskad release run=… name=… makes one"
        )
    yield path
