"""Every choice under conf/ and every recipe of experiments/ is one that a run can make."""

import re
from collections.abc import Callable
from importlib import import_module
from itertools import product
from pathlib import Path
from string import Template

import polars as pl
import pytest
import torch
import yaml

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
]
OF_AUDIO = ["datamodule.workers=0", "datamodule.batch_seconds=4"]
OF_TEXT = {"datamodule=text", "model=g2p", "model=g2p_transformer", "model=corrector"}
NEEDS: dict[str, list[str]] = yaml.safe_load(Path(__file__).with_name("one_step.yaml").read_text())
TONES = ["data=table", "data.root=$tone_corpus"]
# Corpora as other tools lay them out are checked only; tests/corpora/ reads one of each.
FORMATS = ("annotations", "common_voice", "kaldi", "lhotse", "librispeech", "nemo", "sidecar")
CHECKED = [f"data={name}" for name in FORMATS]
# What the other groups choose has tests in rooms of its own, so that a step with each may wait.
TRAINED = [choice for choice in CHOICES if choice.startswith(("model=", "data="))]
TRAINED = [choice for choice in TRAINED if choice not in CHECKED]
WAITING = [choice for choice in CHOICES if choice not in {*TRAINED, *CHECKED}]
ON_A_GPU = ["trainer=gpu", "trainer=ddp"]


@pytest.fixture(scope="session")
def tiny_encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wav2vec 2.0 of random weights, as transformers saves it."""
    import transformers  # heavy

    folder = tmp_path_factory.mktemp("wav2vec2")
    torch.manual_seed(0)
    config = transformers.Wav2Vec2Config(
        hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=16,
        conv_dim=[8, 8], conv_kernel=[20, 8], conv_stride=[20, 8], num_feat_extract_layers=2,
        num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2,
    )  # fmt: skip
    transformers.Wav2Vec2Model(config).save_pretrained(folder)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=True).save_pretrained(folder)
    return folder


@pytest.fixture
def packed_tones(compose, tone_corpus: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "packed"
    shard(compose("shard", tmp_path, "data=table", f"data.root={tone_corpus}", f"output={folder}"))
    return folder


@pytest.fixture
def spoken_text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("да\nнет\n", encoding="utf-8")
    return path


@pytest.fixture
def small_dictionary(tmp_path: Path) -> Path:
    path = tmp_path / "dictionary.tsv"
    words = ["".join(letters) for letters in product("бгмн", "аоу", "ктш", ["", "а"])]
    path.write_text("".join(f"{word}\t{' '.join(word)}\n" for word in words), encoding="utf-8")
    return path


@pytest.fixture
def tested_run(tmp_path: Path) -> Path:
    """The hypotheses of a recogniser that takes one word for another."""
    rows = [
        (corpus, f"{number}", "да нет", "да да" if number % 2 else "да нет")
        for corpus in ("held_out", "test")
        for number in range(60)
    ]
    (tmp_path / "tested" / "tables").mkdir(parents=True)
    table = pl.DataFrame(rows, ["corpus", "id", "reference", "hypothesis"], orient="row")
    table.write_parquet(tmp_path / "tested" / "tables" / "hypotheses.parquet")
    return tmp_path / "tested"


@pytest.fixture
def settings_for(request, monkeypatch) -> Callable[[str], list[str]]:
    """What a choice needs beside itself, with folders in place of the names of fixtures."""

    def settings(choice: str) -> list[str]:
        needed = []
        for need in map(Template, NEEDS.get(choice, TONES)):
            folders = {name: request.getfixturevalue(name) for name in need.get_identifiers()}
            name, _, value = need.substitute(folders).partition("=")
            if name.isupper():
                monkeypatch.setenv(name, value)
            else:
                needed.append(f"{name}={value}")
        return needed

    return settings


@pytest.mark.long
@pytest.mark.parametrize(
    "choice", [*TRAINED, *(pytest.param(each, marks=pytest.mark.slow) for each in WAITING)]
)
def test_one_training_step_with(choice: str, compose, settings_for, tmp_path: Path) -> None:
    if choice in ON_A_GPU and not torch.cuda.is_available():
        pytest.skip("no GPU on this machine")
    settings = settings_for(choice)
    if not OF_TEXT & set(settings):
        settings += OF_AUDIO
    config = compose("train", tmp_path, choice, *ONE_STEP, *settings)
    figures = train(config)
    assert figures[config.optimised_metric] >= 0.0
    assert (tmp_path / "report.json").is_file()


@pytest.mark.parametrize("choice", CHECKED)
def test_a_format_of_other_tools_is_a_choice(choice: str, compose, tmp_path: Path) -> None:
    check(compose("train", tmp_path, choice, f"data.root={tmp_path}"))


@pytest.mark.parametrize("choice", WAITING)
def test_the_settings_of_a_choice_fit_what_they_configure(
    choice: str, compose, settings_for, tmp_path: Path
) -> None:
    check(compose("train", tmp_path, choice, *settings_for(choice)))


def test_every_need_is_that_of_a_choice() -> None:
    assert NEEDS.keys() <= set(CHOICES)


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
