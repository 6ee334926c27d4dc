"""A release, built beside its place and put there whole."""

import os
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kaskad.models.language_model import LanguageModel
from kaskad.models.module import Learner
from kaskad.models.word_classifier import WordClassifier
from kaskad.releases.archive import pack
from kaskad.releases.parts import (
    gather_decoder_files,
    write_normalisation,
    write_settings,
    write_tokenizer,
    write_weights,
)
from kaskad.releases.settings import Settings, public_settings, without_secrets
from kaskad.releases.source import Source
from kaskad.reports.readable_json import to_json
from kaskad.runs.checkpoints import CheckpointError
from kaskad.runs.released import ARCHIVE, CONFIG, WEIGHTS, ReleaseError, is_release, write_sums
from kaskad.runs.trusted_parts import load_model
from kaskad.storage.files import LEFT_OVER, write_text

INTERNAL, CHANGELOG = "internal", "CHANGELOG.md"
NAME = re.compile(r"\w[\w.+-]*")
UNFINISHED = ".unfinished"


def require_free(place: Path) -> None:
    """Raise ``ReleaseError`` unless a release can be put here: none is ever overwritten."""
    if not NAME.fullmatch(place.name) or place.name.endswith(ARCHIVE):
        raise ReleaseError(
            f"name={place.name}: wants letters, digits, points, hyphens and underscores, as in v1"
        )
    for taken in (place, archive_of(place)):
        if taken.exists() or taken.is_symlink():
            raise ReleaseError(
                f"{taken}: is there already, and a release is never overwritten; choose another "
                "name"
            )


def archive_of(place: Path) -> Path:
    """The archive of the release in the folder ``place``."""
    return place.with_name(place.name + ARCHIVE)


def earlier_release(place: Path) -> Path | None:
    """The release that was made last in the folder in which ``place`` is."""
    there = [each for each in place.parent.glob("*/") if is_release(each)]
    return max(there, key=lambda each: (each / WEIGHTS).stat().st_mtime_ns, default=None)


@contextmanager
def building(place: Path) -> Iterator[Path]:
    """A folder to build a release in, beside ``place``: taken away unless ``publish`` moves it."""
    place.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_over(place)
    stage = place.with_name(f".{place.name}.{os.getpid()}{UNFINISHED}")
    stage.mkdir()
    try:
        yield stage
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        archive_of(stage).unlink(missing_ok=True)


def publish(stage: Path, place: Path) -> Path:
    """Put a release that is whole where it belongs, with its archive beside it; returns that."""
    write_sums(stage)
    archive = archive_of(stage)
    pack(stage, archive, place.name)
    require_free(place)
    stage.rename(place)
    archive.rename(archive_of(place))
    return archive_of(place)


def pack_model(
    source: Source, stage: Path, decoder: Settings | None, trusted: Sequence[str] = ()
) -> Learner:
    """Write what makes the model again into ``stage``, which can be loaded from then on; returns
    the model as it is loaded from there.

    ``decoder`` takes the place of the one that it was trained with. Raises ``ReleaseError`` and
    ``CheckpointError`` for what cannot be released.
    """
    model = dict(source.config["model"])
    if decoder is not None and "decoder" not in model:
        raise ReleaseError(
            f"{source.checkpoint}: its model has no decoder= to replace; leave that out"
        )
    if decoder is not None:
        model["decoder"] = decoder
    for part in ("decoder", "search"):
        if isinstance(model.get(part), dict):
            model[part] = gather_decoder_files(part, model[part], stage)
    settings = public_settings({**source.config, "model": model}, str(source.checkpoint))
    write_settings(settings, stage / CONFIG)
    write_weights(source.weights, stage / WEIGHTS)
    write_sums(stage)
    loaded, _ = load_model(stage / WEIGHTS, trusted=trusted)
    if not isinstance(loaded, Learner):
        raise CheckpointError(f"{source.checkpoint}: a {type(loaded).__name__}, no model of ours")
    write_tokenizer(loaded.tokenizer, stage / "tokenizer")
    write_normalisation(loaded, stage / "normalisation.json")
    write_sums(stage)
    return loaded


def kind_of(model: Learner) -> str:
    """What a release is, in general."""
    kinds = {LanguageModel: "LanguageModel", WordClassifier: "WordClassifier"}
    return next((name for kind, name in kinds.items() if isinstance(model, kind)), "Recogniser")


def write_internal(source: Source, notes: str | None, stage: Path) -> None:
    """Write what only those who trained it are to see: all settings and places, but no secrets."""
    folder = stage / INTERNAL
    folder.mkdir()
    write_settings(without_secrets(source.config), folder / CONFIG)
    environment = without_secrets(source.environment)
    write_text(to_json(environment), folder / "environment.json")
    write_text(to_json(source.report), folder / "report_of_the_run.json")
    write_text(f"{notes or 'No notes.'}\n", folder / "NOTES.md")


def add_to_changelog(line: str, place: Path) -> None:
    """Add a line on a release to the list in the folder in which releases lie."""
    file = place.parent / CHANGELOG
    before = file.read_text(encoding="utf-8") if file.is_file() else "# Releases\n\n"
    write_text(f"{before}- {line}\n", file)


def corpora_of(settings: Settings) -> list[dict[str, Any]]:
    """The corpora that a run was trained and tested on: name, role, language."""
    corpora = (settings.get("data") or {}).get("corpora") or {}
    return [
        {"name": name, "role": corpus.get("role"), "language": corpus.get("language")}
        for name, corpus in corpora.items()
    ]


def _remove_left_over(place: Path) -> None:
    """Take away what a process that was killed left half built."""
    for left in place.parent.glob(f".{place.name}.*{UNFINISHED}*"):
        if time.time() - left.lstat().st_mtime > LEFT_OVER:
            shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink()
