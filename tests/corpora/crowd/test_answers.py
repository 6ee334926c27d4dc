"""Toloka's exports, with all that is wrong in real ones, are read, or refused with their line."""

import re
from pathlib import Path

import polars as pl
import pytest

from kaskad.corpora.crowd.answers import COLUMNS, read_answers
from kaskad.corpora.text_files import ManifestError

HEADER = [*COLUMNS.values()][:3]
FIRST_LINE = "\t".join(HEADER)


@pytest.mark.parametrize(
    "text", ['"Да", сказал он', "да\tнет", "да\nнет", "да\nнет\tон\tона", 'да "', "\n"]
)
@pytest.mark.parametrize("columns", [HEADER, HEADER[:2], [HEADER[1], HEADER[0], HEADER[2]]])
def test_quotes_tabs_and_line_breaks_are_part_of_an_answer(
    tmp_path: Path, text: str, columns: list[str]
) -> None:
    rows = [("1.wav", text, "anna"), ("2.wav", "да", "anna")]
    table = pl.DataFrame(rows, schema=HEADER, orient="row").select(columns)
    table.write_csv(tmp_path / "a.tsv", separator="\t")
    worker = HEADER[2] if HEADER[2] in columns else None
    answers = read_answers(tmp_path / "a.tsv", {**COLUMNS, "worker": worker})
    assert answers["text"].to_list() == [text.strip() or None, "да"]
    assert not answers["broken"].any()


def test_blank_lines_are_no_answers_and_only_accepted_ones_count(tmp_path: Path) -> None:
    problems = {
        "APPROVED": None,
        "SUBMITTED": None,
        "": None,
        "REJECTED": "the assignment was rejected",
        "SKIPPED": "the assignment was skipped",
        "EXPIRED": "the assignment was not done in time",
        "active": "the assignment was not finished",
        "CANCELLED": "the assignment was in state CANCELLED",
    }
    rows = "".join(f"1\tyes\t{n}\t{status}\n\n\t\t\t\n" for n, status in enumerate(problems))
    (tmp_path / "a.tsv").write_text(f"{FIRST_LINE}\tASSIGNMENT:status\n{rows}")
    assert read_answers(tmp_path / "a.tsv")["problem"].to_list() == [*problems.values()]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1251"])
def test_other_encodings_are_read_and_reported(
    tmp_path: Path, encoding: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(f"{FIRST_LINE}\n1.wav\tраз два три\tанна\n", encoding=encoding)
    assert read_answers(path).select(*COLUMNS).row(0) == ("1.wav", "раз два три", "анна", None)
    warned = "a.tsv is not UTF-8; read as cp1251, where it says: 1.wav\tраз два" in caplog.text
    assert warned == (encoding == "cp1251")


def test_of_a_broken_line_nothing_is_used_but_its_recording(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(
        "INPUT:audio\tOUTPUT:transcription\tGOLDEN:transcription\tINPUT:speaker\t"
        "ASSIGNMENT:worker_id\n"
        "1.wav\tone\ttwo\t\tguest\ta\n1.wav\tone two\n"
    )
    assert (
        read_answers(path).drop("problem").rows(named=True)
        == [
            dict.fromkeys(["text", "worker", "golden", "speaker"])
            | {"audio": "1.wav", "broken": True}
        ]
        * 2
    )


@pytest.mark.parametrize(
    ("header", "lines"),
    [
        (FIRST_LINE, '2.wav\t"no\tb\n3.wav\tyes\ta\n4.wav\tno\tb\n'),
        (FIRST_LINE, '2.wav\t"no\ta\n2.wav\t"No\tb\n'),
        (FIRST_LINE, 'https://a/?id=1\t"no\ta\nhttps://a/?id=1\t"No\tb\n'),
        (FIRST_LINE, '2\t"no\tb\n3\tyes\ta\n'),
        ("\t".join([HEADER[1], HEADER[0], HEADER[2]]), '"no\t1.wav\ta\n"No\t1.wav\tb\n'),
    ],
    ids=["never", "in the next row", "by a known name", "in broken rows", "before the name"],
)
def test_a_quotation_mark_that_swallows_rows_is_found(
    tmp_path: Path, header: str, lines: str
) -> None:
    path = tmp_path / "a.tsv"
    sound = "1.wav\tyes\ta\nhttps://a/?id=1\tyes\tc"
    path.write_text(f"{header}\n{sound}\n{lines}")
    message = f"{path}: line 4: a quotation mark opens an answer and is not closed"
    with pytest.raises(ManifestError, match=re.escape(message)):
        read_answers(path)


@pytest.mark.parametrize(
    ("header", "columns", "message"),
    [
        (
            "INPUT:audio\tOUTPUT:transcription\tperformer",
            {},
            r"no column 'ASSIGNMENT:worker_id' \(worker\), only .* performer; .*columns\.worker=",
        ),
        (
            "INPUT:sound\tOUTPUT:transcription\tASSIGNMENT:worker_id",
            {},
            r"no column 'INPUT:audio' \(audio\)",
        ),
        (
            FIRST_LINE,
            {"golden": "GOLDEN:text"},
            r"no column 'GOLDEN:text' \(golden\), only .*columns\.golden=.* or null",
        ),
        (
            f"{FIRST_LINE}\tGOLDEN:text",
            {},
            r"no column 'GOLDEN:transcription' \(golden\), only .* GOLDEN:text;",
        ),
    ],
)
def test_a_column_that_is_not_there_is_named(
    tmp_path: Path, header: str, columns: dict[str, str], message: str
) -> None:
    (tmp_path / "a.tsv").write_text(f"{header}\n")
    with pytest.raises(ManifestError, match=f"{tmp_path}/a.tsv: {message}"):
        read_answers(tmp_path / "a.tsv", {**COLUMNS, **columns})
    if "golden" in message:
        read_answers(tmp_path / "a.tsv", {**COLUMNS, "golden": None})
