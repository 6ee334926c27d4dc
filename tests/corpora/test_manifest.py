"""Tables of any kind become manifests, and what cannot is refused by file and row."""

import os
import resource
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kaskad.corpora.manifest import read_manifest, write_manifest
from kaskad.corpora.table_files import read_table_file, write_table
from kaskad.corpora.text_files import ManifestError

SPOKEN = pl.DataFrame(
    {
        "id": ["0001", "0002"],
        "path": ["a/1.wav", "2.wav"],
        "text": ['да, "нет"', "007"],
        "speaker": ["01", "1"],
        "duration": [1.5, 2.0],
    }
)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".jsonl"])
def test_a_manifest_is_the_same_in_every_format(tmp_path: Path, suffix: str) -> None:
    write_table(SPOKEN, tmp_path / f"manifest{suffix}")
    manifest = read_manifest(tmp_path / f"manifest{suffix}")
    absolute = [str(tmp_path / path) for path in SPOKEN["path"]]
    assert_frame_equal(manifest, SPOKEN.with_columns(path=pl.Series(absolute)))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("nemo.jsonl", '{"audio_filepath": "clips/1.mp3", "text": "да", "speaker": 7}\n'),
        (
            "common_voice.tsv",
            "client_id\tpath\tsentence\tup_votes\tlocale\n7\tclips/1.mp3\tда\t2\tru\n",
        ),
    ],
)
def test_tables_of_other_tools_are_read_as_they_are(
    tmp_path: Path, name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    row = read_manifest(tmp_path / name, language="ru").row(0, named=True)
    expected = {
        "path": str(tmp_path / "clips/1.mp3"),
        "id": "clips/1.mp3",
        "text": "да",
        "speaker": "7",
        "language": "ru",
    }
    assert {column: row[column] for column in expected} == expected


def test_a_quotation_mark_of_common_voice_is_one_of_the_sentence(tmp_path: Path) -> None:
    sentences = ['"Да', 'он "там"', "нет"]
    lines = [f"7\t{n}.mp3\t{sentence}\n" for n, sentence in enumerate(sentences)]
    (tmp_path / "test.tsv").write_text("client_id\tpath\tsentence\n" + "".join(lines))
    assert read_manifest(tmp_path / "test.tsv")["text"].to_list() == sentences
    write_table(read_table_file(tmp_path / "test.tsv"), tmp_path / "copy.tsv")
    assert read_manifest(tmp_path / "copy.tsv")["text"].to_list() == sentences


def test_cells_are_written_again_as_they_are(tmp_path: Path) -> None:
    content = (
        "path,phone,price,agreed,share,n\na.wav,0049123,1.50,True,0.5,7\nb.wav,1,2.10,,1.0,8\n"
    )
    (tmp_path / "calls.csv").write_text(content)
    write_table(read_table_file(tmp_path / "calls.csv"), tmp_path / "copy.csv")
    assert (tmp_path / "copy.csv").read_text() == content


def test_an_empty_word_is_none(tmp_path: Path) -> None:
    row = '{"path": "1.wav", "text": "", "speaker": "", "id": "", "problem": ""}\n'
    (tmp_path / "m.jsonl").write_text(row)
    read = read_manifest(tmp_path / "m.jsonl").row(0, named=True)
    assert read == {
        "path": str(tmp_path / "1.wav"),
        "text": None,
        "speaker": None,
        "id": "1.wav",
        "problem": None,
    }


def test_numbers_are_read_out_and_the_missing_ones_left_without_text(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("path,gender,number\n1.wav,male,139473\n2.wav,female,\n3.wav,male,2001.0\n")
    texts = ["сто тридцать девять тысяч четыреста семьдесят три", None, "две тысячи один"]
    assert read_manifest(path, language="ru")["text"].to_list() == texts
    with pytest.raises(ManifestError, match=r"train\.csv: has numbers but no text.*language=ru"):
        read_manifest(path)
    with pytest.raises(ManifestError, match=r"train\.csv: its numbers cannot be read out.*tlh"):
        read_manifest(path, language="tlh")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize(
    ("numbers", "wrong"),
    [
        ([5, 3.7, 8], {2: "3.7"}),
        (["5", "12a", "", "?"], {2: "12a", 4: "\\?"}),
        ([5, -1, 10**15], {2: "-1", 3: "1000000000000000"}),
    ],
)
def test_a_number_that_cannot_be_spoken_is_refused_by_its_row(
    tmp_path: Path, numbers: list, wrong: dict[int, str], suffix: str
) -> None:
    paths = [f"{n}.wav" for n in range(len(numbers))]
    table = pl.DataFrame({"path": paths, "number": pl.Series(numbers, strict=False)})
    write_table(table, tmp_path / f"train{suffix}")
    header = 1 if suffix == ".csv" else 0
    named = ", ".join(f"line {header + row}: {number}" for row, number in wrong.items())
    with pytest.raises(ManifestError, match=rf"not a whole one from 0 to 9+ \({named}\); correct"):
        read_manifest(tmp_path / f"train{suffix}", language="ru")


def test_a_corpus_can_be_moved_with_its_manifest(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    paths = [str(old / "a/1.wav"), "/elsewhere/2.wav"]
    write_manifest(SPOKEN.with_columns(path=pl.Series(paths)), old / "manifest.csv")
    old.rename(new)
    assert pl.read_csv(new / "manifest.csv")["path"].to_list() == ["a/1.wav", "/elsewhere/2.wav"]


def test_audio_may_lie_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text(f"path,text\n1.wav,yes\n{tmp_path}/audio/2.wav,no\n")
    manifest = read_manifest(tmp_path / "manifest.csv", audio_root=tmp_path / "audio")
    assert manifest["path"].to_list() == [str(tmp_path / f"audio/{n}.wav") for n in (1, 2)]


def test_paths_may_go_through_a_link_to_their_folder(tmp_path: Path) -> None:
    link, real = tmp_path / "link", tmp_path / "real"
    real.mkdir()
    link.symlink_to(real)
    (real / "m.csv").write_text(f"path,text\n{link}/1.wav,yes\n{real}/2.wav,no\n3.wav,no\n")
    paths = [str(real / f"{n}.wav") for n in (1, 2, 3)]
    assert read_manifest(link / "m.csv")["path"].to_list() == paths
    assert read_manifest(real / "m.csv", audio_root=link)["path"].to_list() == paths
    (tmp_path / "m.csv").symlink_to(real / "m.csv")
    assert read_manifest(tmp_path / "m.csv", audio_root=link)["path"].to_list() == paths
    (real / "m.csv").write_text(f"path,text\n{link}/../1.wav,yes\n")
    with pytest.raises(ManifestError, match="the path lies outside"):
        read_manifest(link / "m.csv", audio_root=link)


@pytest.mark.parametrize("elsewhere", ["/elsewhere/1.wav", "{folder}-2/1.wav", "{folder}/../1.wav"])
def test_an_absolute_path_is_read_where_it_leads_unless_audio_has_a_root(
    tmp_path: Path, elsewhere: str, caplog: pytest.LogCaptureFixture
) -> None:
    written = elsewhere.replace("{folder}", str(tmp_path / "corpus"))
    table = tmp_path / "corpus" / "m.csv"
    table.parent.mkdir()
    table.write_text(f"wav,text\n\n2.wav,yes\n{written},no\n")
    there = os.path.normpath(written)
    assert read_manifest(table)["path"].to_list() == [str(table.parent / "2.wav"), there]
    assert f"1 absolute paths lead out of {table.parent}, and are read" in caplog.text
    told = rf"m.csv: column 'wav': in 1 of 2 rows the path lies outside .*\(line 4: {written}\)"
    with pytest.raises(ManifestError, match=told):
        read_manifest(table, audio_root=table.parent)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "where,text\n1.wav,yes\n",
            "no column 'path', only where, text; .* rename or add the column",
        ),
        ("path,words\n1.wav,yes\n", r"no column 'text', only path, words; .* \(or 'number'\)"),
        (
            "path,text\n1.wav,yes\n,no\n",
            r"in 1 of 2 rows the path is missing \(line 3: no\); add it",
        ),
        (
            "path,text,id\n1.wav,yes,a\n2.wav,no,b\n3.wav,yes,a\n",
            r"2 of 3 rows the id is not unique \(line 2: a, line 4: a\); every utterance needs its",
        ),
        (
            "path,text\n1.wav,yes\n1.wav,yes\n",
            r"the id is not unique \(line 2: 1.wav, line 3: 1.wav\)",
        ),
        (
            "path,text\n1.wav,yes\n../1.wav,no\n",
            r"path lies outside {folder} \(line 3: ../1.wav\); move the audio there, or set",
        ),
        (
            "path,text\na/../../1.wav,no\n",
            r"in 1 of 1 rows the path lies outside .*line 2: a/\.\./\.\./1.wav",
        ),
        (
            "path,text\n" + "".join(f"../{n}.wav,no\n" for n in range(9)),
            r"in 9 of 9 rows the path lies outside .*line 6: ../4.wav, …\)",
        ),
        (
            "path,sentence,transcript\n1.wav,yes,no\n",
            "sentence and transcript each stand for the column 'text'; rename the one that counts",
        ),
        (
            "path,text\n1.wav,yes\n\n2.wav,one, two, three\n",
            "line 4 has 4 cells, the header has 2: put a text with ',' in it in quotation marks",
        ),
        ("path,text,text\n1.wav,yes,no\n", "line 1: the header has the column 'text' 2 times"),
        ("", "not a readable .csv table: "),
    ],
)
def test_a_table_that_cannot_serve_is_refused_by_file_and_row(
    tmp_path: Path, table: str, message: str
) -> None:
    path = tmp_path / "manifest.csv"
    path.write_text(table.replace("{folder}", str(tmp_path)))
    with pytest.raises(ManifestError, match=message.replace("{folder}", str(tmp_path))) as error:
        read_manifest(path)
    assert str(error.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.xlsx", b"", "unknown kind of table '.xlsx'; known: .parquet, .csv, .tsv"),
        ("m.parquet", b"no parquet", "not a readable .parquet table"),
        ("m.jsonl", b'{"path": "1.wav", "te', "not a readable .jsonl table"),
        (
            "m.csv",
            b"path,text\n" + 9_999 * b"1.wav,a\n" + "1.wav,да\n".encode("cp1251"),
            "line 10001 is not UTF-8 .*; convert it to UTF-8: iconv -f cp1251 -t utf-8 'm.csv'",
        ),
        ("m.json", '{"text": "да"}'.encode("cp1251"), "line 1 is not UTF-8"),
        ("m.tsv", None, "there is no such file"),
    ],
)
def test_a_file_that_is_no_table_is_refused(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ManifestError, match=f"{tmp_path / name}: {message}"):
        read_manifest(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "column", "message"),
    [
        ("m.xlsx", ["a"], "unknown kind of table '.xlsx'; known: .parquet, .csv, .tsv, .jsonl"),
        ("file/m.csv", ["a"], "cannot be written: .* choose another folder"),
        ("folder.csv", ["a"], "is a folder; name a table in it"),
        ("m.csv", [["a"]], r"a .csv table cannot hold what is in answers \(lists,.* .parquet"),
        ("m.tsv", [{"a": 1}], "a .tsv table cannot hold what is in answers"),
        ("m.jsonl", [b"a"], "a .jsonl table cannot hold what is in answers"),
    ],
)
def test_a_table_that_cannot_be_written_says_why(
    tmp_path: Path, name: str, column: list, message: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ManifestError, match=f"{tmp_path / name}: {message}"):
        write_table(pl.DataFrame({"path": ["1.wav"], "answers": column}), tmp_path / name)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".tsv", ".jsonl"])
def test_a_table_written_over_another_is_whole_or_not_there(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"manifest{suffix}"
    write_table(SPOKEN, path)
    large = pl.DataFrame({"path": [f"{n}.wav" for n in range(9_999)]})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))  # as a full disk would
    try:
        with pytest.raises(ManifestError, match=r"File too large.* is its disk full"):
            write_table(large, path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert_frame_equal(read_table_file(path), SPOKEN)
    assert list(tmp_path.iterdir()) == [path]


def test_a_manifest_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"the id is not unique \(row 1: 1, row 2: 1\)"):
        write_manifest(SPOKEN.with_columns(id=pl.lit("1")), tmp_path / "manifest.csv")
    assert not list(tmp_path.iterdir())
