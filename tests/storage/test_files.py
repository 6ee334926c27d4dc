"""Files are whole or not there, and read by their very name."""

import os
import resource
import signal
import time
from pathlib import Path

import polars as pl
import pytest

from kaskad.config.messages import explain
from kaskad.runs.checkpoints import AtomicCheckpointIO
from kaskad.storage.files import write_text, written_whole
from kaskad.storage.tables import read_parquet, write_csv, write_parquet

TABLE = pl.DataFrame({"id": ["=1+1", "-5", "@a", "a=b", "+7 9"], "wer": [-0.5, 1.0, 0.0, 2.0, 3.0]})


def test_a_folder_with_signs_of_a_pattern_is_a_folder(tmp_path: Path) -> None:
    for name in ("br[1]", "st*r", "q?"):
        write_parquet(TABLE, tmp_path / name / "table.parquet")
    (tmp_path / "star").mkdir()
    assert read_parquet(tmp_path / "br[1]" / "table.parquet").equals(TABLE)
    with pytest.raises(OSError, match=r"st\*r/other.parquet"):
        read_parquet(tmp_path / "st*r" / "other.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + bytes(40) + b"PAR1", b"no table"])
def test_a_torn_table_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "torn.parquet").write_bytes(content)
    with pytest.raises(ValueError, match=r"torn.parquet: torn, or no table in Parquet"):
        read_parquet(tmp_path / "torn.parquet")


def test_a_table_of_which_a_byte_has_changed_is_named(tmp_path: Path) -> None:
    path = tmp_path / "changed.parquet"
    write_parquet(pl.DataFrame({"a": [1, 2], "b": ["x", None]}), path)
    whole = path.read_bytes()
    assert read_parquet(path)["a"].to_list() == [1, 2]
    for place in range(4, len(whole) // 2, 5):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        with pytest.raises(ValueError, match=r"changed.parquet: torn.* its SHA-256 is another"):
            read_parquet(path)


def test_no_damage_in_a_table_of_others_ends_the_process(tmp_path: Path) -> None:
    path = tmp_path / "theirs.parquet"
    rows = pl.DataFrame({"path": ["a.wav", "b.wav"], "text": ["раз", "два"]})
    rows.write_parquet(path, compression="uncompressed", statistics=False)
    whole = path.read_bytes()
    assert read_parquet(path).equals(rows)
    refused = 0
    for place in range(len(whole) // 4):  # polars ends it of what stands in the heads of pages
        path.write_bytes(whole[:place] + b"\x7f" + whole[place + 1 :])
        try:
            read_parquet(path)
        except ValueError as error:
            assert str(error).startswith(f"{path}: torn, or no table in Parquet: ")
            refused += 1
    assert refused > 20


def test_no_cell_is_a_formula_and_numbers_stay(tmp_path: Path) -> None:
    write_csv(TABLE, tmp_path / "table.csv")
    found = pl.read_csv(tmp_path / "table.csv", infer_schema=False)
    assert found["id"].to_list() == ["'=1+1", "-5", "'@a", "a=b", "'+7 9"]
    assert found["wer"].to_list() == ["-0.5", "1.0", "0.0", "2.0", "3.0"]


def test_what_fails_leaves_the_file_as_it_was_and_nothing_beside_it(tmp_path: Path) -> None:
    write_text("whole", tmp_path / "report.json")
    with pytest.raises(ZeroDivisionError), written_whole(tmp_path / "report.json") as file:
        file.write(b"half")
        1 / 0  # noqa: B018
    assert (tmp_path / "report.json").read_text() == "whole"
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_leftovers_of_those_who_were_killed_are_removed(tmp_path: Path) -> None:
    old, young = (tmp_path / f".report.json.{n}.unfinished" for n in (1, 2))
    for path in (old, young):
        path.touch()
    os.utime(old, (time.time() - 10_000,) * 2)
    write_text("whole", tmp_path / "report.json")
    assert not old.exists() and young.exists()


@pytest.fixture
def full_disk():
    """A disk on which a file has 1,000 bytes at most."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    signal.signal(signal.SIGXFSZ, handler)


def test_a_full_disk_is_told_with_the_path(full_disk, tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"report.json: cannot be written: .*make room"):
        write_text("a" * 10_000, tmp_path / "report.json")
    with pytest.raises(OSError, match=r"last.ckpt: cannot be written"):
        AtomicCheckpointIO().save_checkpoint({"a": "a" * 10_000}, tmp_path / "last.ckpt")
    assert not list(tmp_path.iterdir())


def test_a_process_that_was_killed_is_explained() -> None:
    error = RuntimeError("DataLoader worker (pid 17) is killed by signal: Killed.")
    assert "datamodule.workers=0" in explain(error)
