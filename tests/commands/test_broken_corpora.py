"""Every command goes through a corpus of broken recordings: each costs its own row and is named."""

from pathlib import Path

import polars as pl
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.commands.describe import describe
from kaskad.commands.prepare import prepare
from kaskad.commands.shard import shard
from kaskad.commands.train import train
from kaskad.commands.transcribe import UntranscribedError, transcribe
from tests.broken_recordings import DOUBTFUL, HOLDS, SOUND, UNUSABLE, write_all

OURS = ["data=table", "data.language=en"]


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    """A folder with a recording of every kind, and a manifest of them all for each part."""
    folder = tmp_path_factory.mktemp("corpus [1]")
    paths = write_all(folder)
    rows = [
        (f"={split} {name}", path.name, "one", split)
        for split in ("train", "validation", "test")
        for name, path in paths.items()
    ]
    columns = ["id", "path", "text", "split"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(folder / "manifest.csv")
    return folder


def kinds(ids: pl.Series) -> set[str]:
    return {id_.removeprefix("'").split(" ", 1)[1] for id_ in ids}


def test_prepare_writes_what_is_sound(compose, corpus: Path, tmp_path: Path) -> None:
    overrides = [*OURS, f"data.root='{corpus}'", f"output={tmp_path / 'made.csv'}"]
    prepare(compose("prepare", tmp_path, *overrides))
    usable = kinds(pl.read_csv(tmp_path / "made.csv")["id"])
    skipped = pl.read_csv(tmp_path / "made.skipped.csv")
    assert set(SOUND) == usable  # what a header says is not enough
    assert set(DOUBTFUL) <= kinds(skipped["id"])
    assert skipped["reason"].null_count() == 0


def test_describe_names_the_rest(compose, corpus: Path, tmp_path: Path) -> None:
    describe(compose("describe", tmp_path, *OURS, f"data.root='{corpus}'", "cache=null"))
    found = pl.read_csv(tmp_path / "suspicious.csv")
    unusable = kinds(found.filter(pl.col("kind") == "unusable")["id"])
    assert unusable == set(DOUBTFUL | UNUSABLE)


def test_shards_hold_what_is_sound(compose, corpus: Path, tmp_path: Path) -> None:
    overrides = [*OURS, f"data.root='{corpus}'", f"output={tmp_path / 'shards'}", "max_skipped=0.9"]
    shard(compose("shard", tmp_path, *overrides))
    usable = kinds(pl.read_parquet(tmp_path / "shards" / "manifest.parquet")["id"])
    assert set(SOUND) == usable


def test_training_goes_on_without_them(compose, corpus: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run [1]"
    folder.mkdir()
    small = ["model=lstm", "model.encoder.hidden_size=4", "model.encoder.layers=1", "debug=fast"]
    small += ["datamodule.max_skipped=0.9", "datamodule.cache=null", "datamodule.workers=0"]
    small += ["overlap.recording=report", "overlap.near_duplicate=ignore"]
    train(compose("train", f"'{folder}'", *OURS, f"data.root='{corpus}'", *small))
    skipped = pl.read_csv(folder / "skipped.csv", glob=False)
    assert kinds(skipped["id"]) == set(DOUBTFUL | UNUSABLE)  # as prepare, describe and shard
    assert skipped["id"].str.starts_with("'=").all()
    assert (folder / "report.json").is_file()
    assert not list(folder.rglob("*.unfinished"))


def test_transcribe_says_in_each_row_why_not(compose, corpus: Path, tmp_path: Path) -> None:
    config = compose(
        "train", tmp_path, *OURS, "data.root=.", "model=lstm", "tokenizer.alphabet=[a]"
    )
    content = {
        "config": OmegaConf.to_container(config, resolve=True),
        "state_dict": instantiate(config.model).state_dict(),
    }
    torch.save(content, tmp_path / "best.ckpt")
    overrides = [f"checkpoint={tmp_path / 'best.ckpt'}", f"input='{corpus / 'manifest.csv'}'"]
    with pytest.raises(UntranscribedError):
        transcribe(compose("transcribe", tmp_path, *overrides, f"output={tmp_path / 'out.csv'}"))
    rows = pl.read_csv(tmp_path / "out.csv")
    assert kinds(rows.filter(pl.col("error").is_null())["id"]) == set(HOLDS)


def test_nothing_was_written_beside_the_recordings(corpus: Path) -> None:
    kinds_of_recordings = len(DOUBTFUL | SOUND | UNUSABLE)
    lacking = {"nothing there"}
    assert len(list(corpus.iterdir())) == kinds_of_recordings - len(lacking) + 1  # the manifest
