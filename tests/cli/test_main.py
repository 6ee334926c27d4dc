"""`kaskad <command>` is every command of Kaskad."""

import sys
from pathlib import Path

import pytest

from kaskad.__main__ import COMMANDS, main
from kaskad.cli.search_path import conf_folder


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["kaskad", *arguments])
    main()


def test_without_a_command_all_are_listed_each_with_a_line(monkeypatch, capsys) -> None:
    call(monkeypatch)
    lines = capsys.readouterr().out.splitlines()
    for command in COMMANDS:
        (line,) = (line for line in lines if line.split()[:1] == [command])
        assert len(line.split()) > 3


def test_a_misspelt_command_is_refused_with_the_nearest(monkeypatch, capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        call(monkeypatch, "trian", "model=lstm")
    error = capsys.readouterr().err
    assert "trian: no such command; did you mean train?" in error
    assert all(command in error for command in COMMANDS)


def test_every_command_has_a_configuration_and_a_file_and_no_file_is_left_out() -> None:
    files = {
        path.stem for path in (Path(main.__code__.co_filename).parent / "commands").glob("*.py")
    }
    assert files - {"__init__"} == set(COMMANDS)
    assert all((conf_folder() / f"{command}.yaml").is_file() for command in COMMANDS)
