"""Train a recogniser and test it: train.py model=cnn2d_lstm data=numbers."""

import json
import logging
import shutil
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.callbacks import ModelCheckpoint, Timer
from pytorch_lightning.utilities import rank_zero_only

from kaskad.callbacks.embedding_order import EmbeddingOrder
from kaskad.callbacks.final_metrics import tell_figures
from kaskad.callbacks.pruning import was_pruned
from kaskad.callbacks.skipped_utterances import SkippedUtterances
from kaskad.config.messages import ConfigurationError
from kaskad.data.corpus import read_transcripts, require_branches
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.text_datamodule import TextDataModule
from kaskad.evaluation.language_model import measure_and_report
from kaskad.evaluation.nearest import nearest_count
from kaskad.evaluation.recogniser import test_and_report
from kaskad.models.language_model import LanguageModel
from kaskad.models.recogniser import Recogniser
from kaskad.models.transfer import transfer_weights
from kaskad.runs import distributed
from kaskad.runs.checkpoints import (
    AtomicCheckpointIO,
    ConfigInCheckpoint,
    newest_whole_checkpoint,
    read_checkpoint,
)
from kaskad.runs.environment import environment
from kaskad.runs.folder import AUTO, add_environment, is_interrupted, run_lock
from kaskad.runs.resume import settings_to_go_on_with
from kaskad.text.tokenizer import Tokenizer

log = logging.getLogger(__name__)


def train(config: DictConfig) -> dict[str, float]:
    """Train, choose the best checkpoint by its WER on validation, test it, and report.

    Everything lands in the run folder; the figures of the report are returned.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
    if not first:
        logging.getLogger().setLevel(logging.ERROR)  # the first process speaks for all
    with run_lock(folder) if first else nullcontext():  # for all processes of the run
        return _train(config, folder)


def _train(config: DictConfig, folder: Path) -> dict[str, float]:
    _need_disk_space(folder, config.disk_reserve)
    config, checkpoint = _go_on(config, folder) if config.resume else (config, None)
    made = environment(config.seed)
    if checkpoint:
        made = add_environment(folder, made)
    _write_json(folder / "environment.json", made)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")

    if issubclass(get_class(config.model._target_), LanguageModel):
        plan = plan_language_model(config)
    else:
        plan = plan_recogniser(config, folder, made, begins=checkpoint is None)
    resolved = cast(dict[str, Any], OmegaConf.to_container(config, resolve=True))
    rank_zero_only(OmegaConf.save)(resolved, folder / "config.yaml")

    trainer = make_trainer(config, resolved, folder, plan.watchers())
    trainer.fit(plan.model, datamodule=plan.data, ckpt_path=checkpoint, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    validated = _validated(trainer, plan.model)
    if was_pruned(trainer):  # hopeless: not worth a test
        return validated
    training = _take_best(trainer, plan.model)
    origin = {"training": training, "environment": made, **plan.said}
    tester = trainer
    if trainer.world_size > 1:
        distributed.part()
        if not trainer.is_global_zero:
            return {}  # the first process tests alone
        alone = {"devices": 1, "num_nodes": 1, "strategy": "auto", "enable_checkpointing": False}
        tester = instantiate(config.trainer, callbacks=plan.watchers(), logger=False, **alone)
    figures = plan.test(tester, plan.model, plan.data, folder, config.task, origin)
    figures |= {"training/minutes": training["minutes"], **validated}
    tell_figures(trainer, figures)
    return figures


@dataclass(frozen=True)
class Plan:
    """What is trained on what, and tested how; ``watchers`` makes the callbacks that this kind of
    data needs, and ``said`` is what the report says of how it began."""

    model: Recogniser | LanguageModel
    data: SpeechDataModule | TextDataModule
    test: Callable[..., dict[str, float]]
    watchers: Callable[[], list[lightning.Callback]]
    said: dict[str, Any]


def plan_recogniser(
    config: DictConfig, folder: Path, made: dict[str, Any], *, begins: bool
) -> Plan:
    """Plan a recogniser's run; one that ``begins`` may take over weights, as ``made`` then says."""
    data = load_data(config, listing=folder / "skipped.csv")
    overlap = instantiate(config.overlap)(data, folder)
    fit_tokenizer(config, data)
    recogniser: Recogniser = instantiate(config.model)
    recogniser.phone_errors = config.phone_errors
    if config.init_from and begins:
        transfer = transfer_weights(recogniser, Path(config.init_from), config.model.features)
        made["init_from"] = asdict(transfer)
        _write_json(folder / "environment.json", made)
    data.connect(recogniser.tokenizer, recogniser.alignment_frames)
    said = {"overlap": overlap}
    # Runs of old that are resumed do not have this setting.
    nearest = nearest_count(recogniser, config.get("nearest", 0))
    test = partial(test_and_report, nearest=nearest)
    return Plan(recogniser, data, test, lambda: [SkippedUtterances(), EmbeddingOrder()], said)


def plan_language_model(config: DictConfig) -> Plan:
    """Plan a language model's run: on transcripts and texts, whose audio is not read."""
    if config.init_from:
        raise ConfigurationError("init_from: there is nothing that a language model takes over")
    if not issubclass(get_class(config.datamodule._target_), TextDataModule):
        raise ConfigurationError("datamodule: a language model learns from text: datamodule=text")
    corpora = instantiate(config.data.corpora, _convert_="all")
    transcripts = {name: read_transcripts({name: corpus}) for name, corpus in corpora.items()}
    data: TextDataModule = instantiate(config.datamodule, _convert_="all")(
        transcripts=transcripts, seed=config.seed
    )
    fit_tokenizer(config, data)
    model: LanguageModel = instantiate(config.model)
    data.connect(model.tokenizer)
    return Plan(model, data, measure_and_report, list, {"text": data.summary()})


def load_data(config: DictConfig, listing: Path | None = None) -> SpeechDataModule:
    """Make the data module of a run, with its manifests read and checked; what cannot be used is
    named in the file ``listing``."""
    recogniser_class = cast(type[Recogniser], get_class(config.model._target_))
    data: SpeechDataModule = instantiate(config.datamodule)(
        corpora=instantiate(config.data.corpora, _convert_="all"),
        sample_rate=config.features.sample_rate,
        target=recogniser_class.target,
        augment=instantiate(config.augment.waveform),
        sampler=instantiate(config.sampler),
        seed=config.seed,
        listing=listing,
    )
    extra = data.of_role("train_ext")
    if "train_ext" in recogniser_class.learns_from:
        require_branches(data.corpora)
    elif extra:
        kind = recogniser_class.__name__
        log.warning("%s: not used, for a %s learns from one corpus alone", ", ".join(extra), kind)
    data.load(*recogniser_class.learns_from, "validation", "test")
    return data


def fit_tokenizer(config: DictConfig, data: SpeechDataModule | TextDataModule) -> None:
    """Fit on training text alone; the configuration, and with it the model, takes what is found."""
    tokenizer: Tokenizer = instantiate(config.tokenizer)
    names = data.loaded("train", "train_ext")
    tokenizer.fit(text for name in names for text in data.spelt(name, tokenizer))
    config.tokenizer.update(tokenizer.state())


def make_trainer(
    config: DictConfig,
    resolved: dict[str, Any],
    folder: Path,
    watchers: Sequence[lightning.Callback],
) -> lightning.Trainer:
    """Make the trainer, its callbacks and loggers; checkpoints carry ``resolved``."""
    callbacks = [instantiate(node) for node in config.callbacks.values() if node is not None]
    trainer: lightning.Trainer = instantiate(
        config.trainer,
        callbacks=[ConfigInCheckpoint(resolved), *watchers, Timer(), *callbacks],
        plugins=[AtomicCheckpointIO()],
        logger=[instantiate(node) for node in config.logger.values() if node is not None],
        default_root_dir=str(folder),
    )
    several = trainer.num_devices * trainer.num_nodes > 1
    if several and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise ConfigurationError(
            "the jobs of a sweep have one process each: begin a run of several processes by itself "
            "(without -m; a recipe with hydra.mode=RUN), or take trainer.devices=1"
        )
    return trainer


def _go_on(config: DictConfig, folder: Path) -> tuple[DictConfig, Path | None]:
    """The settings of the run to go on with, and its checkpoint; of a new run, there is none."""
    if config.resume == AUTO and not is_interrupted(folder):
        log.info("resume=auto: %s has no interrupted run: a new one begins", config.task)
        return config, None
    # Lightning warns of what we have taken care of.
    for warned in ("You're resuming from", "Checkpoint directory", "Experiment logs directory"):
        warnings.filterwarnings("ignore", warned)
    path, checkpoint = newest_whole_checkpoint(folder / "checkpoints")
    saved = OmegaConf.create(checkpoint["config"])
    return settings_to_go_on_with(config, saved, folder), path


def _validated(trainer: lightning.Trainer, model: Recogniser | LanguageModel) -> dict[str, float]:
    """The figure by which the weights were chosen; without a checkpoint, that of the last epoch."""
    checkpoint = trainer.checkpoint_callback
    if isinstance(checkpoint, ModelCheckpoint) and checkpoint.best_model_score is not None:
        return {str(checkpoint.monitor): float(checkpoint.best_model_score)}
    name = f"validation/{model.objective}"
    figures = trainer.callback_metrics
    return {name: float(figures[name])} if name in figures else {}


def _take_best(trainer: lightning.Trainer, model: lightning.LightningModule) -> dict[str, Any]:
    """Take over the best weights; returns what the report says of the training."""
    checkpoint = trainer.checkpoint_callback
    timer = next(each for each in trainer.callbacks if isinstance(each, Timer))  # type: ignore[attr-defined]
    said: dict[str, Any] = {
        "minutes": round(timer.time_elapsed("train") / 60, 2),
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
    }
    if isinstance(checkpoint, ModelCheckpoint) and checkpoint.best_model_score is not None:
        model.load_state_dict(read_checkpoint(checkpoint.best_model_path)["state_dict"])
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


@rank_zero_only
def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=4), encoding="utf-8")
