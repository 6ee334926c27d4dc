"""A run that goes on calls, reads and writes only what the user's own configuration names."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from omegaconf import DictConfig, OmegaConf

from kaskad.config.check import ConfigurationError
from kaskad.runs.own_settings import require_own, with_places_of_run
from kaskad.runs.saved_configuration import fault_of, saved_form

CALL = {"_target_": "distutils.spawn.spawn", "cmd": ["/usr/bin/touch", "ran"]}
BEGAN = [
    "data=fsdd",
    "logger=many",
    "callbacks=notices",
    "callbacks.last_checkpoint.every_n_steps=4",
    "callbacks.notices.prefix=mine",
    "model=lstm",
]
RUN = Path("a_run")
PATH = RUN / "last.ckpt"


@pytest.fixture(scope="module")
def began(compose) -> dict[str, Any]:
    return saved_form(compose("train", RUN, *BEGAN))


@pytest.fixture
def saved(began) -> dict[str, Any]:
    """The configuration that a run of other choices than the usual ones has saved."""
    return deepcopy(began)


@pytest.fixture(scope="module")
def config(compose, began) -> DictConfig:
    """That of a command line which says no more than which run is to go on."""
    return compose("train", RUN, f"resume={RUN}")


def change(saved: dict[str, Any], place: str, value: Any) -> None:
    *parents, last = place.split(".")
    for parent in parents:
        saved = saved[parent]
    saved[last] = value


def test_a_run_of_ones_own_choices_goes_on(saved, config) -> None:
    require_own(saved, config, PATH)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("callbacks.evil", CALL),
        ("logger.evil", CALL),
        ("data.source", CALL),
        ("data.corpora.train.manifest", CALL),
        ("trainer.plugins", [CALL]),
        ("datamodule._target_", "os.system"),
        ("overlap.evil", {"a": [{"b": CALL}]}),
        ("sampler._target_", "shutil.rmtree"),
        ("optimizer._target_", "builtins.print"),
        ("augment.waveform", {"transforms": {"evil": CALL}}),
        ("model.encoder._target_", "torch.hub.load"),
        ("callbacks.samples", {"_target_": "kaskad.data.SpeechDataModule"}),
        ("model.encoder", {"_target_": "kaskad.callbacks.Remote"}),
        ("callbacks.notices._target_", 1),
    ],
)
def test_calls_of_a_file_are_refused(place: str, value: Any, saved, config) -> None:
    change(saved, place, value)
    with pytest.raises(
        ConfigurationError, match=rf"last.ckpt: its configuration calls .*\({place}"
    ):
        require_own(saved, config, PATH)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("logger.tensorboard.save_dir", "/home/somebody"),
        ("logger.csv.save_dir", "//server/share"),
        ("callbacks.checkpoint.dirpath", "../elsewhere"),
        ("callbacks.notices.prefix", "https://example.org"),
        (
            "callbacks.remote",
            {
                "_target_": "kaskad.callbacks.Remote",
                "api": "http://example.org",
            },
        ),
    ],
)
def test_places_of_a_file_are_refused(place: str, value: Any, saved, config) -> None:
    change(saved, place, value)
    with pytest.raises(ConfigurationError, match=f"its {place}.* not so in your configuration"):
        require_own(saved, config, PATH)


def test_what_is_stated_again_goes_on(compose, saved) -> None:
    change(saved, "callbacks.notices.prefix", "a/b")
    change(saved, "model.encoder._target_", "mine.Net")
    again = ["callbacks=notices", "callbacks.notices.prefix=a/b", "model.encoder._target_=mine.Net"]
    require_own(saved, compose("train", RUN, *again), PATH)


def test_the_environment_is_never_saved(compose, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("KASKAD_DATA", "/a/secret/place")
    monkeypatch.setenv("SECRET", "hunter2")
    monkeypatch.setenv("NUMBER", "3")
    secrets = ["+logger.csv.prefix=a${oc.env:SECRET}b", "+x='${oc.decode:${oc.env:NUMBER}}'"]
    config = compose("train", tmp_path, "data=fsdd", "logger=csv", "+y=${x}", *secrets)
    assert config.data.source.root == "/a/secret/place/fsdd"
    saved = saved_form(config)
    for value in ("/a/secret/place", "hunter2"):
        assert value not in str(saved)
    assert (
        saved["data"]["root"]
        == saved["data"]["source"]["root"]
        == "${oc.env:KASKAD_DATA,data}/fsdd"
    )
    assert saved["logger"]["csv"]["prefix"] == "a${oc.env:SECRET}b"
    assert saved["x"] == saved["y"] == "${oc.decode:${oc.env:NUMBER}}"
    assert saved["task"] == "cnn2d_lstm_fsdd"
    assert fault_of(saved, "config", may_read_environment=True) is None
    require_own(saved, config, PATH)


def test_a_file_may_not_choose_what_of_the_environment_is_read(saved, config) -> None:
    change(saved, "data.root", "${oc.env:SECRET}")
    with pytest.raises(ConfigurationError, match=r"reads \$\{oc.env:SECRET\} \(data.root\)"):
        require_own(saved, config, PATH)


def test_data_lie_where_the_run_says_in_words_and_not_where_its_checkpoint_does(
    saved, config, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "checkpoints" / "last.ckpt"
    change(saved, "data.root", "/speech/mine")
    change(saved, "datamodule.cache", "/speech/cache")
    OmegaConf.save(OmegaConf.create(saved), tmp_path / "config.yaml")
    same = with_places_of_run(OmegaConf.create(saved), config, path)
    assert same == OmegaConf.create(saved)
    assert not caplog.text
    change(saved, "data.root", "/home/somebody")
    change(saved, "datamodule.cache", "/home/somebody/cache")
    mine = with_places_of_run(OmegaConf.create(saved), config, path)
    assert (mine.data.root, mine.datamodule.cache) == ("/speech/mine", "/speech/cache")
    assert "data.root is /speech/mine, as" in caplog.text
    change(saved, "data.source.elsewhere", "/home/somebody")
    with pytest.raises(ConfigurationError, match=r"its data.source.elsewhere is '/home/somebody'"):
        with_places_of_run(OmegaConf.create(saved), config, path)
