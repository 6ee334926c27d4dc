"""Files of text as others write them are read, or refused by the line where they go wrong."""

from pathlib import Path

import polars as pl
import pytest

from kaskad.corpora.manifest import read_manifest
from kaskad.corpora.table_files import read_table_file, write_table
from kaskad.corpora.text_files import ManifestError

FORMATS = pytest.mark.parametrize(("suffix", "mark"), [(".csv", ","), (".tsv", "\t")])


@FORMATS
@pytest.mark.parametrize(
    "rows",
    [
        ["1.wav,да,s", '2.wav,"нет,s', "3.wav,сто,s", '4.wav,два",s', "5.wav,пять,s"],
        ["1.wav,да,s", '2.wav,"нет,s', '3.WAV,два",s', "4.wav,пять,s"],
        ["1.npy#a,да,s", '"2.npy#a,нет,s', '3.npy#a,"', "4.npy#a,пять,s"],
    ],
)
def test_rows_that_an_open_quotation_mark_swallows_are_refused_by_its_line(
    tmp_path: Path, suffix: str, mark: str, rows: list[str]
) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_text("\n".join(["path,text,speaker", *rows]).replace(",", mark))
    with pytest.raises(ManifestError, match=f"{path}: line 3: a quotation mark opens .* close it"):
        read_manifest(path)


def test_rows_of_a_tsv_are_known_by_their_tabs_too(tmp_path: Path) -> None:
    path = tmp_path / "m.tsv"
    path.write_text('id\ttext\n1\tда\n2\t"нет\n3\tдва"\n')
    with pytest.raises(ManifestError, match=r"line 3: .* opens 'text' .* up to line 4; close it"):
        read_table_file(path)


def test_a_quotation_mark_that_nothing_closes_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text('path,text\n1.wav,да\n2.wav,"нет\n3.wav,"два\n')
    with pytest.raises(
        ManifestError, match=r'm\.csv: .* line 3: "нет begins with a quotation mark'
    ):
        read_table_file(tmp_path / "m.csv")


@FORMATS
def test_a_text_of_several_lines_is_read(tmp_path: Path, suffix: str, mark: str) -> None:
    texts = [f'да,\nнет{mark} "ну",\r\nвот.', "раз, два, три\nи, четыре, пять\n"]
    table = pl.DataFrame({"path": ["1.wav", "2.wav"], "text": texts, "speaker": "s"})
    write_table(table, tmp_path / f"m{suffix}")
    assert read_manifest(tmp_path / f"m{suffix}")["text"].to_list() == texts


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl"])
def test_a_byte_order_mark_is_no_part_of_a_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"m{suffix}"
    write_table(pl.DataFrame({"path": ["1.wav"], "text": ["да"]}), path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read_manifest(path).select("id", "text").rows() == [("1.wav", "да")]


@pytest.mark.parametrize("name", ["m.csv", "m.tsv", "m.jsonl", "m.parquet"])
@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ("version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a pointer of Git LFS"),
        ("<!DOCTYPE html>\n<html>Log in</html>\n", "a page of the web"),
    ],
)
def test_what_was_fetched_instead_of_a_table_is_named(
    tmp_path: Path, name: str, content: str, kind: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ManifestError, match=rf"{name}: is {kind} \("):
        read_manifest(tmp_path / name)
