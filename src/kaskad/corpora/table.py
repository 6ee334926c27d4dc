"""Any corpus that comes as a table: a manifest, or a folder that holds one."""

from hashlib import md5
from pathlib import Path

import polars as pl

from kaskad.corpora.manifest import ManifestError, read_manifest

MANIFEST_NAMES = ("manifest.parquet", "manifest.jsonl", "manifest.tsv", "manifest.csv")
SPLIT_NAMES = {"val": "validation", "dev": "validation", "valid": "validation"}
PARTS = ("train", "validation", "test")


def table(
    root: str | Path,
    split: str,
    *,
    language: str | None = None,
    audio_root: str | Path | None = None,
    leave_out: str | None = None,
) -> pl.DataFrame:
    """Return the rows of one ``split`` (train, validation, test, or all) of a table.

    ``root`` is a manifest, or a folder with a manifest.{parquet,jsonl,tsv,csv}. Splits come from
    its ``split`` column (val, dev and valid mean validation). A table without that column is
    divided 80/10/10 by speaker, or by utterance where there are fewer than three: always the same
    way, with at least one in each part.
    With ``leave_out`` the test split is all of that speaker, and nobody else's split has them.
    """
    path = find_manifest(Path(root))
    everything = read_manifest(
        path, language=language, audio_root=Path(audio_root) if audio_root else None
    )
    return select_split(everything, split, path, leave_out)


def find_manifest(root: Path) -> Path:
    """Return the manifest that ``root`` is or holds; raises ``FileNotFoundError`` if none is."""
    candidates = [root, *(root / name for name in MANIFEST_NAMES)]
    for candidate in candidates:
        if candidate.is_file():
            return candidate.resolve()
    raise FileNotFoundError(
        f"no manifest at {root}: looked for a table there and for {', '.join(MANIFEST_NAMES)} "
        "in that folder. Say where it is with data.root=…; it needs the columns path and text."
    )


def select_split(
    everything: pl.DataFrame, split: str, path: Path, leave_out: str | None = None
) -> pl.DataFrame:
    """Return the rows of ``split``, as ``table`` describes."""
    if split not in (*PARTS, "all"):
        raise ManifestError(f"unknown split '{split}'; known: {', '.join(PARTS)}, all")
    if "split" not in everything.columns:
        everything = _divide(everything)
    everything = everything.with_columns(pl.col("split").replace(SPLIT_NAMES))
    if leave_out is not None:
        everything = _leave_out(everything, leave_out, path)
    return everything if split == "all" else everything.filter(pl.col("split") == split)


def _divide(everything: pl.DataFrame) -> pl.DataFrame:
    by = "id"
    if "speaker" in everything.columns and everything["speaker"].n_unique() >= len(PARTS):
        by = "speaker"
    # The rank of a stable hash: the parts keep their sizes, and the same rows, on any machine.
    order = sorted(everything[by].unique(), key=lambda name: md5(str(name).encode()).digest())
    held_out = max(1, len(order) // 10)
    parts = ["validation"] * held_out + ["test"] * held_out
    part = dict(zip(order, parts + ["train"] * len(order), strict=False))
    return everything.with_columns(split=pl.col(by).replace_strict(part, return_dtype=pl.String))


def _leave_out(everything: pl.DataFrame, speaker: str, path: Path) -> pl.DataFrame:
    speakers: list[str] = []
    if "speaker" in everything.columns:
        speakers = everything["speaker"].drop_nulls().unique().sort().to_list()
    if speaker not in speakers:
        raise ManifestError(
            f"{path}: no speaker '{speaker}' to leave out; speakers: {', '.join(speakers)}"
        )
    others = pl.col("split").replace({"test": "validation"})
    return everything.with_columns(
        split=pl.when(pl.col("speaker") == speaker).then(pl.lit("test")).otherwise(others)
    )
