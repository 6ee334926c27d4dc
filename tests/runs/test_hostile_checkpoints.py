"""Whatever a checkpoint holds: nothing of it is executed, and an error names the file and why."""

import os
import re
import resource
import warnings
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.decoding.rescoring import Rescorer
from kaskad.models.extract_language import strip
from kaskad.models.recogniser import Recogniser, load_recogniser
from kaskad.models.transfer import transfer_weights
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint, read_checkpoint

Checkpoint = dict[str, Any]
CALL = {"_target_": "distutils.spawn.spawn", "cmd": ["/usr/bin/touch", "ran"]}
CREATE = "${oc.create:{_target_:distutils.spawn.spawn,cmd:[/usr/bin/touch,ran]}}"


@pytest.fixture(scope="module")
def honest(compose, tmp_path_factory) -> Path:
    """The checkpoint of a small recogniser."""
    path = tmp_path_factory.mktemp("honest") / "best.ckpt"
    sizes = ["model.encoder.hidden_size=4", "model.encoder.layers=1"]
    overrides = ["model=lstm", "data=table", "data.root=.", "tokenizer.alphabet=[a,b]", *sizes]
    config = compose("train", path.parent, *overrides)
    state = instantiate(config.model).state_dict()
    torch.save({"config": OmegaConf.to_container(config, resolve=True), "state_dict": state}, path)
    return path


@pytest.fixture
def write(honest: Path, tmp_path: Path, monkeypatch) -> Callable[..., Path]:
    """Write the checkpoint as it becomes by ``change``, in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def write_changed(change: Callable[[Checkpoint], Any]) -> Path:
        checkpoint = torch.load(honest, weights_only=True)
        changed = change(checkpoint)
        torch.save(checkpoint if changed is None else changed, tmp_path / "changed.ckpt")
        return tmp_path / "changed.ckpt"

    return write_changed


def put(place: str, value: Any) -> Callable[[Checkpoint], None]:
    """A change of the configuration: ``value`` at ``place``, as in ``model.encoder.x``."""

    def change(checkpoint: Checkpoint) -> None:
        *parents, last = place.split(".")
        node = checkpoint["config"]
        for parent in parents:
            node = node[parent]
        node[last] = value

    return change


def drop(place: str) -> Callable[[Checkpoint], None]:
    def change(checkpoint: Checkpoint) -> None:
        *parents, last = place.split(".")
        for parent in parents:
            checkpoint = checkpoint[parent]
        del checkpoint[last]

    return change


def change_weights(value: Any) -> Callable[[Checkpoint], None]:
    return lambda checkpoint: checkpoint["state_dict"].update({"head.bias": value})


def in_itself(checkpoint: Checkpoint) -> None:
    checkpoint["config"]["model"]["encoder"]["x"] = checkpoint["config"]["model"]


def a_view_of_one_value(checkpoint: Checkpoint) -> None:
    """A weight of 2^40 values, of which one is stored."""
    checkpoint["state_dict"]["head.bias"] = torch.zeros(1).expand(2**40)


def packed(path: Path, _: bytes) -> None:
    """Two million zeros in a few thousand bytes."""
    torch.save({"config": {}, "state_dict": {"x": torch.zeros(2_000_000)}}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


def asking(call: bytes) -> Callable[[Path, bytes], None]:
    """A pickle that calls something of PyTorch's list with a size of 2^30."""

    def write(path: Path, whole: bytes) -> None:
        path.write_bytes(whole)
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
        with zipfile.ZipFile(path, "w") as archive:
            for name, part in parts.items():
                made = part[:2] + b"c" + call + b"\nJ\0\0\0\x40\x85R0" + part[2:]
                archive.writestr(name, made if name.endswith("data.pkl") else part)

    return write


def many_times(checkpoint: Checkpoint) -> None:
    """A list of 2^40 values, which takes a few bytes."""
    value: list[Any] = [0]
    for _ in range(40):
        value = [value, value]
    checkpoint["config"]["x"] = value


HOSTILE = {
    "a tuple": put("model.encoder.x", (CALL,)),
    "a tuple in a list": put("model.decoder.x", [[(CALL,)]]),
    "an interpolation": put("model.encoder.x", CREATE),
    "an interpolation within text": put("model.encoder.cell", f"ls{CREATE}tm"),
    "an interpolation in a list": put("model.tokenizer.alphabet", ["a", CREATE]),
    "an interpolation that decodes": put("model.encoder.x", "${oc.decode:'${oc.env:HOME}'}"),
    "an interpolation of the environment": put("model.encoder.cell", "${oc.env:HOME}"),
    "an interpolation elsewhere": put("data.x", CREATE),
    "an interpolation in a key": put("data.x", {CREATE: 1}),
    "an ordered dictionary": put("model.encoder.x", OrderedDict(CALL)),
    "a set": put("model.encoder.x", {1, 2}),
    "bytes": put("model.encoder.x", b"bytes"),
    "a tensor": put("model.encoder.x", torch.zeros(1)),
    "a number for a key": put("model.encoder.x", {1: CALL}),
    "another package": put("model.encoder", CALL),
    "a function of ours": put("model.encoder", {"_target_": "kaskad.audio.reading.read_bytes"}),
    "a class of another room": put("model.encoder", {"_target_": "kaskad.data.corpus.Corpus"}),
    "a class by way of our module": put(
        "model.encoder", {"_target_": "kaskad.audio.reading.io.FileIO", "file": "ran", "mode": "w"}
    ),
    "a class that is not exported": put(
        "model.encoder", {"_target_": "kaskad.audio.reading._Part"}
    ),
    "a partial call": put("model.decoder", {"_target_": "os.system", "_partial_": True}),
    "a nested call": put("model.encoder.x", {"y": [{"z": CALL}]}),
    "a target that is no text": put("model.encoder._target_", ["os.system"]),
    "a configuration in itself": in_itself,
    "a list of 2^40 values": many_times,
}
MALFORMED: dict[str, Callable[[Checkpoint], Any]] = {
    "a list": lambda checkpoint: [checkpoint],
    "a tensor": lambda checkpoint: torch.zeros(3),
    "nothing": lambda checkpoint: {},
    "no configuration": drop("config"),
    "no weights": drop("state_dict"),
    "a configuration that is text": lambda checkpoint: {**checkpoint, "config": "model: lstm"},
    "weights in a list": lambda checkpoint: {**checkpoint, "state_dict": [torch.zeros(1)]},
    "no model": drop("config.model"),
    "a model that is text": put("model", "lstm"),
    "a model that is null": put("model", None),
    "no target": drop("config.model._target_"),
    "a class of another version": put("model.encoder._target_", "kaskad.models.Gone"),
    "no encoder": drop("config.model.encoder"),
    "no tokenizer": drop("config.model.tokenizer"),
    "a tokenizer that is null": put("model.tokenizer", None),
    "features that are an encoder": lambda checkpoint: put(
        "model.features", checkpoint["config"]["model"]["encoder"]
    )(checkpoint),
    "an encoder that is a tokenizer": lambda checkpoint: put(
        "model.encoder", checkpoint["config"]["model"]["tokenizer"]
    )(checkpoint),
    "a model that is an encoder": lambda checkpoint: put(
        "model", checkpoint["config"]["model"]["encoder"]
    )(checkpoint),
    "a list of 10^5 labels": put("model.tokenizer.alphabet", ["a"] * 100_000),
    "a size that is text": put("model.encoder.hidden_size", "large"),
    "a size below 0": put("model.encoder.hidden_size", -1),
    "a size of 10^9": put("model.encoder.hidden_size", 10**9),
    "10^9 layers": put("model.encoder.layers", 10**9),
    "an option that is not known": put("model.encoder.no_such_option", 1),
    "a value that is missing": put("model.encoder.hidden_size", "???"),
    "a corpus that is text": put("data.corpora.train", "an4"),
    "a corpus without a role": drop("config.data.corpora.train.role"),
    "a weight that is a number": change_weights(1.0),
    "a weight of another shape": change_weights(torch.zeros(17)),
    "a weight of which little is stored": a_view_of_one_value,
    "a weight without values": change_weights(torch.empty(0)),
    "a sparse weight": change_weights(torch.zeros(3).to_sparse()),
    "a weight too few": drop("state_dict.head"),
    "a name that is no text": lambda checkpoint: checkpoint["state_dict"].update({1: 2}),
}
MALFORMED["a weight too few"] = lambda checkpoint: checkpoint["state_dict"].popitem() and None


def with_hole(path: Path, whole: bytes) -> None:
    """Write a checkpoint, the bytes of one weight others, as after a fault of a disk."""
    path.write_bytes(whole)
    with zipfile.ZipFile(path) as archive:
        weight = max((archive.read(n) for n in archive.namelist() if "/data/" in n), key=len)
    path.write_bytes(whole.replace(weight, bytes(byte ^ 255 for byte in weight)))


FILES: dict[str, Callable[[Path, bytes], Any]] = {
    "half of it": lambda path, whole: path.write_bytes(whole[: len(whole) // 2]),
    "empty": lambda path, whole: path.write_bytes(b""),
    "a hole in its weights": with_hole,
    "text": lambda path, whole: path.write_text("model: lstm"),
    "bytes changed": lambda path, whole: path.write_bytes(whole.replace(b"model", b"\0\0\0\0\0")),
    "an archive packed a thousand times": packed,
    "a byte array of 2^30 bytes": asking(b"builtins\nbytearray"),
    "a tensor of 2^30 values": asking(b"torch\nFloatTensor"),
    "zeros at the end": lambda path, whole: path.write_bytes(whole[:-200] + bytes(200)),
    "a pipe": lambda path, whole: os.mkfifo(path),
    "a link to nothing": lambda path, whole: path.symlink_to("nowhere"),
    "a device": lambda path, whole: path.symlink_to("/dev/zero"),
    "a page": lambda path, whole: path.write_text("<html>log in first</html>"),
}


def assert_refused(path: Path, load: Callable[[Path], Any], before: set[Path]) -> str:
    with pytest.raises(CheckpointError) as refused:
        load(path)
    told = str(refused.value)
    assert str(path) in told
    causes = f"{told} {refused.value.__cause__}"
    assert "weights_only" not in causes
    assert len(told) < 1_000
    assert set(path.parent.iterdir()) == before, "something ran"
    return told


def load(path: Path) -> Recogniser:
    return load_recogniser(path)[0]


@pytest.mark.parametrize("kind", HOSTILE)
def test_nothing_of_a_hostile_checkpoint_is_executed(kind: str, write) -> None:
    path = write(HOSTILE[kind])
    assert_refused(path, load, {path})


@pytest.mark.parametrize("kind", ["a tuple", "an interpolation", "another package"])
@pytest.mark.parametrize("way", ["init_from", "rescore", "prepare"])
def test_every_way_of_loading_goes_through_the_same_gate(
    kind: str, way: str, write, honest: Path
) -> None:
    ours = load(honest)
    path = write(HOSTILE[kind])
    ways: dict[str, Callable[[Path], Any]] = {
        "init_from": lambda path: transfer_weights(ours, path, {}),
        "rescore": lambda path: Rescorer(path, ours.tokenizer, 1.0, 0.0),
        "prepare": lambda path: strip(read_checkpoint(path), "ru"),
    }
    if kind == "another package" and way != "rescore":
        return  # these two make nothing of an encoder
    assert_refused(path, ways[way], {path})


@pytest.mark.parametrize("kind", MALFORMED)
def test_a_malformed_checkpoint_is_named_with_its_fault(kind: str, write) -> None:
    path = write(MALFORMED[kind])
    assert_refused(path, load, {path})


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_checkpoint_is_named(kind: str, honest: Path, tmp_path: Path) -> None:
    path = tmp_path / "file.ckpt"
    FILES[kind](path, honest.read_bytes())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warnings.catch_warnings(action="error"):
        assert_refused(path, load, {path})
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 100_000, "kilobytes of memory, for a file of some"


def test_an_archive_of_torchscript_is_no_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "script.ckpt"
    torch.jit.script(torch.nn.Linear(1, 1)).save(str(path))
    assert "no checkpoint" in assert_refused(path, load, {path})


def test_a_folder_without_a_run_is_reported(tmp_path: Path) -> None:
    (tmp_path / "best.ckpt").symlink_to("nowhere")
    with pytest.raises(CheckpointError, match="no run in this folder"):
        find_checkpoint(tmp_path)


def test_a_package_may_be_trusted_by_name(write, honest: Path) -> None:
    encoder = torch.load(honest, weights_only=True)["config"]["model"]["encoder"]
    path = write(put("model.encoder", {**encoder, "_target_": "hostile_net.Net"}))
    (path.parent / "hostile_net.py").write_text(
        "from kaskad.models.encoders.recurrent import RecurrentEncoder\n"
        "class Net(RecurrentEncoder): pass\n"
    )
    told = assert_refused(path, load, {path, path.parent / "hostile_net.py"})
    assert re.search(r"names hostile_net.Net.*trusted=\[hostile_net\]", told)
