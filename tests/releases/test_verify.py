"""What is not the release that was made is refused, and nothing of it is executed."""

import io
import os
import pickle
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

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


def hears_otherwise(release: Path) -> None:
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
    tags: "cannot be read as YAML of plain values",
    hears_otherwise: "is transcribed as 'а', and should be as 'б'",
    lambda release: (release / "SHA256SUMS").write_text("nonsense"): "line 1: wants a SHA-256",
    lambda release: (release / "SHA256SUMS").unlink(): "no release",
}


@pytest.fixture
def release(trained, released) -> Path:
    return released(trained("а"))


def test_what_was_changed_is_refused_with_the_reason(release, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)  # where harm would show
    for number, (fault, reason) in enumerate(FAULTS.items()):
        copy = tmp_path / f"copy{number}"
        shutil.copytree(release, copy)
        fault(copy)
        with pytest.raises(ReleaseError) as told:
            verify(copy)
        assert reason in str(told.value)
        assert "\n" not in str(told.value)
        if fault is not hears_otherwise:
            with pytest.raises(CheckpointError):
                kaskad.load(copy)
    assert not Path("harm").exists()


def archive(folder: Path, *entries: tuple[tarfile.TarInfo, bytes]) -> Path:
    path = folder / "bad.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for entry, content in entries:
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def entry(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


ARCHIVES = [
    ([(entry("v1/../../out.txt"), b"x")], "which does not lie within the release"),
    ([(entry("/tmp/out.txt"), b"x")], "which does not lie within the release"),
    ([(entry("v1/a", tarfile.SYMTYPE, "/etc"), b"")], "v1/a is a link"),
    ([(entry("v1/a", tarfile.LNKTYPE, "/etc/passwd"), b"")], "v1/a is a link"),
    ([(entry("v1/a", tarfile.FIFOTYPE), b"")], "v1/a is no plain file"),
    ([(entry("v1/a"), b"x"), (entry("v1/a"), b"y")], "holds v1/a twice"),
    ([(entry("v1/a"), b"x"), (entry("v2/a"), b"y")], "holds 2 folders"),
    ([(entry("v1/a"), b"x")], "no release"),
]


@pytest.mark.parametrize(("entries", "reason"), ARCHIVES)
def test_an_archive_that_leaves_its_folder_is_refused(entries, reason, tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match=reason):
        verify(archive(tmp_path, *entries))
    assert [path.name for path in tmp_path.iterdir()] == ["bad.tar.gz"]


def test_a_torn_archive_and_what_is_none_are_refused(release: Path, tmp_path: Path) -> None:
    whole = release.with_name("v1.tar.gz").read_bytes()
    torn = tmp_path / "torn.tar.gz"
    for content in (whole[: len(whole) // 2], whole[:10], b"", b"no archive"):
        torn.write_bytes(content)
        with pytest.raises(ReleaseError, match=r"cannot be unpacked|no release"):
            verify(torn)
    with pytest.raises(ReleaseError, match="there is no such release"):
        verify(tmp_path / "nowhere")
