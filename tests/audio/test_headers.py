"""Headers of many files, each read once."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kaskad.audio import headers
from kaskad.audio.headers import inspect


def test_many_headers_are_read_in_order_and_the_unreadable_named(write_tone, broken) -> None:
    tones = [write_tone(f"{n}.wav", seconds=n / 10, channels=1 + n % 2) for n in range(1, 6)]
    table = inspect([str(path) for path in [*tones, broken["text"], broken["missing"], tones[0]]])
    durations = [pytest.approx(n / 10) for n in range(1, 6)]
    assert table["duration"].to_list() == [*durations, None, None, durations[0]]
    assert table["channels"].to_list() == [2, 1, 2, 1, 2, None, None, 2]
    problems = ["not an audio file, or a broken one", "there is no such file"]
    assert table["problem"].to_list() == [None] * 5 + problems + [None]


def test_a_header_is_read_again_only_where_the_file_has_changed(write_tone, tmp_path: Path) -> None:
    path, cache = write_tone("a.wav", seconds=1.0), tmp_path / "cache"
    first = inspect([str(path)], cache)
    status = path.stat()
    path.write_bytes(b"-" * status.st_size)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if it were the same file
    assert inspect([str(path)], cache).equals(first)
    os.utime(path)
    assert inspect([str(path)], cache)["problem"].to_list() == [
        "not an audio file, or a broken one"
    ]


def test_a_torn_cache_is_made_anew(write_tone, tmp_path: Path) -> None:
    path, cache = write_tone("a.wav", seconds=1.0), tmp_path / "cache"
    first = inspect([str(path)], cache)
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert inspect([str(path)], cache).equals(first)


def test_headers_read_before_an_interruption_are_kept(
    write_tone, tmp_path: Path, monkeypatch
) -> None:
    tones = [write_tone(f"{n}.wav", seconds=n / 10) for n in range(1, 6)]
    paths, cache = [str(path) for path in tones], tmp_path / "cache"
    read = headers.read_signal_header

    def interrupted(path: str):
        if path == paths[2]:
            raise KeyboardInterrupt
        return read(path)

    monkeypatch.setattr(headers, "PORTION", 2)
    with monkeypatch.context() as impatient:
        impatient.setattr(headers, "read_signal_header", interrupted)
        with pytest.raises(KeyboardInterrupt):
            inspect(paths, cache)
    for path in tones[:2]:
        status = path.stat()
        path.write_bytes(b"-" * status.st_size)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as if it were the same file
    table = inspect(paths, cache)
    assert table["duration"].to_list() == [pytest.approx(n / 10) for n in range(1, 6)]


def test_threads_are_handed_many_files_at_once(tmp_path: Path, monkeypatch) -> None:
    handed = []

    class Counted(ThreadPoolExecutor):
        def submit(self, *arguments, **more):
            handed.append(arguments)
            return super().submit(*arguments, **more)

    monkeypatch.setattr(headers, "ThreadPoolExecutor", Counted)
    paths = [f"{tmp_path}/{number}.wav" for number in range(1_000)]
    assert set(inspect(paths)["problem"]) == {"there is no such file"}
    assert len(handed) == 4
