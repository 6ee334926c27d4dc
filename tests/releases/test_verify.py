"""What is not the release that was made is refused, and nothing of it is executed."""

import gzip
import io
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

import kaskad
from kaskad.releases.verify import verify
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.released import ReleaseError, write_sums


def flip_a_byte(release: Path) -> None:
    weights = bytearray((release / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (release / "model.safetensors").write_bytes(weights)


def link(release: Path) -> None:
    (release / "CARD.md").unlink()
    (release / "CARD.md").symlink_to(release / "config.yaml")


def link_a_folder(release: Path) -> None:
    (release / "more").symlink_to("/")


def leave(release: Path) -> None:
    with (release / "SHA256SUMS").open("a") as file:
        file.write(f"{'0' * 64}  ../../etc/passwd\n")


class Harm:
    def __reduce__(self):
        return os.mkdir, ("harm",)


def pickled(release: Path) -> None:
    (release / "model.safetensors").write_bytes(pickle.dumps(Harm()))
    write_sums(release)


def pickled_beside(release: Path) -> None:
    (release / "weights.ckpt").write_bytes(pickle.dumps(Harm()))
    write_sums(release)


def settings(release: Path, change: Callable[[dict], object]) -> None:
    config = yaml.safe_load((release / "config.yaml").read_text())
    change(config)
    (release / "config.yaml").write_text(yaml.safe_dump(config))
    write_sums(release)


def reads_elsewhere(release: Path) -> None:
    settings(release, lambda c: c["model"]["decoder"].update(priors="/etc/passwd"))


def climbs(release: Path) -> None:
    settings(release, lambda c: c["model"]["decoder"].update(priors="./../../secret.json"))


def calls(release: Path) -> None:
    settings(release, lambda c: c["model"]["encoder"].update(_target_="os.system"))


def tags(release: Path) -> None:
    (release / "config.yaml").write_text("model: !!python/object/apply:os.mkdir [harm]\n")
    write_sums(release)


def reads_elsewhere_within(release: Path) -> None:
    inner = {"_target_": "kaskad.decoding.LexiconDecoder", "lexicon": "/etc/passwd"}
    settings(release, lambda c: c["model"].update(encoder=inner))


def merges(release: Path) -> None:
    """Ten lines that say 6¹⁰ values."""
    lines = ["m0: &m0 {k: 1}"]
    lines += [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 6)}]}}" for n in range(1, 11)]
    with (release / "config.yaml").open("a") as file:
        file.write("\n".join(lines) + "\n")
    write_sums(release)


def has_no_end(release: Path) -> None:
    with (release / "SHA256SUMS").open("ab") as file:
        file.truncate(2**28)


def looks_alike(release: Path) -> None:
    shutil.copy(release / "config.yaml", release / "c\u043enfig.yaml")
    write_sums(release)


def looks_alike_elsewhere(release: Path) -> None:
    shutil.copy(release / "config.yaml", release / "Config.yaml")
    write_sums(release)


def is_no_number(release: Path) -> None:
    weights = load_file(release / "model.safetensors")
    save_file({**weights, "head.bias": weights["head.bias"] * torch.nan},
              release / "model.safetensors")  # fmt: skip
    write_sums(release)


def is_of_another_kind(release: Path) -> None:
    weights = load_file(release / "model.safetensors")
    changed = {name: weight.to(torch.int8) for name, weight in weights.items()}
    save_file(changed, release / "model.safetensors")
    write_sums(release)


def pickled_as_text(release: Path) -> None:
    (release / "more.json").write_bytes(pickle.dumps(Harm(), protocol=0))
    write_sums(release)


def fills_the_memory(release: Path) -> None:
    (release / "decoder").mkdir()
    (release / "decoder" / "language_model.arpa.gz").write_bytes(gzip.compress(bytes(2**22)))
    write_sums(release)


def lets_scores_be_anything(release: Path) -> None:
    file = release / "utterances" / "expected.json"
    rows = [row | {"tolerance": float("inf")} for row in json.loads(file.read_text())]
    file.write_text(json.dumps(rows))
    write_sums(release)


def lies_deep(release: Path) -> None:
    (release / "utterances" / "expected.json").write_text("[" * 200_000)
    write_sums(release)


def utterance(content: bytes) -> Callable[[Path], None]:
    def change(release: Path) -> None:
        file = release / "utterances" / "expected.json"
        file.write_text(file.read_text().replace("1.flac", "1.npy", 1))
        (release / "utterances" / "1.npy").write_bytes(content)
        write_sums(release)

    return change


def array(shape: tuple[int, ...], kind: str) -> bytes:
    """The header of an array, and a few of its bytes."""
    written = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        written, {"descr": kind, "fortran_order": False, "shape": shape}
    )
    return written.getvalue() + pickle.dumps([Harm()])


def graph_with_weights_elsewhere(release: Path) -> None:
    """The weights within a branch of a graph lie in a file outside."""
    weight = onnx.TensorProto(name="w", data_type=1, dims=[4], data_location=1)
    weight.external_data.add(key="location", value="../../../../etc/passwd")
    out = [onnx.helper.make_tensor_value_info("w", 1, [4])]
    branch = onnx.helper.make_graph([], "branch", [], out, [weight])
    node = onnx.helper.make_node("If", ["c"], ["w"], then_branch=branch, else_branch=branch)
    given = [onnx.helper.make_tensor_value_info("c", 9, [])]
    graph = onnx.helper.make_graph([node], "graph", given, out)
    exported(release, onnx.helper.make_model(graph).SerializeToString())


def graph_of_noise(release: Path) -> None:
    exported(release, bytes(range(7, 200)))


def exported(release: Path, graph: bytes) -> None:
    place = release / "exports" / "onnx"
    place.mkdir(parents=True)
    (place / "model.onnx").write_bytes(graph)
    shutil.copy(release / "utterances" / "expected.json", place / "expected.json")
    write_sums(release)


def decodes_otherwise(release: Path) -> None:
    file = release / "utterances" / "expected.json"
    file.write_text(file.read_text().replace('"а"', '"б"', 1))
    write_sums(release)


FAULTS = {
    flip_a_byte: "model.safetensors is not as it was made",
    lambda release: (release / "CARD.md").unlink(): "CARD.md is missing",
    lambda release: (release / "new.txt").write_text("x"): "new.txt was not made with the release",
    link: "CARD.md is a symbolic link",
    link_a_folder: "more is a symbolic link",
    leave: "names '../../etc/passwd', which does not lie within the release",
    pickled: "model.safetensors is a pickle",
    pickled_beside: "weights.ckpt is of no kind that a release has",
    reads_elsewhere: "decoder.priors",
    climbs: "decoder.priors",
    calls: "names os.system, which is not a part of a recogniser",
    reads_elsewhere_within: "model.encoder.lexicon",
    tags: "cannot be read as YAML of plain values",
    merges: "holds a merge (<<)",
    has_no_end: "SHA256SUMS: is far larger than that of a release",
    looks_alike: "with letters that look like others",
    looks_alike_elsewhere: "names config.yaml a second time",
    fills_the_memory: "times as large once it is unpacked",
    is_of_another_kind: "is torch.int8, not torch.float32",
    pickled_as_text: "more.json does not begin as a file .json",
    is_no_number: "its weight head.bias holds what is no number",
    lambda release: (release / "SHA256SUMS").write_text("nonsense"): "line 1: wants a SHA-256",
    lambda release: (release / "SHA256SUMS").unlink(): "no release",
}
# What only decoding finds out.
FAULTS_AT_WORK = {
    lets_scores_be_anything: "lets scores be off by inf",
    lies_deep: "expected.json: cannot be read",
    utterance(array((1,), "|O")): "1.npy: cannot be read as an utterance",
    utterance(array((2**40,), "<f4")): "1.npy: cannot be read as an utterance",
    graph_with_weights_elsewhere: "has weights in ../../../../etc/passwd",
    graph_of_noise: "model.onnx: cannot be run",
    decodes_otherwise: "is transcribed as 'а', and should be as 'б'",
}


@pytest.fixture
def release(trained, released) -> Path:
    return released(trained("а"))


def test_what_was_changed_is_refused_with_the_reason(release, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # where harm would show
    for number, (fault, reason) in enumerate((FAULTS | FAULTS_AT_WORK).items()):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(release, copy)
        fault(copy)
        with pytest.raises(ReleaseError) as told:
            verify(copy)
        assert reason in str(told.value)
        assert "\n" not in str(told.value)
        if fault in FAULTS:
            with pytest.raises(CheckpointError):
                kaskad.load(copy)
    assert not Path("harm").exists()
