"""Train a recogniser and test it: train.py model=cnn2d_lstm data=numbers."""

import json
import logging
import warnings
from collections.abc import Callable, Mapping, Sequence
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
from pytorch_lightning.callbacks import Timer
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.exceptions import MisconfigurationException
from rich.console import Console

from kaskad.callbacks.best_checkpoint import chosen_figures, take_best
from kaskad.callbacks.embedding_order import EmbeddingOrder
from kaskad.callbacks.final_metrics import tell_figures
from kaskad.callbacks.pruning import was_pruned
from kaskad.callbacks.skipped_utterances import SkippedUtterances
from kaskad.config.messages import ConfigurationError
from kaskad.config.overrides import pasteable
from kaskad.data.corpus import read_transcripts, require_branches
from kaskad.data.datamodule import SpeechDataModule
from kaskad.data.text_datamodule import TextDataModule
from kaskad.evaluation import language_model as language_test
from kaskad.evaluation import recogniser as recogniser_test
from kaskad.evaluation.blank import tell_if_blank
from kaskad.evaluation.nearest import nearest_count
from kaskad.metrics.registry import METRICS
from kaskad.models.language_model import LanguageModel
from kaskad.models.recogniser import Recogniser
from kaskad.models.transfer import transfer_weights
from kaskad.reports.report import show_report
from kaskad.runs import distributed
from kaskad.runs.checkpoints import (
    AtomicCheckpointIO,
    ConfigInCheckpoint,
    newest_whole_checkpoint,
)
from kaskad.runs.environment import environment
from kaskad.runs.folder import add_environment, run_lock
from kaskad.runs.own_settings import require_own
from kaskad.runs.requirements import require_all
from kaskad.runs.resume import settings_to_go_on_with, working_directory_of
from kaskad.runs.saved_configuration import fault_of, saved_form
from kaskad.runs.slurm import slurm_plugins
from kaskad.runs.terminal import shows_bars
from kaskad.runs.which_run import AUTO, goes_on, interrupted_runs
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
        if goes_on(config, folder):
            config, checkpoint = _go_on(config, folder)
            with working_directory_of(folder):
                return _train(config, folder, checkpoint)
        if config.resume == AUTO:
            _tell_what_was_found(config, folder)
        return _train(config, folder)


def _train(config: DictConfig, folder: Path, checkpoint: Path | None = None) -> dict[str, float]:
    require_all(config, folder)
    if fault := fault_of(saved_form(config)["model"], "model"):
        raise ConfigurationError(
            f"{fault}; a checkpoint is loaded where the environment is another: write the value"
        )
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
    resolved = saved_form(config)
    resolved["choices"] = _choices()
    rank_zero_only(OmegaConf.save)(resolved, folder / "config.yaml")

    trainer = make_trainer(config, resolved, folder, plan.watchers())
    trainer.fit(plan.model, datamodule=plan.data, ckpt_path=checkpoint, weights_only=True)
    if trainer.interrupted:
        raise KeyboardInterrupt
    if was_pruned(trainer):  # hopeless: not worth a test
        return chosen_figures(trainer)
    tester = trainer
    if trainer.world_size > 1:
        distributed.part()
        if not trainer.is_global_zero:
            return {}  # the first process tests alone
        tester = _bare_trainer(config, plan.watchers())

    def validate() -> Mapping[str, float]:
        (figures,) = _bare_trainer(config, []).validate(plan.model, plan.data, verbose=False)
        return figures

    training = _trained(trainer) | take_best(trainer, plan.model, validate)
    validated = training.get("validation") or chosen_figures(trainer)
    origin = {"training": training, "environment": made, **plan.said}
    report = plan.test(tester, plan.model, plan.data, folder, config.task, origin)
    figures = plan.figures_of(report)
    figures |= {"training/minutes": training["minutes"], **validated}
    tell_figures(trainer, figures)  # before anything is shown, which may fail
    plan.show(report, Console())
    tell_if_blank(report, trainer.global_step)
    return figures


@dataclass(frozen=True)
class Plan:
    """What is trained on what, and tested how; ``watchers`` makes the callbacks that this kind of
    data needs, and ``said`` is what the report says of how it began."""

    model: Recogniser | LanguageModel
    data: SpeechDataModule | TextDataModule
    test: Callable[..., dict[str, Any]]
    figures_of: Callable[[dict[str, Any]], dict[str, float]]
    show: Callable[[dict[str, Any], Console], None]
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
    test = partial(recogniser_test.test_and_report, nearest=nearest)
    watchers = partial(_make_watchers, SkippedUtterances, EmbeddingOrder)
    return Plan(recogniser, data, test, recogniser_test.figures_of, show_report, watchers, said)


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
    test = language_test.measure_and_report
    said = {"text": data.summary()}
    return Plan(model, data, test, language_test.figures_of, language_test.show, list, said)


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
        callbacks=[ConfigInCheckpoint(resolved), *watchers, _timer(config.trainer), *callbacks],
        plugins=[AtomicCheckpointIO(), *slurm_plugins()],
        logger=[instantiate(node) for node in config.logger.values() if node is not None],
        # Not the run folder itself: on Slurm, Lightning loads any hpc_ckpt_*.ckpt that it finds.
        default_root_dir=str(folder / "checkpoints"),
        max_time=None,  # _timer has it
        enable_progress_bar=config.trainer.enable_progress_bar and shows_bars(),
    )
    several = trainer.num_devices * trainer.num_nodes > 1
    if several and HydraConfig.get().mode == RunMode.MULTIRUN:
        raise ConfigurationError(
            "the jobs of a sweep have one process each: begin a run of several processes by itself "
            "(without -m; a recipe with hydra.mode=RUN), or take trainer.devices=1"
        )
    return trainer


def _go_on(config: DictConfig, folder: Path) -> tuple[DictConfig, Path]:
    """The settings of the run to go on with, and its checkpoint."""
    # Lightning warns of what we have taken care of.
    for warned in ("You're resuming from", "Checkpoint directory", "Experiment logs directory"):
        warnings.filterwarnings("ignore", warned)
    path, checkpoint = newest_whole_checkpoint(folder / "checkpoints")
    saved = OmegaConf.create(checkpoint["config"])
    settings = settings_to_go_on_with(config, saved, folder)
    plain = cast(dict[str, Any], OmegaConf.to_container(settings, resolve=False))
    require_own(plain, config, path)
    return settings, path


def names_of_figures(config: DictConfig) -> list[str]:
    """The figures that ``train`` may return: a sweep can minimise one of these."""
    names = [*METRICS, "loss"]
    corpora = [name for name, corpus in config.data.corpora.items() if corpus.role == "test"]
    found = [f"{place}/{name}" for place in ("validation", *corpora) for name in names]
    speeds = [f"{corpus}/audio_seconds_per_second" for corpus in corpora]
    return [*found, *speeds, "parameters", "training/minutes"]


def _bare_trainer(config: DictConfig, callbacks: list[lightning.Callback]) -> lightning.Trainer:
    """A trainer of one process that only tests, and that nobody watches."""
    alone = {"devices": 1, "num_nodes": 1, "strategy": "auto", "enable_checkpointing": False}
    silent = {"enable_progress_bar": False, "enable_model_summary": False, "max_time": None}
    trainer: lightning.Trainer = instantiate(
        config.trainer, callbacks=callbacks, logger=False, **alone, **silent
    )
    return trainer


def _trained(trainer: lightning.Trainer) -> dict[str, Any]:
    """How long the training was, for the report."""
    timer = next(each for each in trainer.callbacks if isinstance(each, Timer))  # type: ignore[attr-defined]
    return {
        "minutes": round(timer.time_elapsed("train") / 60, 2),
        "epochs": trainer.current_epoch,
        "steps": trainer.global_step,
    }


def _timer(trainer: DictConfig) -> Timer:
    """Counts the minutes of training; ends it where there is a limit."""
    try:
        return Timer(trainer.get("max_time"))
    except MisconfigurationException as error:
        raise ConfigurationError(
            f"trainer.max_time={trainer.max_time}: wants days, hours, minutes and seconds in two "
            "digits each, as in trainer.max_time=00:12:30:00"
        ) from error


def _tell_what_was_found(config: DictConfig, folder: Path) -> None:
    """Why resume=auto begins a new run."""
    others = interrupted_runs(Path("runs"))
    known = f"; others were interrupted: {pasteable('resume', str(others[0]))}" if others else ""
    log.info("resume=auto: %s has no interrupted run: a new one begins%s", config.task, known)


def _choices() -> dict[str, str | None]:
    """The choice for each group, by which the data of a checkpoint is known later."""
    choices = HydraConfig.get().runtime.choices
    return {group: choice for group, choice in choices.items() if not group.startswith("hydra")}


def _make_watchers(*kinds: type[lightning.Callback]) -> list[lightning.Callback]:
    return [kind() for kind in kinds]


@rank_zero_only
def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=4), encoding="utf-8")
