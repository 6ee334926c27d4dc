"""A corpus of features goes the way of any other, from its manifest to the report."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from kaskad.audio.files import AudioError
from kaskad.audio.precomputed import read_signal
from kaskad.commands.train import train
from kaskad.corpora.feature_table import read_feature_table
from kaskad.corpora.text_files import ManifestError
from kaskad.data.checks import DataError
from kaskad.models.recogniser import load_recogniser

BINS = 5
STEPS = [
    "trainer.max_epochs=2",
    "logger=csv",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Words of one letter, each a pattern of its own, in one array at 50 frames a second."""
    folder = tmp_path_factory.mktemp("features")
    generator = np.random.default_rng(0)
    patterns = {letter: generator.normal(size=BINS) for letter in "абв"}
    rows, arrays, start = [], [], 0
    for index in range(30):
        letter, length = "абв"[index % 3], 20 + index
        arrays.append(patterns[letter] + generator.normal(scale=0.1, size=(length, BINS)))
        split = ("train", "train", "train", "val", "test")[index % 5]
        rows.append((f"all.npy#{index}", letter, split, start, length))
        start += length
    np.save(folder / "all.npy", np.concatenate(arrays).astype("float16"))
    columns = ["path", "text", "split", "frame_start", "n_frames"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(folder / "manifest.csv")
    return folder


def overrides(root: Path, *more: str) -> list[str]:
    corpus = ["data=voxforge_ru_mfcc", f"data.root={root}", "data.frames_per_second=50"]
    return [*corpus, *STEPS, *more]


def test_paths_name_the_rows_of_each_utterance(root: Path) -> None:
    table = read_feature_table(root, "test", frames_per_second=50)
    assert table["path"][0] == f"{root / 'all.npy'}#{sum(range(20, 24))}:{sum(range(20, 25))}@50"
    assert table["id"][0] == "all.npy#4"


def test_rows_without_their_frames_are_named_and_a_table_without_them_refused(
    root: Path, tmp_path: Path
) -> None:
    table = pl.read_csv(root / "manifest.csv")
    table.with_columns(n_frames=pl.lit(None, pl.Int64)).write_csv(tmp_path / "manifest.csv")
    problems = read_feature_table(tmp_path, "all")["problem"].unique().to_list()
    assert problems == ["frame_start and n_frames do not name frames"]
    table.drop("n_frames").write_csv(tmp_path / "manifest.csv")
    with pytest.raises(ManifestError, match=r"no column 'n_frames'.*data=table"):
        read_feature_table(tmp_path, "all")


@pytest.mark.parametrize("model", ["lstm", "seq2seq_gru"])
def test_a_recogniser_trains_on_features_and_transcribes_them(
    model: str, compose, root: Path, tmp_path: Path, monkeypatch
) -> None:
    features = ["features=precomputed", f"features.bins={BINS}", "features.sample_rate=50"]
    features.append("augment=spec")
    small = ["model.encoder.hidden_size=8", "overlap=default"]
    config = compose("train", tmp_path, f"model={model}", *overrides(root, *features, *small))
    monkeypatch.chdir(tmp_path)
    assert train(config)["test/wer"] >= 0.0
    recogniser, _ = load_recogniser(tmp_path)
    known, unknown = f"{root / 'all.npy'}#0:20@50", f"{root / 'all.npy'}#0:20"
    (hypothesis,) = recogniser.decode_waveforms([read_signal(known, 50)])
    assert hypothesis.problem is None
    with pytest.raises(AudioError, match="the model takes 50 frames a second"):
        read_signal(unknown, 50)


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ([], r"train with features=precomputed features\.bins=5 features\.sample_rate=50"),
        (
            ["features=precomputed", "features.sample_rate=50", "augment=waveform"],
            "has no waveforms to augment: choose augment=spec",
        ),
    ],
)
def test_what_does_not_fit_features_is_refused_before_training(
    choices: list[str], message: str, compose, root: Path, tmp_path: Path
) -> None:
    with pytest.raises(DataError, match=message):
        train(compose("train", tmp_path, *overrides(root, *choices)))


def test_a_corpus_of_audio_is_refused_by_a_model_of_features(
    compose, tone_corpus: Path, tmp_path: Path
) -> None:
    data = ["data=table", f"data.root={tone_corpus}"]
    choices = [*data, "features=precomputed", "augment=none", *STEPS]
    with pytest.raises(DataError, match="train with features=log_mel or features=mfcc"):
        train(compose("train", tmp_path, *choices))


def test_the_real_corpus_has_the_hours_that_its_source_says(real_data: Path) -> None:
    root = real_data / "voxforge_ru_mfcc"
    hours = {}
    for split in ("train", "validation", "test"):
        table = read_feature_table(root, split)
        rows = table.select(pl.col("path").str.extract_groups(r"#(\d+):(\d+)@").alias("rows"))
        first, end = (rows["rows"].struct.field(name).cast(pl.Int64) for name in ("1", "2"))
        hours[split] = round(int((end - first).sum()) / 100 / 3600, 3)
    assert hours == {"train": 2.071, "validation": 0.227, "test": 0.304}
