"""Make a release of a run, tested and described, or verify one: kaskad release run=… name=v1."""

import logging
from datetime import datetime
from pathlib import Path
from typing import Any, cast

import polars as pl
from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console

import kaskad
from kaskad.commands.evaluate import evaluate
from kaskad.config.messages import ConfigurationError
from kaskad.evaluation.own_data import add_own_data
from kaskad.models.language_model import LanguageModel
from kaskad.models.module import Learner
from kaskad.models.recogniser import Recogniser
from kaskad.releases import package, tested, utterances
from kaskad.releases.card import CARD, card, compared, results_of
from kaskad.releases.exports import FOLDER as EXPORTS
from kaskad.releases.exports import write_exports
from kaskad.releases.source import Source, author_by_git, find_source
from kaskad.releases.verify import verify
from kaskad.reports.readable_json import to_json
from kaskad.reports.report import RESULTS
from kaskad.runs.released import ReleaseError, is_release, require_whole
from kaskad.storage.files import write_text
from kaskad.storage.tables import read_parquet

log = logging.getLogger(__name__)

FACTS = "release.json"


def release(config: DictConfig) -> dict[str, float]:
    """Make the release ``config.name`` of ``config.run``, or verify ``config.verify``.

    What is released is tested first, as it is loaded from the release, on the corpora of the
    configuration; then it is described, compared with the release before it, verified, packed, and
    put in its place whole. Returns the figures of the test.
    """
    console = Console()
    if config.verify is not None:
        verified = verify(config.verify, trusted=config.trusted)
        texts = "; ".join(verified.texts)
        through = f" (through {', '.join(verified.exports)}, too)" if verified.exports else ""
        console.print(
            f"{config.verify}: {verified.files} files are unchanged, and the test utterances are "
            f"recognised as then{through}: {texts}",
            highlight=False,
            markup=False,
        )
        return {"files": verified.files}
    for option in ("run", "name"):
        if not config[option]:
            raise ConfigurationError(
                f"{option}: no value yet\nkaskad release run=runs/… name=v1 makes a release, "
                "kaskad release verify=<folder or archive> verifies one"
            )
    source = find_source(config.run)
    folder = Path(config.output or Path("releases", str(source.config.get("task"))))
    place = folder / str(config.name)
    package.require_free(place)
    earlier = _earlier(config, place)
    with package.building(place) as stage:
        decoder = cast(dict[str, Any] | None, OmegaConf.to_container(config.decoder, resolve=True)
                       if config.get("decoder") is not None else None)  # fmt: skip
        model = package.pack_model(source, stage, decoder, config.trusted)
        report, figures = _test(config, source, model, stage)
        facts = _facts(config, source, model)
        if earlier is not None and (stage / tested.SCORES).is_file():
            facts["compared_with"] = tested.compare_with(earlier, stage)
        write_text(to_json(facts), stage / FACTS)
        write_text(card(facts, report), stage / CARD)
        if config.internal:
            package.write_internal(source, config.notes, stage)
        package.write_sums(stage)
        verify(stage, trusted=config.trusted)
        archive = package.publish(stage, place)
    package.add_to_changelog(_line(facts, report), place)
    _show(facts, report, place, archive, console)
    return figures


def _earlier(config: DictConfig, place: Path) -> Path | None:
    """The release to compare with, whole; a damaged one is reported, and left out."""
    earlier = Path(config.previous) if config.previous else package.earlier_release(place)
    if earlier is None:
        return None
    if not is_release(earlier):
        raise ConfigurationError(f"previous={earlier}: is no folder of a release")
    try:
        require_whole(earlier)
    except ReleaseError as error:
        log.warning("not compared with the release before: %s", error)
        return None
    return earlier if (earlier / tested.SCORES).is_file() else None


def _test(
    config: DictConfig, source: Source, model: Learner, stage: Path
) -> tuple[tested.Report, dict[str, float]]:
    """Test what lies in ``stage``, and write there what came of it; a language model keeps the
    figures of its run."""
    place = stage / utterances.FOLDER
    if isinstance(model, LanguageModel):
        if not config.sentences:
            raise ConfigurationError(
                "sentences: give some that this language model is tried on, as "
                "'sentences=[\"a sentence\",another]'"
            )
        utterances.write_sentences(model, list(config.sentences), place)
        figures = {
            name: part["figures"]
            for name, part in source.report.get("corpora", {}).items()
            if "figures" in part
        }
        report = {"corpora": {name: {"figures": each} for name, each in figures.items()}}
        write_text(to_json(report), stage / tested.REPORT)
        return report, {f"{c}/{n}": v for c, each in figures.items() for n, v in each.items()}
    if not isinstance(model, Recogniser):
        raise ReleaseError(f"{source.checkpoint}: a {type(model).__name__} recognises nothing")
    trial = config.copy()
    with open_dict(trial):
        if trial.get("data") is None and not trial.corpora and trial.suite is None:
            trial.title = add_own_data(trial, [source.checkpoint])
        trial.checkpoint = str(stage)
    found = evaluate(trial)
    folders = tested.find_reports(Path(config.run_dir))
    report = tested.write_report(folders, stage)
    paths = list(config.utterances)
    if not paths:
        results = [read_parquet(folder / RESULTS) for folder in folders.values()]
        paths = utterances.choose(pl.concat(results, how="diagonal_relaxed"))
    signals = utterances.write_utterances(model, paths, place)
    write_exports(model, list(config.exports), signals, stage / EXPORTS)
    return report, found


def _facts(config: DictConfig, source: Source, model: Learner) -> dict[str, Any]:
    """What release.json says."""
    return {
        "name": str(config.name),
        "kind": package.kind_of(model),
        "made": datetime.now().astimezone().isoformat(timespec="seconds"),
        "author": config.author or author_by_git(),
        "purpose": config.purpose,
        "limits": config.limits,
        "licence": config.licence,
        "data_licence": config.data_licence,
        "kaskad": kaskad.__version__,
        **source.public_environment,
        "choices": source.config.get("choices") or {},
        "corpora": package.corpora_of(source.config),
        "trained": source.trained,
        "overlap": source.overlap,
    }


def _line(facts: dict[str, Any], report: dict[str, Any]) -> str:
    """What the list of releases says of this one."""
    choices, commit = facts["choices"], (facts["commit"] or "not known")[:10]
    made_of = f"{choices.get('model', facts['kind'])} on {choices.get('data', 'unknown data')}"
    made = f"{facts['made'][:10]}, commit {commit}, seed {facts['seed']}"
    line = f"**{facts['name']}** ({made}): {made_of}"
    figures = [f"{row['corpus']} {row['title']} {row['value']}" for row in results_of(report)]
    if figures:
        line += f"; {', '.join(figures)}"
    if comparison := facts.get("compared_with"):
        line += f". Beside {comparison['release']}: {' / '.join(compared(comparison))}"
    return f"{line}."


def _show(
    facts: dict[str, Any], report: dict[str, Any], place: Path, archive: Path, console: Console
) -> None:
    lines = [f"released {place} and {archive}"]
    if comparison := facts.get("compared_with"):
        lines += [f"beside {comparison['release']}: {each}" for each in compared(comparison)]
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)
