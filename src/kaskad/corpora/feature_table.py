"""A corpus that comes as features: a manifest, and .npy arrays that hold many utterances each."""

from pathlib import Path

import polars as pl

from kaskad.audio.precomputed import RATE
from kaskad.corpora.manifest import read_manifest
from kaskad.corpora.splits import select_split
from kaskad.corpora.table import find_manifest
from kaskad.corpora.text_files import ManifestError

ROWS = ("frame_start", "n_frames")


def read_feature_table(
    root: str | Path,
    split: str,
    *,
    language: str | None = None,
    frames_per_second: int = RATE,
    leave_out: str | None = None,
) -> pl.DataFrame:
    """Return the rows of one ``split``, chosen as ``table`` does, of a manifest of features.

    ``path`` names an array (frames, values), and may name an utterance in it (``all.npy#a-17``);
    ``frame_start`` and ``n_frames`` say which rows are the utterance's. The paths returned have
    these rows in them, and the frames a second: see ``kaskad.audio.precomputed``.

    Raises ``ManifestError`` as ``table`` does, and where a column is missing. Rows that do not say
    which frames are theirs have a ``problem``.
    """
    path = find_manifest(Path(root))
    table = read_manifest(path, language=language)
    if missing := [column for column in ROWS if column not in table.columns]:
        raise ManifestError(
            f"{path}: there is no column '{missing[0]}': {' and '.join(ROWS)} say which frames of "
            "an array are an utterance's; for arrays of one utterance each, choose data=table"
        )
    start, count = (pl.col(column).cast(pl.Int64, strict=False) for column in ROWS)
    named = ((start >= 0) & (count > 0)).fill_null(False)
    file = pl.col("path").str.split("#").list.first()
    rate = pl.lit(frames_per_second)
    table = table.with_columns(
        path=pl.when(named)
        .then(pl.format("{}#{}:{}@{}", file, start, start + count, rate))
        .otherwise(file),
        problem=pl.when(~named).then(pl.lit(f"{' and '.join(ROWS)} do not name frames")),
    )
    return select_split(table, split, path, leave_out)
