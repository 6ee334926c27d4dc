"""Every choice under conf/ and every recipe of experiments/ is one that a run can make."""

import re
from importlib import import_module
from pathlib import Path

import pytest
import torch

from kaskad.commands.shard import shard
from kaskad.commands.train import train
from kaskad.config.check import check

ROOT = Path(__file__).parents[1]
CHOICES = sorted(
    f"{path.parent.name}={path.stem}"
    for path in (ROOT / "conf").glob("*/*.yaml")
    # Language models and data=none are for `kaskad estimate_lm` alone; debug=replay wants a run.
    if path.parent.name not in ("hydra", "language_model")
    and path.parts[-2:] not in {("data", "none.yaml"), ("debug", "replay.yaml")}
)
RECIPES = sorted(path.stem for path in (ROOT / "experiments").glob("*.yaml"))
ONE_STEP = [
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=1",
    "trainer.limit_val_batches=1",
    "trainer.limit_test_batches=1",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
]
# Corpora as other tools lay them out; tests/corpora/ reads one of each.
FORMATS = ("common_voice", "kaldi", "lhotse", "librispeech", "nemo", "sidecar")
LAID_OUT = [f"data={name}" for name in FORMATS]
REAL = {"data=an4": "an4", "data=fsdd": "fsdd", "data=ru_uk": "", "data=ru_en": ""}
OF_TEXT = ["model=lstm_lm", "datamodule=text"]
READY_FEATURES = ["data=voxforge_ru_mfcc", "features=precomputed"]


@pytest.mark.parametrize("choice", CHOICES)
def test_one_training_step_with(
    choice: str, compose, tone_corpus, request, tmp_path, monkeypatch
) -> None:
    overrides = [choice, *ONE_STEP]
    if choice == "callbacks=notices":  # to a service that is away
        monkeypatch.setenv("KASKAD_NOTIFY", "json://localhost:9")
        overrides += ["callbacks.notices.attempts=1", "callbacks.notices.patience=1"]
    if choice == "callbacks=remote":  # to a server that is away
        monkeypatch.setenv("KASKAD_TELEGRAM_TOKEN", "1:token")
        overrides += ["callbacks.remote.users=[1]", "callbacks.remote.api=http://localhost:9"]
    if choice in ("trainer=gpu", "trainer=ddp") and not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    if choice == "trainer=ddp_sim":  # two of them: tests/test_distributed.py
        overrides.append("trainer.devices=1")
    if choice == "sampler=balanced":
        overrides.append("sampler.by=gender")
    if choice in REAL:
        overrides.append(f"data.root={request.getfixturevalue('real_data') / REAL[choice]}")
    elif choice in ("data=numbers", "data=digits"):
        count = "{train: 4, validation: 2, test: 2, test_known: 2}"
        overrides += [f"data.root={tmp_path}", f"data.source.utterances={count}"]
    elif choice in ("data=numbers_ru_en", "model=cascade_lstm"):
        counts = ["data.source.utterances={train: 4, validation: 2, test: 2}"]
        counts.append("data.source_ext.utterances={train: 4}")
        overrides += ["data=numbers_ru_en", f"data.root={tmp_path}", *counts]
    elif choice == "data=toloka":
        overrides += [f"data.root={tmp_path}", f"data.source.cache={tmp_path}"]
        overrides.append("data.source.utterances={train: 24, test: 6}")
    elif choice in READY_FEATURES:
        root = request.getfixturevalue("real_data") / "voxforge_ru_mfcc"
        overrides += [*READY_FEATURES, f"data.root={root}"]
    elif choice in OF_TEXT:  # what is tested is learnt, and there is no audio to be batched
        settings = [each for each in ONE_STEP if not each.startswith("datamodule.")]
        overrides = [*OF_TEXT, *settings, "data=table", f"data.root={tone_corpus}"]
        overrides.append("datamodule.remove=[]")
    elif choice in LAID_OUT:
        check(compose("train", tmp_path, choice, f"data.root={tmp_path}"))
        return
    elif choice == "overlap=default":  # the tones of the test are those of the training
        overrides += ["data=table", f"data.root={tone_corpus}"]
        overrides += ["overlap.recording=report", "overlap.near_duplicate=report"]
    elif choice == "data=table":
        overrides.append(f"data.root={tone_corpus}")
    elif choice == "sampler=shards":
        packed = tmp_path / "packed"
        of_files = ["data=table", f"data.root={tone_corpus}", f"output={packed}"]
        shard(compose("shard", tmp_path, *of_files))
        overrides += ["data=table", f"data.root={packed}"]
    else:
        overrides += ["data=table", f"data.root={tone_corpus}"]
    if choice == "debug=overfit":  # which validates once in ten epochs
        overrides.append("trainer.check_val_every_n_epoch=1")
    config = compose("train", tmp_path, *overrides)
    figures = train(config)
    assert figures[config.optimised_metric] >= 0.0
    assert (tmp_path / "report.json").is_file()


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_settings_of_a_recipe_fit_what_they_configure(recipe: str, compose, tmp_path) -> None:
    check(compose("train", tmp_path, f"+experiments={recipe}"))


@pytest.mark.parametrize("folder", ["conf", "experiments"])
def test_targets_are_public_names_so_that_files_can_move(folder: str) -> None:
    for path in (ROOT / folder).rglob("*.yaml"):
        for target in re.findall(r"_target_: *(kaskad[\w.]*)", path.read_text(encoding="utf-8")):
            room, _, name = target.rpartition(".")
            assert name in import_module(room).__all__, (
                f"{path}: {target} is not exported by {room}"
            )
