"""A preview shows clips of the training corpus beside what augmentation makes of them."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from kaskad.commands.preview import preview


@pytest.fixture
def settings(compose, tone_corpus, tmp_path: Path):
    """The configuration of `kaskad preview`, which writes into a folder by this name."""

    def compose_for(folder: str, *overrides: str):
        data = ["data=table", f"data.root={tone_corpus}"]
        return compose("preview", tmp_path, *data, f"output={tmp_path / folder}", *overrides)

    return compose_for


def test_clips_can_be_heard_and_seen_beside_their_variants(settings, tmp_path: Path) -> None:
    assert preview(settings("one", "augment=full", "number=2")) == {"clips": 2}
    page = (tmp_path / "one" / "index.html").read_text(encoding="utf-8")
    for clip in ("clip_1", "clip_2"):
        folder = tmp_path / "one" / clip
        assert f'src="{clip}/features.png"' in page
        assert (folder / "features.png").read_bytes().startswith(b"\x89PNG")
        sounds = [soundfile.read(folder / "original.wav")[0]]
        for draw in (1, 2, 3):
            assert f'src="{clip}/augmented_{draw}.wav"' in page
            sounds.append(soundfile.read(folder / f"augmented_{draw}.wav")[0])
        assert len({sound.tobytes() for sound in sounds}) > 1
        assert all(np.abs(sound).max() > 0.01 for sound in sounds)


@pytest.mark.slow
def test_a_seed_draws_the_same_preview_again(settings, tmp_path: Path) -> None:
    for name in ("one", "two"):
        preview(settings(name, "augment=full", "number=1", "seed=3"))
    files = [file.relative_to(tmp_path / "one") for file in (tmp_path / "one").rglob("*.*")]
    assert len(files) == 6
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_where_only_features_are_covered_the_sound_is_written_once(
    settings, tmp_path: Path
) -> None:
    preview(settings("one", "augment=spec", "number=1"))
    written = {path.name for path in (tmp_path / "one" / "clip_1").iterdir()}
    assert written == {"original.wav", "features.png"}


def test_features_that_come_without_sound_are_seen(settings, tmp_path: Path) -> None:
    np.save(tmp_path / "all.npy", np.random.default_rng(0).normal(size=(90, 7)))
    rows = "id,path,text,split\n1,all.npy#0:40,да,train\n2,all.npy#40:90,нет,train\n"
    (tmp_path / "manifest.csv").write_text(rows)
    features = ["features=precomputed", "features.bins=7", f"data.root={tmp_path}"]
    assert preview(settings("one", "augment=spec", "number=2", *features)) == {"clips": 2}
    assert [path.name for path in (tmp_path / "one" / "clip_1").iterdir()] == ["features.png"]
    assert "<audio" not in (tmp_path / "one" / "index.html").read_text(encoding="utf-8")


def test_no_augmentation_is_nothing_to_preview(settings, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="augment=none varies nothing"):
        preview(settings("one", "augment=none"))
    assert not (tmp_path / "one").exists()
