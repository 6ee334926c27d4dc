"""What tests share: corpora of their own making, the real ones, and configurations."""

import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import polars as pl
import pytest
import soundfile
import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, open_dict

import kaskad.cli.command  # noqa: F401 - puts experiments/ where hydra.compose finds it

# Tests track nothing beside the runs of whoever starts them.
os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{tempfile.mkdtemp()}/mlflow.db"

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # some import it before kaskad.export does

# A sweep of the tests runs its jobs one by one: two processes that import everything cost more.
os.environ.setdefault("KASKAD_JOBS", "1")

# A shell has what it starts in the background ignore Ctrl-C, which some tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
torch.set_num_threads(1)  # the nets of the tests are so small that threads only wait


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real corpora: $KASKAD_DATA, or ../shared/data beside the project."""
    folder = Path(os.environ.get("KASKAD_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real corpora at {folder}; set KASKAD_DATA to the folder that holds them")
    return folder.resolve()


@pytest.fixture(scope="session")
def free_port() -> Callable[[], int]:
    """Find a port of this machine at which nobody listens."""

    def find() -> int:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            return free.getsockname()[1]

    return find


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as long what starts commands, trains on the corpus of tones, or reads a real one."""
    for item in items:
        if {"fork_server", "tone_corpus", "real_data"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("long")


TRAIN_NOTHING = '''
"""Train a tiny net: `python train.py model=small`."""
from kaskad.cli.command import command

@command("train")
def main(config):
    from tiny import train
    return train(config)

if __name__ == "__main__":
    main()
'''


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[Mapping[str, str]], Path]:
    """Write the files of a project, whose train.py calls `train` of tiny.py; returns its folder."""

    def make(files: Mapping[str, str]) -> Path:
        for name, text in {"train.py": TRAIN_NOTHING, **files}.items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        return tmp_path

    return make


@dataclass
class Command:
    """A command at work as a process of its own, or after its end."""

    server: "ForkServer"
    id: int
    folder: Path

    @property
    def output(self) -> str:
        return (self.folder / "output.txt").read_text()

    @property
    def errors(self) -> str:
        return (self.folder / "errors.txt").read_text()

    def wait(self) -> int:
        """Wait for the end; returns the exit code."""
        return self.server.wait([self])[1]

    def wait_until_it_prints(self, words: str, seconds: float = 120) -> None:
        until = time.monotonic() + seconds
        while words not in self.output:
            assert time.monotonic() < until, f"no {words!r} within {seconds} s in {self.output}"
            time.sleep(0.01)

    def kill(self, number: int = signal.SIGKILL, *, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group; nothing where it has ended."""
        with suppress(ProcessLookupError):
            (os.killpg if group else os.kill)(self.id, number)


class ForkServer:
    """Starts commands from a process that has imported everything; see ``fork_server.py``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.numbers = itertools.count()
        script = Path(__file__).with_name("fork_server.py")
        self.process = subprocess.Popen(
            [sys.executable, str(script)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def start(
        self,
        *arguments: str | Path,
        directory: Path = ROOT,
        environment: Mapping[str, str] | None = None,
        together: bool = False,
        first: str = "",
    ) -> Command:
        """Begin ``python <arguments>``.

        Args:
            arguments: a script, or ``-m`` and a module, and what follows.
            directory: the working directory.
            environment: variables beside those of the tests.
            together: whether errors go where the output goes.
            first: Python code to run before the command.
        """
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        for name in ("output.txt", "errors.txt"):
            (folder / name).touch()
        inherited = {name: value for name, value in os.environ.items() if name[:6] != "HYDRA_"}
        request = {
            "arguments": [str(argument) for argument in arguments],
            "directory": str(directory),
            "environment": {**inherited, "COLUMNS": "160", **(environment or {})},
            "output": str(folder / "output.txt"),
            "errors": str(folder / ("output.txt" if together else "errors.txt")),
            "first": first,
        }
        return Command(self, self._ask({"start": request}), folder)

    def run(self, *arguments: str | Path, **options: Any) -> tuple[int, str, str]:
        """Start a command as `start` does; returns its exit code, output and errors."""
        command = self.start(*arguments, **options)
        return command.wait(), command.output, command.errors

    def wait(self, commands: Sequence[Command]) -> tuple[Command, int]:
        """Wait until one of these ends; returns it with its exit code, negative for a signal."""
        number, code = self._ask({"wait": [command.id for command in commands]})
        return next(command for command in commands if command.id == number), code

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self.process.stdin and self.process.stdout
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return json.loads(self.process.stdout.readline())


@pytest.fixture(scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ForkServer]:
    """Runs commands as processes of their own."""
    server = ForkServer(tmp_path_factory.mktemp("commands"))
    yield server
    server.process.communicate()  # its input ends, and so does it


@pytest.fixture
def write_tone(tmp_path: Path):
    """Write a tone of 440 Hz into the folder of the test, in the format that its suffix names."""

    def write(
        name: str, seconds: float = 1.0, sample_rate: int = 16_000, channels: int = 1, **options
    ) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        times = np.arange(round(seconds * sample_rate)) / sample_rate
        tone = 0.3 * np.sin(2 * np.pi * 440 * times)
        soundfile.write(path, np.stack([tone] * channels, axis=1), sample_rate, **options)
        return path

    return write


@pytest.fixture
def make_corpus(tmp_path: Path, write_tone):
    """Write 0.wav, 1.wav… that last so many seconds and a manifest.csv, and return its path."""

    def make(texts: Sequence[str | None], seconds: Sequence[float] | None = None, **more) -> Path:
        for index, length in enumerate(seconds or [1.0] * len(texts)):
            write_tone(f"{index}.wav", length)
        paths = [f"{index}.wav" for index in range(len(texts))]
        pl.DataFrame({"path": paths, "text": texts, **more}).write_csv(tmp_path / "manifest.csv")
        return tmp_path / "manifest.csv"

    return make


@pytest.fixture
def broken(tmp_path: Path, write_tone) -> dict[str, Path]:
    """Files that hold no usable audio, by what is wrong with them."""
    files = {
        "missing": tmp_path / "missing.wav",
        "text": tmp_path / "text.wav",
        "raw": tmp_path / "bytes.raw",
        "empty": write_tone("empty.wav", seconds=0.0),
        "truncated": write_tone("truncated.flac"),
        "cut": write_tone("cut.mp3"),
        "nan": tmp_path / "nan.wav",
    }
    files["text"].write_text("This is a letter, whatever its name says.\n")
    files["raw"].write_bytes(b"\x01\x02" * 16_000)
    for fault in ("truncated", "cut"):
        whole = files[fault].read_bytes()
        files[fault].write_bytes(whole[: len(whole) // 2])
    waveform = np.zeros(16_000, dtype=np.float32)
    waveform[8_000] = np.nan
    soundfile.write(files["nan"], waveform, 16_000, subtype="FLOAT")
    return files


@pytest.fixture(scope="session")
def compose():
    """Compose a configuration as a script does, for a run in a folder of the test's own.

    A training of the tests is tested on its training clips unless they say otherwise, draws
    nothing on the console, and asks for little room on the disk.
    """
    training = ("trainer.enable_progress_bar=false", "trainer.enable_model_summary=false")
    training += ("disk_reserve=0.1",)

    def compose_for_run(config_name: str, folder: Path, *overrides: str) -> DictConfig:
        if config_name == "train":
            overrides = (*training, *overrides)
            if not any(override.startswith("overlap=") for override in overrides):
                overrides = ("overlap=none", *overrides)
        with hydra.initialize_config_dir(str(ROOT / "conf"), version_base="1.3"):
            config = hydra.compose(
                config_name,
                [*overrides, f"hydra.runtime.output_dir={folder}"],
                return_hydra_config=True,
            )
        HydraConfig.instance().set_config(config)
        with open_dict(config):
            del config.hydra
        return config

    return compose_for_run


@pytest.fixture(scope="session")
def tone_corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus whose words are tones: 8 clips, validated, tested and (eight times each) trained."""
    folder = tmp_path_factory.mktemp("tones")
    pitches = {"один": 300.0, "два": 600.0, "три": 1200.0, "пять": 2400.0}
    rows = []
    for index, (word, pitch) in enumerate([*pitches.items()] * 2):
        length = int(16_000 * (0.3 + 0.05 * index))
        tone = 0.3 * np.sin(2 * np.pi * pitch * np.arange(length) / 16_000)
        waveform = np.pad(tone, 4_000)  # a tone that begins and ends: a steady one is no event
        waveform += np.random.default_rng(index).normal(scale=0.01, size=len(waveform))
        soundfile.write(folder / f"{index}.wav", waveform, 16_000)
        gender = "male" if pitch < 1_000 else "female"
        for n, split in enumerate(["train"] * 8 + ["validation", "test"]):
            rows.append((f"{n}-{index}", f"{index}.wav", word, split, gender))
    columns = ["id", "path", "text", "split", "gender"]
    pl.DataFrame(rows, schema=columns, orient="row").write_csv(folder / "manifest.csv")
    return folder
