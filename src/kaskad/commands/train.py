"""Train a recogniser and test it: train.py model=cnn2d_lstm data=numbers."""

import json
import logging
import warnings
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as lightning
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig, OmegaConf
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from kaskad.callbacks.best_checkpoint import chosen_figures, take_best, was_pruned
from kaskad.callbacks.embedding_order import EmbeddingOrder
from kaskad.callbacks.epoch_figures import EpochFigures, epoch_figures
from kaskad.callbacks.final_metrics import tell_figures
from kaskad.callbacks.skipped_utterances import SkippedUtterances
from kaskad.config.overrides import group_choices, pasteable
from kaskad.evaluation import recogniser as recogniser_test
from kaskad.evaluation.blank import tell_if_blank
from kaskad.evaluation.nearest import nearest_count
from kaskad.evaluation.text_plans import (
    Plan,
    plan_corrections,
    plan_language_model,
    plan_pronunciations,
)
from kaskad.metrics.registry import METRICS
from kaskad.models.module import Learner
from kaskad.models.recogniser import Recogniser
from kaskad.models.training_data import fit_tokenizer, labels_by_language, load_data
from kaskad.models.transfer import take_pretrained, transfer_weights
from kaskad.models.trial import require_buildable
from kaskad.reports.report import show_report
from kaskad.reports.wording import page_language
from kaskad.runs import distributed, slurm
from kaskad.runs.checkpoints import (
    newest_whole_checkpoint,
)
from kaskad.runs.environment import environment
from kaskad.runs.folder import add_environment, run_lock
from kaskad.runs.own_settings import require_own, with_places_of_run
from kaskad.runs.processor import fit_threads
from kaskad.runs.requirements import require_all
from kaskad.runs.resume import settings_to_go_on_with, working_directory_of
from kaskad.runs.saved_configuration import saved_form
from kaskad.runs.trainer import bare_trainer, length_of_training, make_trainer
from kaskad.runs.which_run import AUTO, goes_on, interrupted_runs, require_unused
from kaskad.storage.tables import write_csv

log = logging.getLogger(__name__)


def train(config: DictConfig) -> dict[str, float]:
    """Train, choose the best checkpoint by its WER on validation, test it, and report.

    Everything lands in the run folder; the figures of the report are returned.
    """
    folder = Path(config.run_dir)
    first = rank_zero_only.rank == 0  # type: ignore[attr-defined]
    if not first:
        logging.getLogger().setLevel(logging.ERROR)  # the first process speaks for all
        distributed.end_with_first()
    queued = slurm.queued_again_when_warned() if first and not _is_in_sweep() else nullcontext()
    with queued, run_lock(folder) if first else nullcontext():  # for all processes of the run
        if goes_on(config, folder):
            config, checkpoint = _go_on(config, folder)
            with working_directory_of(folder):
                return _train(config, folder, checkpoint)
        if first:
            require_unused(folder)
        if config.resume == AUTO:
            _tell_what_was_found(config, folder)
        return _train(config, folder)


def _train(config: DictConfig, folder: Path, checkpoint: Path | None = None) -> dict[str, float]:
    require_all(config, folder)
    fit_threads()
    made = environment(config.seed)
    if checkpoint:
        made = add_environment(folder, made)
    _write_json(folder / "environment.json", made)
    lightning.seed_everything(config.seed, workers=True, verbose=False)
    torch.set_float32_matmul_precision("high")

    model_class = cast(type[Learner], get_class(config.model._target_))
    plan = PLANS[model_class.learns_from_data](config, folder, made, begins=checkpoint is None)
    resolved = saved_form(config)
    resolved["choices"] = group_choices()
    rank_zero_only(OmegaConf.save)(resolved, folder / "config.yaml")

    trainer = make_trainer(config, resolved, folder, plan.watchers())
    with distributed.known_as_first() if trainer.is_global_zero else nullcontext():
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
        tester = bare_trainer(config, plan.watchers())

    def validate() -> Mapping[str, float]:
        (figures,) = bare_trainer(config, []).validate(plan.model, plan.data, verbose=False)
        return figures

    training = length_of_training(trainer) | take_best(trainer, plan.model, validate)
    training["curve"] = epoch_figures(trainer)
    validated = training.get("validation") or chosen_figures(trainer)
    origin = {"training": training, "environment": made, **plan.data_facts}
    report = plan.test(tester, plan.model, plan.data, folder, config.task, origin)
    figures = plan.figures_of(report)
    figures |= {"training/minutes": training["minutes"], **validated}
    tell_figures(trainer, figures)  # before anything is shown, which may fail
    plan.show(report, Console())
    tell_if_blank(report, trainer.global_step)
    return figures


def plan_recogniser(
    config: DictConfig, folder: Path, made: dict[str, Any], *, begins: bool
) -> Plan:
    """Plan a recogniser's run; one that ``begins`` may transfer weights, as ``made`` says."""
    require_buildable(config)
    data = load_data(config, listing=folder / "skipped.csv")
    overlap = instantiate(config.overlap)(data, folder)
    fit_tokenizer(config, data)
    recogniser: Recogniser = instantiate(config.model)
    recogniser.phone_errors = config.phone_errors
    if begins:
        take_pretrained(recogniser)
    if config.init_from and begins:
        transfer = transfer_weights(
            recogniser, Path(config.init_from), config.model.features, config.init_parts
        )
        made["init_from"] = asdict(transfer)
        _write_json(folder / "environment.json", made)
    data.connect(recogniser.tokenizer, recogniser.alignment_frames)
    labels = labels_by_language(data, recogniser.tokenizer)
    if labels is not None and rank_zero_only.rank == 0:  # type: ignore[attr-defined]
        write_csv(labels, folder / "labels.csv")
    facts = {"overlap": overlap}
    # Runs of old that are resumed do not have this setting.
    nearest = nearest_count(recogniser, config.get("nearest", 0))
    language = page_language(config.get("report"))
    test = partial(recogniser_test.test_and_report, nearest=nearest, language=language)
    watchers = partial(_make_watchers, SkippedUtterances, EmbeddingOrder, EpochFigures)
    return Plan(recogniser, data, test, recogniser_test.figures_of, show_report, watchers, facts)


def _go_on(config: DictConfig, folder: Path) -> tuple[DictConfig, Path]:
    """The settings of the run to go on with, and its checkpoint."""
    # Lightning warns of what we have taken care of.
    for warned in ("You're resuming from", "Checkpoint directory", "Experiment logs directory"):
        warnings.filterwarnings("ignore", warned)
    path, checkpoint = newest_whole_checkpoint(folder / "checkpoints")
    saved = with_places_of_run(OmegaConf.create(checkpoint["config"]), config, path)
    settings = settings_to_go_on_with(config, saved, folder)
    plain = cast(dict[str, Any], OmegaConf.to_container(settings, resolve=False))
    require_own(plain, config, path)
    return settings, path


# How each kind of model, by the data that it learns from, is trained and tested.
PLANS: dict[str, Callable[..., Plan]] = {
    "speech": plan_recogniser,
    "text": plan_language_model,
    "pronunciations": plan_pronunciations,
    "corrections": plan_corrections,
}


def names_of_figures(config: DictConfig) -> list[str]:
    """The figures that ``train`` returns and by which a sweep may choose: none of a test but how
    fast it was."""
    found = [f"validation/{name}" for name in (*METRICS, "loss")]
    corpora = [name for name, corpus in config.data.corpora.items() if corpus.role == "test"]
    speeds = [f"{corpus}/audio_seconds_per_second" for corpus in corpora]
    return [*found, *speeds, "parameters", "training/minutes"]


def _tell_what_was_found(config: DictConfig, folder: Path) -> None:
    """Why resume=auto begins a new run."""
    others = interrupted_runs(Path("runs"))
    known = f"; others were interrupted: {pasteable('resume', str(others[0]))}" if others else ""
    log.info("resume=auto: %s has no interrupted run: a new one begins%s", config.task, known)


def _is_in_sweep() -> bool:
    """Whether a sweep answers for this job: it waits for all of its jobs."""
    return HydraConfig.initialized() and HydraConfig.get().mode == RunMode.MULTIRUN


def _make_watchers(*kinds: type[lightning.Callback]) -> list[lightning.Callback]:
    return [kind() for kind in kinds]


@rank_zero_only
def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, ensure_ascii=False, indent=4), encoding="utf-8")
