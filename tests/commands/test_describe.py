"""`kaskad describe` tells what a corpus holds, and finds what was planted in it."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import soundfile

from kaskad import espeak
from kaskad.commands.describe import describe
from kaskad.data.checks import DataError
from kaskad.data.statistics import histogram
from kaskad.text.numerals import number_to_words

ROOT = Path(__file__).parents[2]
RATE = espeak.SAMPLE_RATE
NUMBERS = [4_711 * index + 17 for index in range(1, 21)]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty numbers read out, sound; and one row of each kind that is not, named after it."""
    folder = tmp_path_factory.mktemp("planted")
    spoken = {f"n{n}": number_to_words(n, "ru") for n in NUMBERS}
    clips = {name: espeak.synthesise(text, voice="ru") / 2**15 for name, text in spoken.items()}
    first, second, third, *_ = clips
    loud = np.clip(12.0 * espeak.synthesise("семь тысяч", voice="ru") / 2**15, -1, 1)
    noise = np.random.default_rng(0).normal(scale=1e-4, size=RATE)
    spoken |= {"fast": " ".join(spoken.values()), "slow": "да", "same": spoken[first]}
    spoken |= {"nearly": spoken[second], "clipped": "семь тысяч", "silent": "сорок два"}
    spoken |= {"foreign": spoken[third].replace("с", "c", 1), "empty": "..."}  # a Latin c
    clips |= {"fast": clips[first][::2], "slow": np.concatenate([*clips.values()][5:8])[::-1]}
    clips |= {"same": clips[first], "nearly": clips[second][1_000:], "clipped": loud}
    clips |= {"silent": noise, "foreign": clips[third][::-1], "empty": clips[third][::-1][:RATE]}
    for name, waveform in clips.items():
        soundfile.write(folder / f"{name}.flac", waveform, RATE)
    rows = [(name, f"{name}.flac", spoken[name], "анна", "f") for name in clips]
    rows.append(("broken", "broken.flac", "да", None, None))
    whole = (folder / f"{first}.flac").read_bytes()
    (folder / "torn.flac").write_bytes(whole[: len(whole) // 2])
    rows.insert(0, ("torn", "torn.flac", "да", None, None))
    columns = ["id", "path", "text", "speaker", "gender"]
    table = pl.DataFrame(rows, schema=columns, orient="row").with_columns(split=pl.lit("train"))
    table.write_csv(folder / "manifest.csv")
    return folder


def config(compose, folder: Path, root: Path, *more: str):
    alone = ["data.test_split=all", "~data.corpora.train", "~data.corpora.validation"]
    choices = ["data=table", f"data.root={root}", f"cache={folder / 'cache'}"]
    return compose("describe", folder, *choices, *alone, *more)


def test_every_planted_row_is_found_and_no_other(compose, planted: Path, tmp_path: Path) -> None:
    figures = describe(config(compose, tmp_path, planted))
    found = pl.read_csv(tmp_path / "suspicious.csv")
    assert dict(zip(found["id"], found["kind"], strict=True)) == {
        "empty": "unusable",
        "broken": "unusable",
        "torn": "unusable",
        "fast": "too fast",
        "slow": "too slow",
        "clipped": "clipped",
        "silent": "silent",
        "foreign": "foreign letters",
        "same": "the same recording",
        "nearly": "nearly the same recording",
    }
    assert figures["unusable"] == 3 and figures["suspicious"] == found.height - 3
    why = dict(found.select("id", "why").iter_rows())
    assert why["same"] == f"as n{NUMBERS[0]}"
    assert why["nearly"].startswith(f"as n{NUMBERS[1]}, similarity ")
    assert "usual are 1" in why["slow"] and "usual are 1" in why["fast"]
    assert "'c' in: " in why["foreign"]
    assert "there is no such file" in why["broken"]
    assert "torn.flac: breaks off" in why["torn"]

    described = json.loads((tmp_path / "description.json").read_text(encoding="utf-8"))
    assert described["corpora"]["speakers"] == [1]
    assert described["corpora"]["female"][0] == pytest.approx(figures["hours"], abs=1e-3)
    assert sum(described["lengths"]["utterances"]) == figures["utterances"]
    assert described["shortest"]["duration"] == sorted(described["shortest"]["duration"])
    letters = dict(pl.DataFrame(described["alphabet"]).select("character", "foreign").iter_rows())
    assert (letters["c"], letters["с"], letters[" "]) == (True, False, False)
    page = (tmp_path / "description.html").read_text(encoding="utf-8")
    assert "data:audio/mpeg;base64," in page and "data:image/png;base64," in page
    assert "LogMel, 80 bins at 16000 Hz" in page


def test_a_corpus_of_features_is_shown_as_it_is_without_audio(compose, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).normal(size=(90, 7))
    np.save(tmp_path / "all.npy", frames)
    rows = [("да", "all.npy#0:40"), ("нет", "all.npy#40:80"), ("да", "all.npy#0:40")]
    table = pl.DataFrame(rows, schema=["text", "path"], orient="row")
    table.with_row_index("id").write_csv(tmp_path / "manifest.csv")
    describe(config(compose, tmp_path, tmp_path))
    found = pl.read_csv(tmp_path / "suspicious.csv")
    assert found.select("kind", "id").rows() == [("the same recording", 2)]
    page = (tmp_path / "description.html").read_text(encoding="utf-8")
    assert "Precomputed, 7 bins at 100 Hz" in page and "features, no audio" in page
    assert "<audio" not in page


def test_nothing_to_describe_is_reported(compose, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="choose a corpus with data="):
        describe(compose("describe", tmp_path, "data=none"))


@pytest.mark.parametrize("longest", [0.04, 0.75, 6.4, 29.9, 7_000.0])
def test_the_histogram_holds_every_utterance_in_few_bars(longest: float) -> None:
    seconds = np.array([0.0, 0.37 * longest, longest])
    bars = histogram(seconds)
    assert bars["utterances"].sum() == 3
    assert bars.height <= 15
    for above, up_to, count in bars.rows():
        inside = (seconds > above) | ((above == 0) & (seconds == 0))
        assert count == (inside & (seconds <= up_to + 1e-3)).sum()
