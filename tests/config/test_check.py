import pytest
from omegaconf import OmegaConf

from kaskad.config.check import check
from kaskad.config.messages import ConfigurationError

NETS = """
from __future__ import annotations
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from nowhere import Device

class Net:
    def __init__(self, bins: int, rate: float = 0.1, kernel: tuple[int, int] = (3, 3),
                 names: Sequence[str] = (), kind: Literal["lstm", "gru"] = "lstm",
                 sizes: list[tuple[int, int]] | None = None, top: Any = None, seed: int = None):
        raise AssertionError("a check builds nothing")

    @classmethod
    def small(cls, bins: int, /, *, depth: int = 1): ...

def anything(first: int, **keywords): ...

def on(device: Device, steps: int): ...
"""


@pytest.fixture(autouse=True)
def nets_module(tmp_path, monkeypatch):
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "needs_more.py").write_text("import no_such_library\n")
    (tmp_path / "raises.py").write_text("raise RuntimeError('the driver is too old')\n")
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        {"bins": 3, "rate": 1, "kernel": [3, 5], "names": ["a", "b"], "kind": "gru"},
        {"bins": 3, "sizes": [[1, 2], [3, 4]], "seed": None},
        {"rate": 0.5},  # bins may be handed over in code
        {"_partial_": True, "bins": "???"},
        {"bins": "${other.bins}", "_recursive_": False, "_convert_": "all"},
        {"_args_": [3, 0.5]},
        {"top": {"_target_": "nets.Net", "bins": 3}},
        {"_target_": "nets.anything", "first": 1, "second": 2},
        {"_target_": "nets.on", "device": "cpu", "steps": 3},
        {"_target_": "nets.Net.small", "_args_": [3], "depth": 2},
        {"_target_": "builtins.dict", "a": 1},
    ],
)
def test_what_a_target_takes_passes(arguments):
    check(OmegaConf.create({"net": {"_target_": "nets.Net", **arguments}, "other": {"bins": 40}}))


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ({"bins": "abc"}, "net.bins='abc': nets.Net wants int"),
        ({"bins": 3.5}, "net.bins=3.5: nets.Net wants int"),
        ({"bins": "${other.name}"}, "net.bins='forty': nets.Net wants int"),
        ({"kernel": [3, "x"]}, "net.kernel=[3, 'x']: nets.Net wants tuple[int, int]"),
        ({"names": [1]}, "net.names=[1]: nets.Net wants collections.abc.Sequence[str]"),
        ({"kind": "gro"}, "net.kind='gro': nets.Net wants Literal['lstm', 'gru']"),
        ({"_args_": ["x"]}, "net.bins='x': nets.Net wants int"),
        ({"bin": 3}, "net.bin: nets.Net takes no bin; did you mean bins? (it takes bins, "),
        (
            {"_target_": "nets.Net.small", "bins": 3},
            "nets.Net.small takes no bins (it takes depth)",
        ),
        ({"top": {"_target_": "nets.Net", "bins": "x"}}, "net.top.bins='x': nets.Net wants int"),
        ({"top": [{"_target_": "nets.Net", "x": 1}]}, "net.top[0].x: nets.Net takes no x"),
        ({"_target_": "nets.Nett"}, "cannot import nets.Nett"),
        ({"_target_": "nets.Nett"}, "did you mean Net?"),
        ({"_target_": "nowhere.Net"}, "ModuleNotFoundError: No module named 'nowhere'"),
        ({"_target_": "needs_more.Net"}, "ModuleNotFoundError: No module named 'no_such_library'"),
        ({"_target_": "raises.Net"}, "RuntimeError: the driver is too old"),
        ({"bins": "???", "rate": "???"}, "no value yet for net.bins, net.rate\n"),
        ({"bins": "${other.bin}"}, "net.bins: Interpolation key 'other.bin' not found"),
        ({"names": ["${oc.env:NO_SUCH_VARIABLE}"]}, "net.names[0]: "),
    ],
)
def test_a_fault_is_named_with_its_key_and_what_was_wanted(arguments, fault):
    config = {"net": {"_target_": "nets.Net", **arguments}, "other": {"bins": 40, "name": "forty"}}
    with pytest.raises(ConfigurationError) as error:
        check(OmegaConf.create(config))
    assert fault in str(error.value)


def test_all_faults_are_told_at_once():
    with pytest.raises(ConfigurationError) as error:
        check(
            OmegaConf.create({"net": {"_target_": "nets.Net", "bins": "a", "bin": 1, "rate": "b"}})
        )
    assert len(str(error.value).splitlines()) == 3


DEFAULTS = """
seed: 0
reserve: 1.0
shuffle: true
task: ${kind}_run
trusted: []
workers: null
input: ???
trainer: {max_epochs: 3}
"""


@pytest.mark.parametrize(
    "given",
    [
        {"seed": 7, "reserve": 2, "shuffle": False, "task": "mine", "trusted": ["nets"]},
        {"workers": 4, "input": [1, "a"], "trainer": "what a group makes of it"},
        {"workers": "${seed}", "input": "a.csv"},
        {"kind": 3, "task": "${kind}"},  # as it was, an interpolation
        {"more": "of the user's own"},
    ],
)
def test_a_value_of_the_type_of_its_default_passes(given):
    defaults = OmegaConf.create(DEFAULTS)
    check(OmegaConf.merge(defaults, {"kind": "small", "input": "in", **given}), defaults)


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"seed": "abc"}, "seed='abc': wants int, as in seed=0"),
        ({"seed": 1.5}, "seed=1.5: wants int, as in seed=0"),
        ({"seed": False}, "seed=False: wants int, as in seed=0"),
        ({"seed": None}, "seed=None: wants int, as in seed=0"),
        ({"seed": "${kind}"}, "seed='small': wants int, as in seed=0"),
        ({"seed": [0, 1]}, "seed=[0, 1]: wants int, as in seed=0"),
        ({"reserve": "1 GB"}, "reserve='1 GB': wants float, as in reserve=1.0"),
        ({"shuffle": 1}, "shuffle=1: wants bool, as in shuffle=True"),
        ({"task": 5}, "task=5: wants text; in quotes it is: \"task='5'\""),
        ({"trusted": "nets"}, "trusted='nets': wants list, as in trusted=[]"),
    ],
)
def test_a_value_of_another_type_than_its_default_is_named(given, fault):
    defaults = OmegaConf.create(DEFAULTS)
    config = OmegaConf.merge(defaults, {"kind": "small", "input": "in"})
    OmegaConf.update(config, *next(iter(given.items())))
    with pytest.raises(ConfigurationError) as error:
        check(config, defaults)
    assert str(error.value) == fault
