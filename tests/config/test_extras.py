"""An error about a library that is missing names the extra that brings it."""

import configparser
import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from kaskad.config import extras
from kaskad.config.messages import explain

ROOT = Path(__file__).parents[2]
SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")


def requirements_in(text: str) -> dict[str, str]:
    """Name and versions of each requirement, one a line, without comments."""
    lines = (re.sub(r"(^|\s)#.*", "", line).strip() for line in text.splitlines())
    parsed = [Requirement(line) for line in lines if line]
    return {each.name: str(each.specifier) for each in parsed if each.name != "kaskad"}


@pytest.fixture
def _metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an installed package says of itself, in the two ways that tools write it."""
    listed = ["torch==2.11.0", 'crowd-kit>=1; extra == "crowd"', "aiogram==3.*; extra == 'remote'"]
    listed.append('flashlight-text; extra == "beam"')
    monkeypatch.setattr(extras, "requires", lambda name: listed)


@pytest.mark.usefixtures("_metadata")
@pytest.mark.parametrize(
    ("module", "extra"),
    [("crowdkit.aggregation", "crowd"), ("aiogram", "remote"), ("flashlight.lib.text", "beam")],
)
def test_a_missing_library_names_its_extra(module: str, extra: str) -> None:
    error = RuntimeError("cannot start")
    error.__cause__ = ModuleNotFoundError(f"No module named '{module}'", name=module)
    assert f"{module} is not installed: pip install 'kaskad[{extra}]'" in explain(error)


@pytest.mark.usefixtures("_metadata")
@pytest.mark.parametrize("module", ["torch", "my_own_encoder"])
def test_a_library_of_no_extra_is_named_as_python_names_it(module: str) -> None:
    error = ModuleNotFoundError(f"No module named '{module}'", name=module)
    assert explain(error) == f"ModuleNotFoundError: No module named '{module}'"


def test_the_package_and_requirements_txt_want_the_same() -> None:
    options = [SETUP["options"]["install_requires"], *SETUP["options.extras_require"].values()]
    package = {
        name: versions for text in options for name, versions in requirements_in(text).items()
    }
    assert package == requirements_in((ROOT / "requirements.txt").read_text())


def test_the_extra_all_is_all_of_them() -> None:
    extras_of = SETUP["options.extras_require"]
    (listed,) = re.findall(r"kaskad\[(.*)\]", extras_of["all"])
    assert set(listed.split(",")) == set(extras_of) - {"all"}
