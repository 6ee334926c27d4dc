"""Recognisers that output one letter for everything: a release needs no more."""

from collections.abc import Callable
from pathlib import Path

import hydra
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.commands.release import release

ROOT = Path(__file__).resolve().parents[2]
ALONE = ["datamodule.workers=0", "datamodule.cache=null", "trainer.enable_progress_bar=false"]
TEXTS = ["а", "а", "б", "а", "б", "а"]
SECONDS = [0.3, 0.4, 0.5, 0.6, 0.7, 0.8]
SMALL = ["model=lstm", "model.encoder.hidden_size=8", "model.encoder.layers=1"]


@pytest.fixture
def corpus(make_corpus) -> Path:
    """Six utterances, four of "а" and two of "б"."""
    return make_corpus(TEXTS, SECONDS, split=["test"] * len(TEXTS))


@pytest.fixture
def untrained(compose, corpus: Path, tmp_path: Path) -> Callable[..., Path]:
    """Write the checkpoint of a recogniser of these overrides; returns its run."""

    def make(*overrides: str, always: str | None = None, name: str = "run") -> Path:
        folder = tmp_path / name
        (folder / "checkpoints").mkdir(parents=True)
        torch.manual_seed(0)
        config = compose("train", folder, "data=table", f"data.root={corpus}", *overrides)
        config.tokenizer.update(instantiate(config.tokenizer).fit(TEXTS).state())
        model = instantiate(config.model)
        if always is not None:
            model.head.weight.data.zero_()
            model.head.bias.data.zero_()[model.tokenizer.labels.index(always)] = 9.0
        resolved = OmegaConf.to_container(config, resolve=True)
        resolved["choices"] = {"data": "table", "model": "lstm"}
        saved = {"config": resolved, "state_dict": model.state_dict()}
        torch.save(saved, folder / "checkpoints" / "best.ckpt")
        return folder

    return make


@pytest.fixture
def trained(untrained) -> Callable[..., Path]:
    """Write the checkpoint of a small recogniser that outputs a letter for everything."""
    return lambda letter, *overrides, **options: untrained(
        *SMALL, *overrides, always=letter, **options
    )


@pytest.fixture
def released(compose, tmp_path: Path) -> Callable[..., Path]:
    """Release a run with kaskad release; returns the folder of the release."""

    def make(run: Path, name: str = "v1", *overrides: str) -> Path:
        work = tmp_path / f"work_{name}"
        work.mkdir(exist_ok=True)
        arguments = (
            f"run={run}",
            f"name={name}",
            f"output={tmp_path / 'releases'}",
            *ALONE,
            *overrides,
        )
        config = compose("release", work, *arguments)
        with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            release(config)
        return tmp_path / "releases" / name

    return make


@pytest.fixture
def arpa(tmp_path: Path) -> Path:
    """A language model of the words а and б."""
    file = tmp_path / "two words"  # a name of any kind
    one = "-1.0\t<unk>\n-99\t<s>\t0.0\n-0.5\t</s>\n-0.6\tа\t0.0\n-0.7\tб\t0.0\n"
    counts, two = "ngram 1=5\nngram 2=1\n", "-0.3\t<s> а\n"
    text = f"\\data\\\n{counts}\n\\1-grams:\n{one}\n\\2-grams:\n{two}\n\\end\\\n"
    file.write_text(text, "utf-8")
    return file
