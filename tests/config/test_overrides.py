"""An override that Hydra cannot read is shown with the quotes that it wants, ready to paste."""

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import OverrideParseException

from kaskad.config.messages import explain
from kaskad.config.overrides import (
    as_text,
    command_again,
    pasteable,
    program,
    typed_command,
    with_quotes,
)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("input=запись.wav", "запись.wav"),
        ("input=/записи/новая папка/a.wav", "/записи/новая папка/a.wav"),
        ("data.root=/corpora/a#b", "/corpora/a#b"),
        ("data.root=it's", "it's"),
        ('data.root=it\'s "mine"', 'it\'s "mine"'),
        ("task=a=b", "a=b"),
        ("input=file(1).wav", "file(1).wav"),
        ("input=a[1].wav", "a[1].wav"),
        ("data.root=~/corpora", str(Path.home() / "corpora")),
        ("task=$5!", "$5!"),
        ("+note=a&b;c", "a&b;c"),
        ("decoder.hotwords=[сорок, two,it's]", ["сорок", "two", "it's"]),
        ("+x={a: ё, b: [1,ы]}", {"a": "ё", "b": [1, "ы"]}),
    ],
)
def test_quotes_make_it_readable(override, value) -> None:
    parser = OverridesParser.create()
    try:
        parser.parse_overrides([override])
    except OverrideParseException as error:
        told = explain(error).splitlines()
        assert told[0] == f"{override}: cannot be read as key=value"
        (typed,) = shlex.split(told[1].removeprefix("in quotes it can: "))
        assert parser.parse_override(typed).value() == value
    else:
        assert parser.parse_override(override).value() == value


def test_the_usual_case_is_shown_in_double_quotes() -> None:
    assert with_quotes("input=запись.wav") == "\"input='запись.wav'\""
    assert with_quotes("decoder.hotwords=[сорок]") == "\"decoder.hotwords=['сорок']\""
    assert with_quotes("task=now!") == "'task=\"now!\"'"
    assert with_quotes("nothing") is None


@pytest.mark.parametrize("text", ["5", "a,b", "null", "1.50", "$1,000"])
def test_what_looks_like_something_else_can_be_pasted_as_text(text) -> None:
    (typed,) = shlex.split(as_text("task", text))
    assert OverridesParser.create().parse_override(typed).value() == text


@pytest.mark.parametrize("folder", ["runs/a/2026", "runs/my runs", "runs/запуск=1", "/a/it's #2"])
def test_what_is_printed_can_be_pasted(folder, monkeypatch) -> None:
    (typed,) = shlex.split(pasteable("resume", folder))
    assert OverridesParser.create().parse_override(typed).value() == folder
    monkeypatch.setattr("sys.argv", ["train.py", "-m", "seed=0,1", "task=my task"])
    command = shlex.split(command_again("resume", folder))
    assert command[:5] == ["python", "train.py", "-m", "seed=0,1", "task=my task"]
    assert command[5] == typed


@pytest.mark.parametrize(
    ("started", "typed"),
    [
        ("/home/anna/.venv/bin/kaskad describe", "kaskad describe data=an4"),
        ("/home/anna/kaskad/__main__.py describe", "kaskad describe data=an4"),
        ("train.py", "python train.py data=an4"),
        ("my scripts/train.py", "python 'my scripts/train.py' data=an4"),
    ],
)
def test_a_command_is_written_down_as_one_types_it(started: str, typed: str, monkeypatch) -> None:
    monkeypatch.setattr("sys.argv", [started, "data=an4"])
    assert typed_command() == typed


@pytest.mark.parametrize(
    ("typed", "line"),
    [
        ("{folder}/train.py", "python '{folder}/train.py'"),
        ("{folder}/evaluate.py", "python '{folder}/train.py'"),
        ("../train.py", "python ../train.py"),
        ("/usr/bin/ipython", "kaskad train"),  # no script of ours
        ("/elsewhere/mine.py", "kaskad train"),  # nor is there one beside it
        ("/home/anna/.venv/bin/kaskad advise", "kaskad train"),
    ],
)
def test_another_command_is_started_as_this_one_was(typed, line, tmp_path, monkeypatch) -> None:
    folder = tmp_path / "my scripts"
    folder.mkdir()
    (folder / "train.py").touch()
    monkeypatch.setattr("sys.argv", [typed.format(folder=folder)])
    assert program("train") == line.format(folder=folder)
