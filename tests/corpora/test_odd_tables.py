"""Tables as people send them: each is read as it was meant, or refused with what to do about it."""

import gzip
import json
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from omegaconf import OmegaConf

from kaskad.commands.describe import describe
from kaskad.commands.prepare import prepare
from kaskad.corpora.manifest import read_manifest
from kaskad.corpora.table import read_table
from kaskad.corpora.text_files import ManifestError
from kaskad.data.checks import DataError, check_audio

ROWS = [(f"audio/good{n}.wav", "один два") for n in range(6)]
FIRST = ROWS[0][0]


@dataclass(frozen=True)
class Odd:
    """A table: its file, what is in it, and how many rows are usable or the message about it."""

    file: str
    content: str | bytes | list
    expected: int | str

    def write(self, folder: Path) -> Path:
        path = folder / self.file
        content = self.content
        if isinstance(content, list):
            pl.DataFrame(content).write_parquet(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path


def separated(mark: str = ",", header: str = "path,text", rows=tuple(ROWS), end: str = "\n") -> str:
    lines = [header.replace(",", mark), *(mark.join(row) for row in rows)]
    return end.join(lines) + end


def lines(*rows: object) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


RECORDS = [{"path": path, "text": text} for path, text in ROWS]
TABLES = {
    "semicolons": Odd("t.csv", separated(";"), 6),
    "tabs in a csv": Odd("t.csv", separated("\t"), 6),
    "commas in a tsv": Odd("t.tsv", separated(","), 6),
    "bars": Odd("t.csv", separated("|"), 6),
    "capital suffix": Odd("T.CSV", separated(), 6),
    "lines of Windows": Odd("t.csv", separated(end="\r\n"), 6),
    "lines of old Macs": Odd("t.csv", separated(end="\r"), 6),
    "no last line end": Odd("t.csv", separated().rstrip("\n"), 6),
    "mark of Excel": Odd("t.csv", "sep=;\n" + separated(";"), 6),
    "byte order mark": Odd("t.csv", b"\xef\xbb\xbf" + separated().encode(), 6),
    "empty lines": Odd("t.csv", separated().replace("\n", "\n\n"), 6),
    "only separators": Odd("t.csv", separated() + ",\n,\n", 6),
    "capitals and blanks in the header": Odd("t.csv", separated(header=" Path, TEXT "), 6),
    "file_name and transcription": Odd("t.csv", separated(header="file_name,transcription"), 6),
    "wav and sentence": Odd("t.csv", separated(header="wav,sentence"), 6),
    "quoted cells": Odd("t.csv", separated(rows=[(f'"{p}"', f'"{t}"') for p, t in ROWS]), 6),
    "a column more": Odd("t.csv", separated(header="path,text,note"), 6),
    "extra text column": Odd(
        "t.csv", separated(header="path,text,sentence", rows=[(*r, "x") for r in ROWS]), 6
    ),
    "two names of text": Odd(
        "t.csv",
        separated(header="path,sentence,transcript", rows=[(*r, "x") for r in ROWS]),
        "sentence and transcript each stand for the column 'text'",
    ),
    "a column twice": Odd(
        "t.csv",
        separated(header="path,text,text", rows=[(*r, "x") for r in ROWS]),
        "line 1: the header has the column 'text' 2 times",
    ),
    "no header": Odd("t.csv", separated(header=",".join(ROWS[0])), "there is no column 'path'"),
    "commas in a text": Odd(
        "t.csv",
        separated(rows=[*ROWS[:4], (ROWS[4][0], "раз, два, три")]),
        "line 6 has 4 cells, the header has 2: put a text with ',' in it in quotation marks",
    ),
    "cell missing": Odd("t.csv", separated(rows=[*ROWS[:5], (ROWS[5][0],)]), 5),
    "quotation mark that stays open": Odd(
        "t.csv", separated(rows=[(FIRST, '"один'), *ROWS[1:]]), "line 2: .*quotation mark"
    ),
    "backslashes": Odd("t.csv", separated().replace("/", "\\"), 6),
    "home": Odd("t.csv", separated(rows=[(f"~/{p}", t) for p, t in ROWS]), 6),
    "dots": Odd("t.csv", separated(rows=[(f"audio/.././{p}", t) for p, t in ROWS]), 6),
    "absolute": Odd("t.csv", separated(rows=[(f"{{folder}}/{p}", t) for p, t in ROWS]), 6),
    "file address": Odd(
        "t.csv", separated(rows=[(f"file://{{folder}}/{p}", t) for p, t in ROWS]), 6
    ),
    "blanks around paths": Odd("t.csv", separated(rows=[(f" {p} ", t) for p, t in ROWS]), 6),
    "drive of Windows": Odd(
        "t.csv", separated(rows=[("C:\\speech\\1.wav", "да")]), "begins with a drive of Windows"
    ),
    "address": Odd(
        "t.csv", separated(rows=[("https://example.org/1.wav", "да")]), "nothing is fetched"
    ),
    "outside": Odd("t.csv", separated(rows=[("../../1.wav", "да")]), "outside .*audio_root=/"),
    "files that are not there": Odd("t.csv", separated(rows=[*ROWS, ("lost.wav", "да")]), 6),
    "a path twice": Odd("t.csv", separated(rows=[*ROWS, ROWS[0]]), "the id is not unique"),
    "empty path": Odd("t.csv", separated(rows=[*ROWS, ("", "да")]), "the path is missing"),
    "empty texts": Odd("t.csv", separated(rows=[*ROWS[:3], *((p, "") for p, _ in ROWS[3:])]), 3),
    "tags alone": Odd("t.csv", separated(rows=[*ROWS[:5], (ROWS[5][0], "<sil>")]), 5),
    "segments": Odd(
        "t.csv",
        separated(header="path,text,start,end", rows=[(FIRST, "да", "0,1", "0.3")]).replace(
            "0,1", '"0,1"'
        ),
        1,
    ),
    "segment after the end": Odd(
        "t.csv", separated(header="path,text,start,end", rows=[(FIRST, "да", "0", "9")]), 0
    ),
    "start in words": Odd(
        "t.csv",
        separated(header="path,text,start,end", rows=[(FIRST, "да", "soon", "9")]),
        "'start' is no number of seconds",
    ),
    "a channel more": Odd(
        "t.csv", separated(header="path,text,channel", rows=[(FIRST, "да", "1")]), 0
    ),
    "UTF-16": Odd("t.csv", separated().encode("utf-16"), "iconv -f utf-16 -t utf-8"),
    "UTF-16 without a mark": Odd(
        "t.csv", separated().encode("utf-16-le"), "iconv -f utf-16-le -t utf-8"
    ),
    "cp1251": Odd("t.csv", separated().encode("cp1251"), "line 2 is not UTF-8.*iconv -f cp1251"),
    "cp866": Odd("t.csv", separated().encode("cp866"), "line 2 is not UTF-8.*iconv -f cp866"),
    "KOI8-R": Odd("t.jsonl", lines(*RECORDS).encode("koi8-r"), "iconv -f koi8-r"),
    "empty": Odd("t.csv", "", "the file is empty"),
    "header alone": Odd("t.csv", "path,text\n", 0),
    "spreadsheet": Odd("t.xlsx", b"PK", "unknown kind of table '.xlsx'.*save it as CSV"),
    "array of JSON": Odd("t.json", json.dumps(RECORDS, indent=1), 6),
    "lines of JSON": Odd("t.ndjson", lines(*RECORDS), 6),
    "JSON of NeMo": Odd(
        "t.json", lines({"audio_filepath": FIRST, "text": "да", "offset": 0, "duration": 0.3}), 1
    ),
    "NaN": Odd("t.jsonl", lines(*RECORDS[:5]) + '{"path": "audio/good5.wav", "text": NaN}\n', 5),
    "a line that is cut": Odd(
        "t.jsonl", lines(*RECORDS)[:-9], r"not a readable .jsonl table: line 6: Unterminated"
    ),
    "a line that is no object": Odd("t.jsonl", lines(*RECORDS, [1]), "line 7 is no object"),
    "lists of words": Odd(
        "t.jsonl",
        lines(*({**row, "text": ["один", "два"]} for row in RECORDS)),
        r"'text' each row has a list, not a text .*jq -c",
    ),
    "speakers as numbers and words": Odd(
        "t.jsonl", lines({**RECORDS[0], "speaker": 7}, {**RECORDS[1], "speaker": "anna"}), 2
    ),
    "columns without a name": Odd("t.csv", separated(header="path,text,,,"), 6),
    "commas at the ends of rows": Odd(
        "t.csv", separated(rows=[(*row, "") for row in ROWS]), "line 2 has 3 cells.* last ones are"
    ),
    "inches": Odd(
        "t.csv", separated(rows=[(p, f'{n}" экран') for n, (p, _) in enumerate(ROWS)]), 6
    ),
    "inches and commas": Odd(
        "t.csv",
        separated(rows=[ROWS[0], (ROWS[1][0], '5", да'), (ROWS[2][0], "6")]),
        "line 3 has 3",
    ),
    "zeros at its end": Odd("t.csv", separated() + "\0" * 5_000, 6),
    "the end of DOS": Odd("t.csv", separated() + "\x1a", 6),
    "line ends of two kinds": Odd(
        "t.csv", separated().replace("два\naudio/good3", "два\raudio/good3"), "line 4 ends in .r"
    ),
    "a header that ends as on old Macs": Odd(
        "t.csv", separated().replace("text\n", "text\r"), "line 1 ends in .r"
    ),
    "JSON by the name of a csv": Odd("t.csv", lines(*RECORDS), "holds JSON, .*name it .json"),
    "packed": Odd("t.csv.gz", gzip.compress(b"path,text"), "unpack it first"),
    "addresses of files": Odd(
        "t.csv",
        separated(rows=[(f"FILE://localhost{{folder}}/{p}", t) for p, t in ROWS[:3]])
        + separated(rows=[(f"file:{{folder}}/{p}", t) for p, t in ROWS[3:]]).partition("\n")[2],
        6,
    ),
    "a segment of no number": Odd(
        "t.csv", separated(";", rows=[(f"{FIRST}#t=-,.", "да"), *ROWS[1:]]), 5
    ),
    "times with frames": Odd(
        "t.csv",
        separated(header="path,text,start,end", rows=[(FIRST, "да", "0:0:0:1", "0:0:0:9")]),
        "is no number of seconds",
    ),
    "lengths of time": Odd(
        "t.parquet", [{**r, "duration": timedelta(seconds=0.5)} for r in RECORDS], 6
    ),
    "bytes that are no text": Odd(
        "t.parquet", [{**r, "text": b"\xff\xfe"} for r in RECORDS], "invalid utf8; write it as text"
    ),
    "decoded samples": Odd(
        "t.parquet",
        [{"audio": {"array": [0.1], "sampling_rate": 8_000}, "text": "да"}],
        "each row has a record, not a text .*write the recordings as files",
    ),
    "a mark twice": Odd("t.csv", "\ufeff\ufeff" + separated(), 6),
    "unseen letters in the header": Odd("t.csv", separated(header="\u200bpath,text\u200e"), 6),
    "a cell that only begins with a mark": Odd(
        "t.csv",
        separated(rows=[*ROWS[:3], (ROWS[3][0], '"один" два')]),
        'line 5: "один" два begins with a quotation mark and does not end with one',
    ),
    "cut within a letter": Odd("t.csv", separated().encode()[:-2], "line 7 breaks off within a le"),
    "a first row of a million letters": Odd("t.csv", separated(rows=[(FIRST, "да " * 350_000)]), 1),
    "gzip by another name": Odd("t.csv", gzip.compress(separated().encode()), "packed by gzip"),
    "a spreadsheet by another name": Odd("t.csv", b"PK\x03\x04\xd0\xff\xfe", "is a spreadsheet or"),
    "a time that is no number": Odd(
        "t.csv",
        separated(header="path,text,start,end", rows=[(FIRST, "да", "nan", "0.4")]),
        r"column 'start': in 1 of 1 rows .* is no number of seconds \(line 2: nan\)",
    ),
    "Parquet": Odd("t.parquet", RECORDS, 6),
    "Parquet that is none": Odd("t.parquet", b"PAR1", "not a readable .parquet table"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("odd")
    (folder / "audio").mkdir()
    generator = np.random.default_rng(0)
    for path, _ in ROWS:
        soundfile.write(folder / path, generator.uniform(-0.3, 0.3, 8_000), 16_000)
    return folder


def usable(path: Path) -> int:
    manifest = read_table(path, "all", language="ru")
    return check_audio(manifest, min_seconds=0.05, max_seconds=30.0)[0].height


@pytest.mark.parametrize("name", TABLES)
def test_it_is_read_as_it_was_meant_or_refused_with_what_to_do(
    folder: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    odd = TABLES[name]
    path = odd.write(folder)
    if isinstance(odd.content, str):
        path.write_text(odd.content.replace("{folder}", str(folder)), newline="")
    config = {
        "_target_": "kaskad.corpora.read_table",
        "_partial_": True,
        "root": str(path),
        "language": "ru",
    }
    corpus = {"role": "test", "split": "all", "language": "ru", "manifest": config}
    corpora = {"test": {"_target_": "kaskad.data.Corpus", **corpus}}
    prepared = OmegaConf.create(
        {"data": {"corpora": corpora}, "output": None, "min_seconds": 0.05, "max_seconds": 30.0}
    )
    if isinstance(odd.expected, str):
        with pytest.raises(ManifestError, match=odd.expected) as refused:
            read_manifest(path, language="ru")
        assert str(folder) in str(refused.value)
        with pytest.raises(ManifestError, match=odd.expected):
            prepare(prepared)
    elif odd.expected == 0:
        with pytest.raises(DataError, match="no utterance of this corpus can be used"):
            prepare(prepared)
    else:
        assert usable(path) == prepare(prepared)["test/utterances"] == odd.expected
    path.unlink()


def test_there_are_enough_of_them() -> None:
    assert len(TABLES) >= 40


def test_an_odd_table_is_described_as_any_other(compose, folder: Path, tmp_path: Path) -> None:
    rows = [("audio\\good0.wav", "[noise] один"), ("~/audio/good1.wav", "25 рублей"), *ROWS[2:]]
    path = Odd("Odd.CSV", separated(";", "FILE;Transcription", rows), 6).write(folder)
    path.write_text(path.read_text().replace("~", str(folder)))
    alone = ["data.test_split=all", "~data.corpora.train", "~data.corpora.validation"]
    choices = ["data=table", f"data.root={path}", "cache=null"]
    figures = describe(compose("describe", tmp_path, *choices, *alone))
    assert (figures["utterances"], figures["unusable"]) == (6, 0)
    found = pl.read_csv(tmp_path / "suspicious.csv")
    kinds = dict(
        found.filter(pl.col("kind").is_in(["tags", "spelt out"])).select("kind", "why").rows()
    )
    assert kinds == {
        "tags": "'[noise] один' is read as 'один'",
        "spelt out": "'25 рублей' is read as 'двадцать пять рублей'",
    }
