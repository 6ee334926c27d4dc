"""An archive that is no release is refused, and nothing of it is written."""

import io
import tarfile
from pathlib import Path

import pytest

from kaskad.releases.verify import verify
from kaskad.runs.released import ReleaseError


@pytest.fixture
def release(trained, released) -> Path:
    return released(trained("а"))


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
    ([(entry("v1/a"), bytes(2**22))], "times as large once it is unpacked"),
    ([(entry("v1/" + "a/" * 3_000 + "b"), b"x")], "cannot be unpacked"),
    ([(entry("C:/a"), b"x")], "which does not lie within the release"),
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
