"""Listen to and look at augmentation before training with it: kaskad preview data=… augment=…"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import soundfile
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from kaskad.audio.features import Features
from kaskad.data.batch import Utterance
from kaskad.data.checks import check_audio, require_fitting
from kaskad.data.corpus import Corpus
from kaskad.data.dataset import SpeechDataset
from kaskad.reports.augmentation import Look, _draw
from kaskad.reports.html import render_preview

log = logging.getLogger(__name__)

DRAWS = 3  # of each clip

SpecAugment = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def preview(config: DictConfig) -> dict[str, float]:
    """Write ``config.number`` clips of the training corpus into ``config.output`` (null: the folder
    of the run), each as it is and as three epochs might get it, and a page to compare them on.

    Raises ``ValueError`` where there is nothing to compare.
    """
    if not any(config.augment.values()):
        raise ValueError(
            "augment=none varies nothing: choose augment=waveform, spec, full or speaker"
        )
    folder = Path(config.output or config.run_dir)
    name, manifest = _training_corpus(config)
    torch.manual_seed(config.seed)
    features: Features = instantiate(config.features)
    cover: SpecAugment | None = instantiate(config.augment.features)
    augment = instantiate(config.augment.waveform)
    plain = SpeechDataset(name, manifest, features.sample_rate)
    varied = SpeechDataset(name, manifest, features.sample_rate, augment, config.seed)
    drawn = np.random.default_rng(config.seed).permutation(manifest.height)[: config.number]
    clips: list[dict[str, Any]] = []
    for row in drawn.tolist():
        played = [plain[0, row], *(varied[epoch, row] for epoch in range(DRAWS))]
        sounds = [each.waveform for each in played if isinstance(each, Utterance)]
        if len(sounds) < len(played):
            log.warning("%s cannot be read: it is not shown", plain.ids[row])
            continue
        place = folder / f"clip_{len(clips) + 1}"
        place.mkdir(parents=True, exist_ok=True)
        looks = [
            _look(sound, number, place, features, cover, sounds_differ=augment is not None)
            for number, sound in enumerate(sounds)
        ]
        _draw(looks, features.hop / features.sample_rate).savefig(place / "features.png", dpi=80)
        clips.append(
            {"folder": place.name, "id": plain.ids[row], "text": plain.texts[row], "looks": looks}
        )
    page = folder / "index.html"
    settings = OmegaConf.to_yaml(config.augment, resolve=True)
    spoken = manifest["language"][0]
    page.write_text(
        render_preview(clips=clips, settings=settings, corpus=name, spoken=spoken), encoding="utf-8"
    )
    log.info("%d clips to listen to: %s", len(clips), page)
    return {"clips": len(clips)}


def _training_corpus(config: DictConfig) -> tuple[str, pl.DataFrame]:
    corpora: dict[str, Corpus] = instantiate(config.data.corpora, _convert_="all")
    name = next((name for name, corpus in corpora.items() if corpus.role == "train"), None)
    if name is None:
        raise ValueError("no corpus of data.corpora has the role 'train', and only that is varied")
    manifest, rest = check_audio(
        corpora[name].load(), min_seconds=config.min_seconds, max_seconds=config.max_seconds
    )
    varies_waveforms = config.augment.waveform is not None
    require_fitting(name, manifest, config.features.sample_rate, varies_waveforms)
    if rest.height:
        reasons = "; ".join(rest["reason"].head(3))
        log.warning("%s: %d utterances cannot be used (%s)", name, rest.height, reasons)
    if manifest.is_empty():
        raise ValueError(f"corpus '{name}' holds no recording that can be used")
    return name, manifest


def _look(
    waveform: np.ndarray,
    number: int,
    folder: Path,
    features: Features,
    cover: SpecAugment | None,
    sounds_differ: bool,
) -> Look:
    """Write the sound ``number`` of a clip, of which 0 is the original, unless it is no other, or
    the clip is features (frames, bins)."""
    name = f"augmented_{number}" if number else "original"
    audio = f"{name}.wav" if waveform.ndim == 1 and (sounds_differ or not number) else None
    if audio:
        soundfile.write(folder / audio, waveform, features.sample_rate)
    # What varies energies does so in training alone.
    features.train(number > 0)
    plain, lengths = features(torch.from_numpy(waveform)[None], torch.tensor([len(waveform)]))
    covered = cover(plain, lengths)[0].numpy() if cover and number else None
    return Look(name, audio, plain[0].numpy(), covered)
