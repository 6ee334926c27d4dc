"""Tune the options of a decoder on validation: kaskad tune_decoder checkpoint=…

The net runs once. The test corpora are not looked at.
"""

import logging
import shlex
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import polars as pl
import torch
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf
from rich.console import Console
from rich.progress import track
from rich.table import Table
from torch import Tensor

from kaskad.config.messages import ConfigurationError, require_figure
from kaskad.config.overrides import program
from kaskad.data.datamodule import SpeechDataModule
from kaskad.decoding.priors import count_labels, write_priors
from kaskad.decoding.saved_posteriors import Posteriors
from kaskad.evaluation.own_data import add_own_data
from kaskad.metrics.calibration import calibration, fit_temperature, words_right
from kaskad.metrics.registry import higher_is_better
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import load_recogniser
from kaskad.runs.checkpoints import CheckpointError, find_checkpoint, read_checkpoint
from kaskad.sweeps.decoder_search import read_options, search

log = logging.getLogger(__name__)

FILES = ("language_model", "priors", "lexicon", "rescore")  # options of decoders that may name one
SHOWN = 10  # of the trials, the best
DIRECTIONS: dict[str, Literal["minimize", "maximize"]] = {"min": "minimize", "max": "maximize"}


def tune_decoder(config: DictConfig) -> dict[str, float]:
    """Search ``config.space``; the best options go into decoder/tuned.yaml and tuned.ckpt."""
    folder = Path(config.run_dir)
    path = find_checkpoint(Path(config.checkpoint))
    if config.get("data") is None:
        add_own_data(config, [path])
    recogniser, trained = load_recogniser(path, decoder=config.decoder, trusted=config.trusted)
    if not isinstance(recogniser, CTCRecogniser):
        raise CheckpointError(f"{path}: only a recogniser with CTC has posteriors to decode")
    decoder = trained["model"]["decoder"]
    if config.decoder is not None:
        decoder = cast(dict[str, Any], OmegaConf.to_container(config.decoder, resolve=True))
    space = cast(dict[str, Any], OmegaConf.to_container(config.space))
    values = read_options(space)
    if unknown := space.keys() - decoder.keys():
        raise ValueError(
            f"space.{min(unknown)}: {decoder['_target_']} has no such option; leave it out on the "
            f"command line ('~space.{min(unknown)}')"
        )
    if config.mode is not None and config.mode not in DIRECTIONS:
        raise ConfigurationError(f"mode={config.mode}: wants min, max or null")
    recogniser.to(config.device)
    if config.count_priors:
        decoder["priors"] = str(folder / "priors.json")
        count_priors(recogniser, load_data(config, recogniser, "train"), folder / "priors.json")
    posteriors = find_posteriors(config, recogniser, path)
    posteriors.save(folder / "posteriors.npz")
    trials: list[dict[str, Any]] = []

    def measure(options: dict[str, Any]) -> float:
        figures = try_out(recogniser, {**decoder, **options}, posteriors)
        require_figure(config.metric, figures, "metric")
        trials.append(figures | options)
        pl.DataFrame(trials).write_csv(folder / "trials.csv")
        return figures[str(config.metric)]

    mode = config.mode or ("max" if higher_is_better(config.metric) else "min")
    direction = DIRECTIONS[mode]
    found = search(values, config.trials, measure, direction=direction, seed=config.seed)
    for _ in track(found, "decoding", config.trials, transient=True):
        pass
    figures = rank(trials, config.metric, mode, list(space))
    decoder.update({name: figures[name] for name in space})
    decoder["temperature"] = 1.0
    decoder["temperature"] = temperature_of(recogniser, decoder, posteriors)
    write_tuned(decoder, path, folder)
    return {f"validation/{name}": x for name, x in figures.items() if name not in space}


def load_data(config: DictConfig, recogniser: CTCRecogniser, role: str) -> SpeechDataModule:
    """The corpora of ``config.data`` with this role, no others."""
    data: SpeechDataModule = instantiate(config.datamodule)(
        corpora=instantiate(config.data.corpora, _convert_="all"),
        sample_rate=recogniser.features.sample_rate,
    )
    data.load(role)
    data.connect(recogniser.tokenizer, recogniser.alignment_frames)
    return data


@torch.inference_mode()
def count_priors(recogniser: CTCRecogniser, data: SpeechDataModule, path: Path) -> None:
    """Count labels over the alignments of the training corpus, and write them as priors."""
    labels = recogniser.tokenizer.labels
    counts = torch.zeros(len(labels), dtype=torch.long)
    for batch in track(data.train_dataloader(), "counting priors", transient=True):
        log_probs, lengths = recogniser.posteriors(batch.to(recogniser.device))
        counts += count_labels(log_probs, lengths, batch.targets, batch.target_lengths)
    write_priors(path, labels, counts)


def find_posteriors(config: DictConfig, recogniser: CTCRecogniser, checkpoint: Path) -> Posteriors:
    """Read the posteriors of validation from ``config.posteriors``, or make them."""
    written = checkpoint.stat().st_mtime_ns
    origin = f"{checkpoint.resolve()} ({written}) on {config.title}"
    if config.posteriors is not None:
        return Posteriors.load(Path(config.posteriors), origin)
    return posteriors_of(recogniser, load_data(config, recogniser, "validation"), origin)


@torch.inference_mode()
def posteriors_of(recogniser: CTCRecogniser, data: SpeechDataModule, origin: str) -> Posteriors:
    """Make the posteriors of the validation corpus."""
    language = data.corpora[data.of_role("validation")[0]].language
    found: list[Tensor] = []
    references: list[str] = []
    for batch in track(data.val_dataloader(), "computing posteriors", transient=True):
        if len(batch) == 0:
            continue
        log_probs, lengths = recogniser.posteriors(batch.to(recogniser.device))
        found += [row[:length].cpu() for row, length in zip(log_probs, lengths, strict=True)]
        references += batch.texts
    frames = np.array([len(utterance) for utterance in found])
    return Posteriors(torch.cat(found).numpy(), frames, references, language, origin)


def try_out(
    recogniser: CTCRecogniser, decoder: dict[str, Any], posteriors: Posteriors
) -> dict[str, float]:
    """Decode with these options: the figures, and the ``seconds`` that it took."""
    decode = instantiate(decoder)(
        tokenizer=recogniser.tokenizer, seconds_per_frame=recogniser.seconds_per_frame
    )
    began = time.perf_counter()
    texts = [found.text for batch in posteriors.batches() for found in decode(*batch)]
    seconds = time.perf_counter() - began
    scores = recogniser.score(posteriors.references, texts, posteriors.language)
    return {**scores.figures(), "seconds": round(seconds, 3)}


def temperature_of(
    recogniser: CTCRecogniser, decoder: dict[str, Any], posteriors: Posteriors
) -> float:
    """The temperature that calibrates the confidences of words; 1.0 where no word is recognised."""
    decode = instantiate(decoder)(
        tokenizer=recogniser.tokenizer, seconds_per_frame=recogniser.seconds_per_frame
    )
    found = [hypothesis for batch in posteriors.batches() for hypothesis in decode(*batch)]
    confidences, right = words_right(
        posteriors.references,
        [hypothesis.text for hypothesis in found],
        [[word.confidence or 0.0 for word in hypothesis.words] for hypothesis in found],
    )
    if not len(confidences):
        return 1.0
    temperature = fit_temperature(confidences, right)
    mended = calibration(confidences ** (1 / temperature), right)
    before = calibration(confidences, right)
    if before is not None and mended is not None:
        log.info(
            "a temperature of %.3f brings the expected calibration error from %.2f to %.2f %%",
            temperature,
            100 * before["expected_calibration_error"],
            100 * mended["expected_calibration_error"],
        )
    return temperature


def rank(
    trials: Sequence[dict[str, Any]], metric: str, mode: str, options: Sequence[str]
) -> dict[str, Any]:
    """Show the best trials and return the very best; of equals, the quickest."""
    sign = -1 if mode == "max" else 1
    ranked = sorted(trials, key=lambda trial: (sign * trial[metric], trial["seconds"]))
    shown = (*options, metric, "seconds")
    table = Table(*shown, title=f"The best of {len(trials)}, on validation", title_justify="left")
    for trial in ranked[:SHOWN]:
        values = (trial[name] for name in shown)
        table.add_row(*(f"{x:.4g}" if isinstance(x, float) else str(x) for x in values))
    Console().print(table)
    return ranked[0]


def write_tuned(decoder: dict[str, Any], checkpoint: Path, folder: Path) -> None:
    """Write the decoder as a choice of its config group, and into a copy of the checkpoint."""
    if decoder.get("rescore") is not None:  # of a folder of runs, the newest today
        decoder["rescore"] = str(find_checkpoint(Path(decoder["rescore"])))
    for name in FILES:
        value = decoder.get(name)
        if isinstance(value, str) and Path(value).is_file():
            decoder[name] = str(Path(value).resolve())  # found from anywhere on this machine
    (folder / "decoder").mkdir()
    OmegaConf.save(OmegaConf.create(decoder), folder / "decoder" / "tuned.yaml")
    tuned = read_checkpoint(checkpoint)
    tuned["config"]["decoder"] = tuned["config"]["model"]["decoder"] = decoder
    torch.save(tuned, folder / "tuned.ckpt")
    log.info(
        "wrote %s; for another checkpoint: %s --config-dir %s decoder=tuned …",
        folder / "tuned.ckpt",
        program("evaluate"),
        shlex.quote(str(folder)),
    )
