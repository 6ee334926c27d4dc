"""Cuts of Lhotse are read where they are recordings in files, or parts of such."""

import gzip
import json
from pathlib import Path

import pytest

from kaskad.corpora.lhotse import read_lhotse
from kaskad.corpora.text_files import ManifestError

SOURCE = {"type": "file", "channels": [0], "source": "audio/1.wav"}


def cut(name: str = "1", **changes) -> dict:
    """A cut as Lhotse writes it; ``changes`` go to the cut, or by prefix to its recording."""
    recording = {
        "id": name,
        "sources": [{**SOURCE, "source": f"audio/{name}.wav"}],
        "sampling_rate": 16000,
        "num_samples": 32000,
        "duration": 2.0,
        **{key[10:]: value for key, value in changes.items() if key.startswith("recording_")},
    }
    segment = {"id": name, "recording_id": name, "start": 0.0, "duration": 2.0, "channel": 0}
    return {
        "id": name,
        "start": 0,
        "duration": 2.0,
        "channel": 0,
        "supervisions": [
            {**segment, "start": 1.0, "text": "два"},
            {**segment, "text": "раз", "speaker": "anna", "gender": "F"},
        ],
        "recording": recording,
        "type": "MonoCut",
        **{key: value for key, value in changes.items() if not key.startswith("recording_")},
    }


def write(folder: Path, *cuts: dict) -> None:
    with gzip.open(folder / "cuts_train.jsonl.gz", "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(one, ensure_ascii=False) + "\n" for one in cuts)


def test_whole_cuts_are_read(tmp_path: Path) -> None:
    write(tmp_path, cut("1"), cut("2", supervisions=[]))
    assert read_lhotse(tmp_path, "train").rows() == [
        ("1", f"{tmp_path}/audio/1.wav", "раз два", "anna", "female", "ru"),
        ("2", f"{tmp_path}/audio/2.wav", None, None, None, "ru"),
    ]
    (tmp_path / "cuts.jsonl").write_text(json.dumps(cut()))
    assert read_lhotse(tmp_path, "test", files={"test": "cuts.jsonl"})["id"].to_list() == ["1"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "MixedCut"}, "line 2: 1 is a MixedCut; only cuts of one recording can be read"),
        ({"recording": None}, "line 2: 1 is a cut without a recording; only cuts"),
        ({"recording_transforms": [{"name": "Speed"}]}, "its recording changed on the fly"),
        (
            {"recording_sources": [{"type": "command", "source": "touch was_run"}]},
            "line 2: the audio of 1 is a command, not a file; nothing is run or fetched",
        ),
        (
            {"recording_sources": [{"type": "file", "source": "../1.wav"}]},
            "outside .*audio_root",
        ),
        ({"id": "0"}, "the id is not unique"),
        ({"recording_sources": 3}, "line 2: not a Lhotse cut: TypeError"),
    ],
)
def test_what_cannot_be_read_as_it_is_is_refused_by_file_and_line(
    tmp_path: Path, changes: dict, message: str
) -> None:
    write(tmp_path, cut("0"), cut("1", **changes))
    with pytest.raises(ManifestError, match=rf"cuts_train\.jsonl\.gz: .*{message}"):
        read_lhotse(tmp_path, "train")


def test_cuts_of_a_longer_recording_are_segments_of_it(tmp_path: Path) -> None:
    stereo = [{**SOURCE, "channels": [0, 1]}]
    write(
        tmp_path,
        cut("1", start=0.5, duration=1.2),
        cut("2", channel=1, recording_sources=stereo),
        cut("3", duration=1.0, channel=0, recording_sources=stereo),
    )
    assert read_lhotse(tmp_path, "train")["path"].to_list() == [
        f"{tmp_path}/audio/1.wav#t=0.5,1.7",
        f"{tmp_path}/audio/1.wav#channel=1",
        f"{tmp_path}/audio/1.wav#t=0.0,1.0&channel=0",
    ]


def test_a_file_that_is_damaged_or_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"no table .*cuts_train\.jsonl\.gz; .*files\.train"
    ):
        read_lhotse(tmp_path, "train")
    (tmp_path / "cuts_train.jsonl.gz").write_text("no gzip")
    with pytest.raises(ManifestError, match=r"line 1: not a Lhotse cut: BadGzipFile"):
        read_lhotse(tmp_path, "train")
    doubled = json.dumps(cut("1"))[:-1] + ', "id": "2"}'
    (tmp_path / "cuts.jsonl").write_text(json.dumps(cut("0")) + "\n" + doubled)
    with pytest.raises(ManifestError, match=r'line 2: .* key \'id\' stands twice .*"1" and "2"'):
        read_lhotse(tmp_path, "test", files={"test": "cuts.jsonl"})
