"""Free Spoken Digit Dataset: 3,000 English digits by six men, 8 kHz, CC BY-SA 4.0."""

from pathlib import Path

import polars as pl

from kaskad.corpora.splits import Speakers, select_split
from kaskad.text.numerals import number_to_words

SOURCE = "https://github.com/Jakobovski/free-spoken-digit-dataset"
LAYOUT = (
    "<root>/recordings/<digit>_<speaker>_<number>.wav, or the same names as .flac in <root>/audio"
)
# The README's own split: recordings 0-4 of each digit and speaker are the test.
TEST_RECORDINGS = range(0, 5)
VALIDATION_RECORDINGS = range(5, 10)


def read_fsdd(
    root: str | Path,
    split: str,
    *,
    leave_out: str | None = None,
    validate_on: Speakers = None,
) -> pl.DataFrame:
    """Return one split (train, validation, test) of the corpus, read from its file names.

    The official split has the same speakers on both sides; validation is taken from its training
    part. With ``leave_out=theo`` that speaker is the whole test, and the recordings 0-9 of the
    others are the validation, or all recordings of the speakers ``validate_on``, as
    ``select_split`` has it.

    Raises ``FileNotFoundError`` where the corpus is not, ``ManifestError`` on an unknown speaker.
    """
    files = sorted(
        file
        for folder in ("recordings", "audio")
        for file in (Path(root).resolve() / folder).glob("*_*_*.*")
        if file.suffix in (".wav", ".flac")
    )
    if not files:
        raise FileNotFoundError(
            f"no FSDD recordings in {root}; published at {SOURCE}. Say where it is with "
            f"data.root=… (or KASKAD_DATA); it looks like {LAYOUT}"
        )
    rows = []
    for file in files:
        digit, speaker, recording = file.stem.split("_")
        rows.append((file.stem, str(file), int(digit), speaker, int(recording)))
    schema = ["id", "path", "number", "speaker", "recording"]
    table = pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        text=pl.col("number").replace_strict({n: number_to_words(n, "en") for n in range(10)}),
        split=pl.when(pl.col("recording").is_in(list(TEST_RECORDINGS)))
        .then(pl.lit("test"))
        .when(pl.col("recording").is_in(list(VALIDATION_RECORDINGS)))
        .then(pl.lit("validation"))
        .otherwise(pl.lit("train")),
        gender=pl.lit("male"),
        language=pl.lit("en"),
    )
    return select_split(table.drop("recording"), split, Path(root), leave_out, validate_on)
