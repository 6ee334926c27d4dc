"""The command: what it serves, what it refuses to serve, and how it ends."""

import json
import signal
import urllib.request
from pathlib import Path

import pytest
import soundfile
from websockets.sync.client import connect

from kaskad.commands.serve import named_paths, serve
from kaskad.config.messages import ConfigurationError
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.released import ReleaseError

HELLO = "serving "


def test_nothing_to_serve_is_an_error_that_names_the_command(compose, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="kaskad release run="):
        serve(compose("serve", tmp_path))
    with pytest.raises(ConfigurationError, match="kaskad release run="):
        serve(compose("serve", tmp_path, f"release={tmp_path / 'v1'}"))
    (tmp_path / "v2").mkdir()
    for sums in (None, "not a sum\n"):
        if sums is not None:
            (tmp_path / "v2" / "SHA256SUMS").write_text(sums)
        with pytest.raises(ReleaseError, match="kaskad release run="):
            serve(compose("serve", tmp_path, f"release={tmp_path / 'v2'}"))
    with pytest.raises(CheckpointError):
        serve(compose("serve", tmp_path, f"checkpoint={tmp_path}"))


def test_several_are_served_by_name(compose, tmp_path: Path) -> None:
    config = compose("serve", tmp_path, "release={small: a/v1, large: b/v2}")
    assert named_paths(config) == {"small": Path("a/v1"), "large": Path("b/v2")}
    config = compose("serve", tmp_path, "release=a/v1/")
    assert named_paths(config) == {"v1": Path("a/v1")}


@pytest.mark.slow
def test_sigterm_ends_what_is_in_work_first(
    fork_server, checkpoint: Path, recording: Path, tmp_path: Path
) -> None:
    arguments = [f"checkpoint={{a: {checkpoint}}}", "port=0", f"hydra.run.dir={tmp_path / 'run'}"]
    command = fork_server.start("-m", "kaskad", "serve", *arguments, together=True)
    command.wait_until_it_prints(HELLO)
    address = command.output.partition("http://")[2].split()[0]
    with urllib.request.urlopen(f"http://{address}/v1/models") as answer:
        assert json.load(answer)["data"][0]["id"] == "a"
    with connect(f"ws://{address}/v1/stream?endpoint=9") as socket:
        socket.send(soundfile.read(recording, dtype="int16")[0].tobytes())
        first = json.loads(socket.recv(timeout=20))
        assert first["type"] == "partial"
        command.kill(signal.SIGTERM)
        messages = [json.loads(message) for message in socket]
    assert messages[-1]["type"] == "final"
    assert command.wait() == 0, command.output
