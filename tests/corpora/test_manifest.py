"""Tables of any kind become manifests, and what cannot is refused by file and row."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from kaskad.corpora.manifest import ManifestError, read_manifest, write_manifest, write_table

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


def test_numbers_are_read_out_and_the_unreadable_ones_left_without_text(tmp_path: Path) -> None:
    path = tmp_path / "train.csv"
    path.write_text("path,gender,number\n1.wav,male,139473\n2.wav,female,?\n3.wav,male,2001\n")
    texts = ["сто тридцать девять тысяч четыреста семьдесят три", None, "две тысячи один"]
    assert read_manifest(path, language="ru")["text"].to_list() == texts
    with pytest.raises(ManifestError, match=r"train\.csv: has numbers but no text.*language=ru"):
        read_manifest(path)
    with pytest.raises(ManifestError, match=r"train\.csv: its numbers cannot be read out.*tlh"):
        read_manifest(path, language="tlh")


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


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "file,text\n1.wav,yes\n",
            "no column 'path', only file, text; .* rename or add the column",
        ),
        ("path,words\n1.wav,yes\n", r"no column 'text', only path, words; .* \(or 'number'\)"),
        (
            "path,text\n1.wav,yes\n,no\n",
            r"in 1 of 2 rows the path is missing \(row 2: no\); add it",
        ),
        (
            "path,text,id\n1.wav,yes,a\n2.wav,no,b\n3.wav,yes,a\n",
            r"2 of 3 rows the id is not unique \(row 1: a, row 3: a\); every utterance needs its",
        ),
        (
            "path,text\n1.wav,yes\n1.wav,yes\n",
            r"the id is not unique \(row 1: 1.wav, row 2: 1.wav\)",
        ),
        (
            "path,text\n1.wav,yes\n../1.wav,no\n",
            r"path lies outside {folder} \(row 2: ../1.wav\); move the audio there, or set audio_r",
        ),
        (
            "path,text\na/../../1.wav,no\n",
            r"in 1 of 1 rows the path lies outside .*row 1: a/\.\./\.\./1.wav",
        ),
        (
            "path,text\n/etc/passwd,no\n",
            r"in 1 of 1 rows the path lies outside .*row 1: /etc/passwd",
        ),
        (
            "path,text\n{folder}-2/1.wav,no\n",
            r"in 1 of 1 rows the path lies outside .*row 1: {folder}-2/1.wav",
        ),
        (
            "path,text\n" + "".join(f"../{n}.wav,no\n" for n in range(9)),
            r"in 9 of 9 rows the path lies outside .*row 5: ../4.wav, …\)",
        ),
        ("path,text\n1.wav,yes,no\n", "not a readable .csv table: "),
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
        ("m.csv", "path,text\n1.wav,да\n".encode("cp1251"), "not a readable .csv table"),
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
