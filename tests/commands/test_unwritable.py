"""Places where nothing can be written are told of before any work, and cost nothing but a cache."""

import errno
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from kaskad.audio.levels import levels
from kaskad.commands.prepare import prepare
from kaskad.commands.shard import shard
from kaskad.commands.transcribe import transcribe
from kaskad.corpora.table_files import write_table
from kaskad.corpora.text_files import ManifestError
from kaskad.data.checks import check_audio
from kaskad.transcripts.files import write_transcripts
from kaskad.transcripts.transcript import Transcript

NOBODY_WRITES = "/proc/kaskad"  # not even root
NO_DATA = ["data=table", "data.root=nowhere", "data.language=en"]


@pytest.mark.parametrize(
    ("command", "name", "options"),
    [
        (prepare, "prepare", [*NO_DATA, f"output={NOBODY_WRITES}/made.csv"]),
        (shard, "shard", [*NO_DATA, f"output={NOBODY_WRITES}/shards"]),
        (transcribe, "transcribe", ["checkpoint=nowhere", f"output={NOBODY_WRITES}/a.srt"]),
        (transcribe, "transcribe", ["checkpoint=nowhere", f"output={NOBODY_WRITES}/a.csv"]),
    ],
)
def test_an_output_that_cannot_be_written_is_told_of_first(
    compose, write_tone, tmp_path: Path, command: Any, name: str, options: list[str]
) -> None:
    given = [f"input={write_tone('a.wav', seconds=0.5)}"] if name == "transcribe" else []
    with pytest.raises((ManifestError, OSError, ValueError), match=r"cannot be written: .*choose"):
        command(compose(name, tmp_path, *options, *given))


def test_a_cache_that_cannot_be_written_is_done_without(
    write_tone, caplog: pytest.LogCaptureFixture
) -> None:
    path = str(write_tone("a.wav", seconds=0.5))
    manifest = pl.DataFrame({"id": ["a"], "path": [path], "text": ["one"]})
    cache = Path(NOBODY_WRITES)
    usable, _ = check_audio(manifest, min_seconds=0.1, max_seconds=9, cache=cache)
    assert usable["duration"].to_list() == [0.5]
    assert levels(manifest["path"], cache)["level"][0] < 0
    assert caplog.text.count("is not kept, and is measured again next time") == 2


@pytest.mark.parametrize("suffix", [".csv", ".txt"])
def test_a_full_disk_leaves_what_was_there_and_says_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    path = tmp_path / f"out{suffix}"
    path.write_text("before")

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(pl.DataFrame, "write_csv", full)
    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        (ManifestError, OSError), match=f"out{suffix}: cannot be written: .*No spac"
    ):
        if suffix == ".csv":
            write_table(pl.DataFrame({"a": [1]}), path)
        else:
            write_transcripts([Transcript("a", 1.0)], path)
    assert path.read_text() == "before"
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
