"""What `kaskad shard` packs is what it was, and whatever reads audio finds it there."""

import json
import shutil
import tarfile
from pathlib import Path

import polars as pl
import pytest
import soundfile
import torch

from kaskad.audio.files import Packed, read_bytes
from kaskad.audio.fingerprints import fingerprints
from kaskad.audio.headers import inspect
from kaskad.audio.levels import levels
from kaskad.audio.reading import read_audio, read_header
from kaskad.commands.shard import shard
from kaskad.commands.train import train
from kaskad.corpora.shards import pack
from kaskad.corpora.table import read_table
from kaskad.data.checks import DataError

# Two that have one name, one that is long and odd, and all formats.
FORMATS = {
    "a/tone.wav": {},
    "b/tone.wav": {"channels": 2},
    f"{'долго ' * 20}#1+2.flac": {"sample_rate": 8_000},
    "tone.ogg": {},
    "tone.opus": {"format": "OGG", "subtype": "OPUS", "sample_rate": 48_000},
    "tone.mp3": {},
    "tone.sph": {"format": "NIST", "subtype": "PCM_16"},
}

SMALL = [
    "model=lstm",
    "model.encoder.hidden_size=8",
    "model.encoder.layers=1",
    "trainer.max_epochs=1",
    "datamodule.workers=1",
    "datamodule.batch_seconds=4",
]


@pytest.fixture
def corpus(write_tone, tmp_path: Path) -> Path:
    """Fourteen tones of growing length in all formats, ten of them to train on; columns that a
    shard might take for its own."""
    rows = []
    for number in range(14):
        name, options = list(FORMATS.items())[number % len(FORMATS)]
        path = f"corpus/{number // len(FORMATS)}/{name}"
        write_tone(path, 0.2 + 0.1 * number, **options)
        split = {10: "validation", 11: "validation", 12: "test", 13: "test"}.get(number, "train")
        rows.append((f"{number:03d}", path, "да", split, f"0{number % 2}", "Вятка", None))
    columns = ["id", "path", "text", "split", "speaker", "place", "reason"]
    (tmp_path / "corpus").mkdir(exist_ok=True)
    manifest = pl.DataFrame(rows, schema=columns, orient="row")
    manifest = manifest.with_columns(pl.col("path").str.strip_prefix("corpus/"))
    manifest.write_csv(tmp_path / "corpus" / "manifest.csv")
    return tmp_path / "corpus"


def config(compose, root: Path, output: Path, *more: str):
    choices = ["data=table", f"data.root={root}", f"output={output}"]
    return compose("shard", output.parent, *choices, *more)


def test_every_file_is_packed_as_it_is_and_everything_finds_it(
    compose, corpus: Path, tmp_path: Path
) -> None:
    output = tmp_path / "packed"
    figures = shard(config(compose, corpus, output, "megabytes=0.1"))
    before = read_table(corpus, "all", language="ru").sort("id")
    packed = read_table(output, "all")
    after = packed.sort("id")
    assert before.drop("path").equals(after.select(before.drop("path").columns))
    assert packed["id"].to_list() != after["id"].to_list()  # in the order of the shards, shuffled
    measured = [inspect, fingerprints, levels]
    for measure in measured:
        assert measure(before["path"]).equals(measure(after["path"])), measure
    members = {}
    for file in output.glob("*.tar"):
        with tarfile.open(file) as tar:
            members |= {(file.name, m.name): tar.extractfile(m).read() for m in tar.getmembers()}
        assert file.stat().st_size <= 100_000
    originals = [Path(path).read_bytes() for path in before["path"]]
    assert [read_bytes(path) for path in after["path"]] == originals
    assert sorted(members.values()) == sorted(originals)
    shards = after.select("split", shard=pl.col("path").str.extract(r"([^/]*)\.tar#")).unique()
    assert all(name.startswith(split) for split, name in shards.rows())  # no shard has of two
    assert figures["shards"] == shards.height > 3
    assert {file.suffix for file in output.iterdir()} == {".tar", ".parquet"}
    assert [*tmp_path.glob(".*")] == []


def test_shards_are_packed_anew_in_another_size(compose, corpus: Path, tmp_path: Path) -> None:
    shard(config(compose, corpus, tmp_path / "small", "megabytes=0.05"))
    figures = shard(config(compose, tmp_path / "small", tmp_path / "large"))
    assert (figures["utterances"], figures["shards"]) == (14, 3)
    for path, twin in zip(
        read_table(tmp_path / "small", "all").sort("id")["path"],
        read_table(tmp_path / "large", "all").sort("id")["path"],
        strict=True,
    ):
        assert read_bytes(path) == read_bytes(twin)


def test_what_cannot_be_used_is_left_out_and_listed_unless_it_is_too_much(
    compose, corpus: Path, tmp_path: Path
) -> None:
    (corpus / "0" / "a" / "tone.wav").unlink()
    (corpus / "1" / "a" / "tone.wav").write_text("This is a letter.")
    shard(config(compose, corpus, tmp_path / "packed"))
    skipped = pl.read_csv(tmp_path / "packed" / "skipped.csv", schema_overrides={"id": pl.String})
    assert skipped["id"].to_list() == ["000", "007"]
    assert "there is no such file" in skipped["reason"][0]
    assert "not an audio file" in skipped["reason"][1]
    assert read_table(tmp_path / "packed", "all").height == 12

    few = config(compose, corpus, tmp_path / "none", "max_skipped=0.1")
    with pytest.raises(DataError, match=r"corpus 'train': 2 of 10 .* shards\.max_skipped \(now"):
        shard(few)
    assert not (tmp_path / "none").exists()


def test_a_file_that_is_gone_when_its_turn_comes_is_told(corpus: Path, tmp_path: Path) -> None:
    manifest = read_table(corpus, "train")
    Path(manifest["path"][3]).unlink()
    places = pack(manifest, tmp_path, most=1_000_000, seed=0)
    lost = places.drop_nulls("reason")
    assert lost["path"].to_list() == [manifest["path"][3]]
    assert lost["reason"][0].startswith(f"{manifest['path'][3]}: there is no such file")
    assert places["place"].null_count() == 1
    for path, place in places.drop_nulls("place").select("path", "place").rows():
        assert read_bytes(tmp_path / place) == Path(path).read_bytes()


def test_work_that_broke_off_leaves_nothing_and_begins_anew(
    compose, corpus: Path, tmp_path: Path, monkeypatch
) -> None:
    killed = tmp_path / ".packed.partial" / "packed"
    killed.mkdir(parents=True)
    (killed / "train-00099.tar").write_bytes(b"half")
    free = shutil.disk_usage(tmp_path)._replace(free=1_000)
    with monkeypatch.context() as full:
        full.setattr("kaskad.corpora.shards.shutil.disk_usage", lambda _: free)
        with pytest.raises(OSError, match=r"0\.0 GB are free on this disk, and the shards take"):
            shard(config(compose, corpus, tmp_path / "packed"))
    assert not killed.parent.exists() and not (tmp_path / "packed").exists()

    killed.mkdir(parents=True)
    (killed / "train-00099.tar").write_bytes(b"half")
    shard(config(compose, corpus, tmp_path / "packed"))
    assert not killed.parent.exists() and not (tmp_path / "packed" / "train-00099.tar").exists()
    with pytest.raises(FileExistsError, match="packed: is there already"):
        shard(config(compose, corpus, tmp_path / "packed"))


def test_a_shard_that_was_cut_or_lost_is_told(compose, corpus: Path, tmp_path: Path) -> None:
    shard(config(compose, corpus, tmp_path / "packed"))
    paths = read_table(tmp_path / "packed", "train")["path"]
    file = Packed.at(paths[0]).file
    cut = Path(file).read_bytes()[: Packed.at(paths[-1]).offset + 100]
    Path(file).write_bytes(cut)
    problems = inspect(paths)["problem"].to_list()
    assert problems == [None] * 9 + ["its tar file breaks off before its end"]
    Path(file).unlink()
    assert set(inspect(paths)["problem"]) == {"there is no such file"}


@pytest.mark.slow
def test_a_run_from_shards_is_one_from_files_to_the_bit(
    compose, tone_corpus: Path, tmp_path: Path
) -> None:
    shard(config(compose, tone_corpus, tmp_path / "packed"))
    packed = pl.read_parquet(tmp_path / "packed" / "manifest.parquet")
    files = pl.read_csv(tone_corpus / "manifest.csv").select("id", "path")
    files = packed.drop("path").join(files, on="id", maintain_order="left")
    absolute = pl.format("{}/{}", pl.lit(str(tone_corpus)), "path")
    files.with_columns(path=absolute).write_parquet(tmp_path / "manifest.parquet")
    weights, reports = [], []
    for root, audio in ((tmp_path, tone_corpus), (tmp_path / "packed", tmp_path / "packed")):
        run = tmp_path / f"run_{root.name}"
        run.mkdir()
        corpus = ["data=table", f"data.root={root}", f"data.audio_root={audio}", "augment=full"]
        train(compose("train", run, *SMALL, *corpus))
        checkpoint = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
        weights.append(checkpoint["state_dict"])
        reports.append(json.loads((run / "report.json").read_text())["corpora"]["test"]["figures"])
        assert "data:audio/mpeg" in (run / "report.html").read_text()
    assert all(torch.equal(tensor, weights[1][name]) for name, tensor in weights[0].items())
    assert reports[0] == reports[1]


def test_features_stay_in_their_arrays(compose, real_data: Path, tmp_path: Path) -> None:
    choices = ["data=voxforge_ru_mfcc", f"output={tmp_path / 'packed'}"]
    root = f"data.root={real_data / 'voxforge_ru_mfcc'}"
    with pytest.raises(DataError, match="comes as features, in arrays of many utterances"):
        shard(compose("shard", tmp_path, *choices, root))


def test_the_header_of_a_file_in_a_tar_file_is_that_of_the_file(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", [0.0, 0.5, 0.0], 8_000)
    content = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "b.tar").write_bytes(b"before" + content + b"after")
    path = str(Packed(f"{tmp_path}/b.tar", 6, len(content)))
    assert read_header(path) == read_header(tmp_path / "a.wav")


def test_a_recording_of_several_segments_is_packed_once(
    compose, write_tone, tmp_path: Path
) -> None:
    call = write_tone("calls/call.wav", seconds=4.0, channels=2)
    rows = "path,text,start,end,channel,split\n"
    rows += "".join(f"call.wav,да,{n},{n + 0.5},{n % 2},train\n" for n in range(3))
    (tmp_path / "calls/manifest.csv").write_text(rows)
    only = ("~data.corpora.validation", "~data.corpora.test")
    shard(config(compose, tmp_path / "calls", tmp_path / "packed", *only))
    (packed,) = (tmp_path / "packed").glob("*.tar")
    assert packed.stat().st_size < 1.2 * call.stat().st_size
    before, after = (read_table(tmp_path / name, "all").sort("id") for name in ("calls", "packed"))
    for one, other in zip(before["path"], after["path"], strict=True):
        assert read_audio(one, 8_000).tolist() == read_audio(other, 8_000).tolist()
