"""What `kaskad prepare` writes can be read again; what it cannot write it says before it begins."""

import logging
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile
from omegaconf import DictConfig, OmegaConf

from kaskad.commands.prepare import prepare
from kaskad.corpora.manifest import read_manifest
from kaskad.corpora.text_files import ManifestError
from kaskad.data.checks import DataError


def corpora(output: Path, **roots: Path) -> DictConfig:
    """All rows of each table, as a corpus by the name given."""
    made = {
        name: {
            "_target_": "kaskad.data.Corpus",
            "role": "test",
            "split": "all",
            "language": "ru",
            "manifest": {
                "_target_": "kaskad.corpora.read_table",
                "_partial_": True,
                "root": str(root),
            },
        }
        for name, root in roots.items()
    }
    return OmegaConf.create(
        {
            "data": {"corpora": made},
            "output": str(output),
            "min_seconds": 0.05,
            "max_seconds": 30.0,
        }
    )


def test_an_utterance_of_two_parts_is_written_in_the_first(
    make_corpus, tmp_path: Path, caplog
) -> None:
    everything = make_corpus(["один", "два", "три"], id=["a", "b", "c"])
    test = tmp_path / "some.csv"
    pl.read_csv(everything).head(1).write_csv(test)
    output = tmp_path / "out.parquet"
    with caplog.at_level(logging.WARNING):
        prepare(corpora(output, test=test, test_all=everything))
    written = read_manifest(output)
    assert written.select("id", "split").rows() == [
        ("a", "test"),
        ("b", "test_all"),
        ("c", "test_all"),
    ]
    assert "left out 1 utterances of test_all that are in an earlier part" in caplog.text


def test_it_says_why_utterances_are_left_out_and_refuses_a_corpus_of_nothing_else(
    make_corpus, tmp_path: Path, caplog
) -> None:
    root = make_corpus(["один", "<sil>", None, "три", "пять"])
    (tmp_path / "3.wav").unlink()
    flac = make_torn(tmp_path / "4.flac")
    root.write_text(root.read_text().replace("4.wav", flac.name))
    assert prepare(corpora(tmp_path / "out.csv", test=root)) == {"test/utterances": 1}
    assert read_manifest(tmp_path / "out.csv")["id"].to_list() == ["0.wav"]
    for reason in (
        "test: 4 of 5 utterances cannot be used",
        "1.wav: the transcript is empty: '<sil>'",
        "3.wav: there is no such file",
    ):
        assert reason in caplog.text
    skipped = pl.read_csv(tmp_path / "out.skipped.csv")["reason"].to_list()
    assert "4.flac: breaks off" in skipped[-1]
    root.write_text("path,text\n3.wav,три\n")
    with pytest.raises(DataError, match=r"no utterance .* can be used \(.*3.wav: there is no such"):
        prepare(corpora(tmp_path / "none.csv", test=root))
    assert not (tmp_path / "none.csv").exists()


def make_torn(path: Path) -> Path:
    """A recording that only its header says is whole."""
    soundfile.write(path, np.random.default_rng(0).uniform(-0.5, 0.5, 16_000), 16_000)
    path.write_bytes(path.read_bytes()[:9_000])
    return path


def test_different_utterances_of_one_id_are_refused(
    make_corpus, write_tone, tmp_path: Path
) -> None:
    first = make_corpus(["один"], id=["a"])
    write_tone("other.wav")
    (tmp_path / "second.csv").write_text("id,path,text\na,other.wav,два\n")
    with pytest.raises(ManifestError, match=r"the id is not unique \(row 1: a, row 2: a\)"):
        prepare(corpora(tmp_path / "out.csv", one=first, two=tmp_path / "second.csv"))
    assert not (tmp_path / "out.csv").exists()


def test_an_output_that_cannot_be_written_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    with pytest.raises(ManifestError, match=r"unknown kind of table '\.xlsx'"):
        prepare(corpora(tmp_path / "out.xlsx", train=tmp_path / "missing.csv"))
