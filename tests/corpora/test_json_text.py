"""Of JSON nothing is lost that readers leave out without a word."""

import json
from pathlib import Path

import pytest

from kaskad.corpora.table_files import read_table_file
from kaskad.corpora.text_files import ManifestError

ROW = '{"path": "a.wav", "text": "да"}\n'
TWICE = '{"path": "a.wav", "text": "да", "path": "b.wav"}\n'


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        (
            "t.jsonl",
            ROW + "\n" + TWICE,
            'line 3: the key \'path\' stands twice .* "a.wav" and "b.w',
        ),
        ("t.jsonl", "\ufeff" + TWICE, "line 1: the key 'path' stands twice"),
        ("t.jsonl", ROW + '{"text": NaN, "text": "да"}', "line 2: the key 'text' stands twice"),
        ("t.jsonl", '{"path": "a", "more": {"k": 1, "k": 2}}', "line 1: the key 'k' stands twice"),
        ("t.json", f"[{ROW},\n {TWICE}]", "in the row of line 3: the key 'path' stands twice"),
        ("t.json", '[{"text": "\\ud83d"}]', r"'text' has half a letter \('\\ud83d'\)"),
        ("t.json", "[" * 100_000, "nested too deeply"),
        ("t.jsonl", '{"a": ' * 50_000, "line 1: it is nested too deeply"),
    ],
)
def test_what_readers_leave_out_is_told(
    tmp_path: Path, name: str, content: str, reason: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ManifestError, match=rf"{name}: .*{reason}"):
        read_table_file(tmp_path / name)


def test_a_key_that_an_inner_object_or_a_text_has_too_is_no_double(tmp_path: Path) -> None:
    row = {"path": "a.wav", "text": '"text": "text":', "more": {"text": 1, "path": "text"}}
    (tmp_path / "t.jsonl").write_text(json.dumps(row) + "\n")
    assert read_table_file(tmp_path / "t.jsonl").to_dicts() == [row]
