"""One run, from a configuration to a report: what train.py hands over to."""

import json
import logging
import shutil
import time
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint

from kaskad.callbacks.skipped import SkippedUtterances
from kaskad.data.datamodule import SpeechDataModule
from kaskad.evaluation import test_and_report
from kaskad.models.checkpoints import SaveConfig, read_checkpoint
from kaskad.models.recogniser import Recogniser
from kaskad.reports.environment import environment

log = logging.getLogger(__name__)


def train(config: DictConfig) -> dict[str, float]:
    """Train, choose the best checkpoint by its WER on validation, test it, and report.

    Everything lands in the run folder; the figures of the report are returned.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    _need_disk_space(folder, config.disk_reserve)
    made = environment(config.seed)
    _write_json(folder / "environment.json", made)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")

    data = load_data(config)
    fit_tokenizer(config, data)
    recogniser: Recogniser = instantiate(config.model)
    data.connect(recogniser.tokenizer, recogniser.alignment_frames)
    resolved = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    OmegaConf.save(resolved, folder / "config.yaml")

    trainer = make_trainer(config, resolved, folder)
    began = time.perf_counter()
    trainer.fit(recogniser, datamodule=data)
    if trainer.interrupted:
        raise KeyboardInterrupt
    training = {
        "minutes": round((time.perf_counter() - began) / 60, 2),
        **_take_best(trainer, recogniser),
    }
    origin = {"training": training, "environment": made}
    figures = test_and_report(trainer, recogniser, data, folder, config.task, origin)
    return {**figures, "training/minutes": training["minutes"]}


def load_data(config: DictConfig) -> SpeechDataModule:
    """Make the data module of a run, with its manifests read and checked."""
    data: SpeechDataModule = instantiate(config.loader)(
        corpora=instantiate(config.data.corpora, _convert_="all"),
        sample_rate=config.features.sample_rate,
        augment=instantiate(config.augment.waveform),
        seed=config.seed,
    )
    data.load("train", "validation", "test")
    return data


def fit_tokenizer(config: DictConfig, data: SpeechDataModule) -> None:
    """Fit on training text alone; the configuration, and with it the model, takes the alphabet."""
    tokenizer = instantiate(config.tokenizer).fit(data.transcripts("train"))
    config.tokenizer.alphabet = tokenizer.alphabet


def make_trainer(config: DictConfig, resolved: dict[str, Any], folder: Path) -> lightning.Trainer:
    """Make the trainer, its callbacks and loggers; checkpoints carry ``resolved``."""
    callbacks = [instantiate(node) for node in config.callbacks.values() if node is not None]
    trainer: lightning.Trainer = instantiate(
        config.trainer,
        callbacks=[SaveConfig(resolved), SkippedUtterances(), *callbacks],
        logger=[instantiate(node) for node in config.logger.values() if node is not None],
        default_root_dir=str(folder),
    )
    return trainer


def _take_best(trainer: lightning.Trainer, recogniser: Recogniser) -> dict[str, Any]:
    """Take over the best weights; returns what the report says of the training."""
    checkpoint = trainer.checkpoint_callback
    said: dict[str, Any] = {"epochs": trainer.current_epoch, "steps": trainer.global_step}
    if isinstance(checkpoint, ModelCheckpoint) and checkpoint.best_model_score is not None:
        recogniser.load_state_dict(read_checkpoint(checkpoint.best_model_path)["state_dict"])
        said["checkpoint"] = checkpoint.best_model_path
        said["best"] = {checkpoint.monitor: round(float(checkpoint.best_model_score), 6)}
    else:
        log.warning("no checkpoint was written: the weights of the last step are tested")
    return said


def _need_disk_space(folder: Path, reserve: float) -> None:
    free = shutil.disk_usage(folder).free / 1e9
    if free < reserve:
        raise OSError(
            f"{folder}: {free:.1f} GB are free on this disk, and a run wants {reserve:.1f}; make "
            "room, write elsewhere (hydra.run.dir=…), or ask for less (disk_reserve=…)"
        )


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=4), encoding="utf-8")
