"""A suite is read as it is written, and a fault in it named."""

from pathlib import Path

import pytest

from kaskad.config.messages import ConfigurationError
from kaskad.evaluation.suite import SuiteEntry, read_suite

SUITE = """
an4:
fsdd: {bounds: {wer: 0.12}, critical: true}
звонки:  # any name
  data: table
  settings: {data: {root: /corpora/calls, language: ru}}
"""


def test_an_entry_is_a_choice_of_data_by_its_name_unless_it_says_more(tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(SUITE, encoding="utf-8")
    assert read_suite(path) == {
        "an4": SuiteEntry("an4"),
        "fsdd": SuiteEntry("fsdd", bounds={"wer": 0.12}, critical=True),
        "звонки": SuiteEntry("table", {"data": {"root": "/corpora/calls", "language": "ru"}}),
    }


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("part: {datta: table}", "part has no datta; did you mean data"),
        ("part: {critical: 1}", r"part\.critical=1: wants bool"),
        ("part: {data: [an4, fsdd]}", "wants str"),
        ("part: table", "part='table': wants data, settings, bounds, critical"),
        ("- an4", "wants the corpora by their names"),
        ("", "wants the corpora by their names"),
        ("part: [", r"suite\.yaml.*line 1"),
        ("part: {}\npart: {}", "duplicate key part"),
        ("part: {settings: {data: {root: '${oc.env:NOT_SET}'}}}", "NOT_SET"),
    ],
)
def test_a_fault_is_named(written: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "suite.yaml"
    path.write_text(written, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"(?s){message}"):
        read_suite(path)
