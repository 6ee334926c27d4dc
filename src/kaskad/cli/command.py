"""What all commands share: one command line, one way to fail, one sweep of many jobs.

`run("train")` is `kaskad train`, and all that `train.py` does: it composes `conf/train.yaml` with
what was typed, checks it, and hands it to `kaskad.commands.train.train`.

Nothing heavy is imported here, so `--help` answers at once. Where this module is imported,
`hydra.compose` finds the recipes of `experiments/` too.
"""

import ast
import functools
import inspect
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from importlib import import_module
from pathlib import Path

import hydra
from hydra._internal.core_plugins.basic_sweeper import BasicSweeperConf
from hydra.conf import HelpConf, HydraConf, JobConf
from hydra.core.config_store import ConfigStore
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from hydra_plugins.hydra_joblib_launcher.config import JobLibLauncherConf
from omegaconf import DictConfig

import kaskad.cli.resolvers  # noqa: F401 - registers them
from kaskad.cli.composition import (
    as_hydra_takes_them,
    complete,
    group_names,
    without_needless_plus,
)
from kaskad.cli.console import forgiving_console
from kaskad.cli.search_path import ProjectSearchPath, ProjectSource, conf_folder
from kaskad.config.messages import ConfigurationError, explain, unwrapped
from kaskad.config.overrides import data_lists_as_corpora, typed_overrides
from kaskad.runs import processor
from kaskad.sweeps.results import Job, JobResult

Figures = Mapping[str, float] | float | None
Task = Callable[[DictConfig], Figures]
Main = Callable[[], None]

log = logging.getLogger(__name__)

FULL_ERROR = "HYDRA_FULL_ERROR"

HELP = """\
${hydra.help.header}

Choices, as group=choice:

$APP_CONFIG_GROUPS
${hydra.help.footer}

  --cfg job       print the whole configuration and stop
  -m              a sweep: one job for every combination of key=1,2 group=a,b
  --hydra-help    Hydra's own options
"""


def run(name: str) -> None:
    """Run the command `name` with the arguments in `sys.argv`, as `kaskad <name>` does."""

    def task(config: DictConfig) -> Figures:
        module = import_module(f"kaskad.commands.{name}")
        figures: Figures = getattr(module, name)(config)
        return figures

    def names_of_figures(config: DictConfig) -> Collection[str]:
        module = import_module(f"kaskad.commands.{name}")
        names: Collection[str] = getattr(module, "names_of_figures", lambda config: ())(config)
        return names

    if name in ("evaluate", "release"):
        sys.argv[1:] = data_lists_as_corpora(sys.argv[1:])
    command(name, conf_folder(), summary_of(name), names_of_figures)(task)()


def summary_of(name: str) -> str:
    """The first line of a command's module, read without importing anything heavy."""
    source = Path(__file__).parents[1] / "commands" / f"{name}.py"
    docstring = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8")))
    return (docstring or name).splitlines()[0]


def command(
    config_name: str,
    config_dir: Path | None = None,
    header: str | None = None,
    figures: Callable[[DictConfig], Collection[str]] | None = None,
) -> Callable[[Task], Main]:
    """Make a function a command, with `<config_dir>/<config_name>.yaml` behind it.

    The task gets the composed and checked configuration and returns its figures: a dict, or one
    float, or None. In a sweep, the figure that `optimised_metric` names is what the sweeper
    learns. The command ends with 0, with 1 after an error (in a sweep: after the last job), with
    130 after Ctrl-C.

    Args:
        config_name: The file of the configuration, without `.yaml`; also the name of the job.
        config_dir: Its folder; `conf` beside the file of the function unless given.
        header: The first line of `--help`; the docstring of the function's module unless given.
        figures: Which figures the task may return, if that is known before: a sweep that is to
            minimise another one is refused before its first job.
    """

    def decorate(task: Task) -> Main:
        folder = config_dir or Path(inspect.getfile(task)).resolve().parent / "conf"
        groups = group_names(folder)
        title = header or inspect.getdoc(sys.modules[task.__module__]) or config_name

        def checked_task(config: DictConfig) -> Figures:
            complete(config, folder, config_name)
            quiet_lightning()
            return task(config)

        @functools.wraps(task)
        def job(config: DictConfig) -> Figures:
            with forgiving_console():
                try:
                    if HydraConfig.get().mode == RunMode.MULTIRUN:
                        return _run_in_sweep(checked_task, config, groups)
                    return checked_task(config)
                except Exception as error:
                    _report_error(error, groups)
                    sys.exit(1)

        job.figures = figures  # type: ignore[attr-defined]

        def run_hydra() -> None:
            sys.argv[1:] = as_hydra_takes_them(sys.argv[1:], folder, config_name)
            run = hydra.main(str(folder), config_name, version_base="1.3")(job)
            try:
                run()
            except ConfigCompositionException as error:
                arguments = without_needless_plus(sys.argv[1:], error)
                if arguments is None:
                    raise
                sys.argv[1:] = arguments
                run()

        def main() -> None:
            with forgiving_console():
                run_and_explain()

        def run_and_explain() -> None:
            processor.set_defaults()  # before torch is loaded
            full_error = os.environ.get(FULL_ERROR, "0")
            _store_hydra_defaults(config_name, title, full_error)
            os.environ[FULL_ERROR] = "1"  # Hydra then hands its errors on instead of printing them
            try:
                run_hydra()
            except (KeyboardInterrupt, SystemExit) as end:
                # Lightning answers Ctrl-C with an exit of its own.
                if KeyboardInterrupt not in (type(end), type(end.__context__)):
                    raise
                print("Interrupted.", file=sys.stderr)
                sys.exit(130)
            except Exception as error:
                os.environ[FULL_ERROR] = full_error
                _report_error(error, groups)
                sys.exit(1)

        return main

    return decorate


def quiet_lightning() -> None:
    """Lightning announces at every start what config.yaml says anyway, and warns of itself."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    for warned in (".*LeafSpec", "Precision .* is not supported by the model summary"):
        warnings.filterwarnings("ignore", warned)


def _store_hydra_defaults(name: str, header: str, full_error: str) -> None:
    """Change what Hydra itself starts from; a configuration may still say otherwise."""
    defaults = HydraConf(
        help=HelpConf(header=header, template=HELP, footer="Anything else, as key=value."),
        # Inside a job, and in the processes it starts, the user's own wish is in force again.
        job=JobConf(name=name, env_set={FULL_ERROR: full_error}),
        callbacks={"sweep_table": {"_target_": "kaskad.sweeps.SweepTable"}},
    )
    store = ConfigStore.instance().store
    store("config", defaults, group="hydra", provider="kaskad")
    grid = BasicSweeperConf("hydra_plugins.kaskad_grid.GridSweeper")
    store("basic", grid, group="hydra/sweeper", provider="kaskad")
    processes = JobLibLauncherConf("hydra_plugins.kaskad_processes.ProcessLauncher")
    store("joblib", processes, group="hydra/launcher", provider="kaskad")
    launcher = {"_target_": "hydra_plugins.kaskad_processes.DefaultLauncher"}
    store("basic", launcher, group="hydra/launcher", provider="kaskad")
    with suppress(ImportError):  # the extra "sweeps" brings it
        from hydra_plugins.hydra_submitit_launcher.config import LocalQueueConf, SlurmQueueConf

        local = LocalQueueConf(_target_="hydra_plugins.kaskad_submitit.LocalJobs")
        slurm = SlurmQueueConf(_target_="hydra_plugins.kaskad_submitit.SlurmJobs")
        store("submitit_local", local, group="hydra/launcher", provider="kaskad")
        store("submitit_slurm", slurm, group="hydra/launcher", provider="kaskad")


def _run_in_sweep(task: Task, config: DictConfig, groups: list[str]) -> Figures:
    """Run one job; a failure is told at once, kept for the table, and does not end the sweep.

    A job that has its result already, from an earlier command, keeps that.
    """
    run = HydraConfig.get()
    job = Job(run.job.num, typed_overrides(), Path(run.runtime.output_dir))
    if job.is_done():
        log.info("job %d is done: its result is kept", job.number)
        result, metric = job.result(), config.get("optimised_metric")
        return result.figure(metric, "optimised_metric") if metric else result.figures
    result = JobResult(job.number, job.overrides)
    try:
        returned = task(config)
        if isinstance(returned, Mapping):
            result.figures = {name: float(figure) for name, figure in returned.items()}
            if metric := config.get("optimised_metric"):
                returned = result.figure(metric, "optimised_metric")
        elif returned is not None:
            result.figures = {"result": float(returned)}
    except Exception as error:
        print(f"Job {result.job} failed: {' '.join(result.overrides)}", file=sys.stderr)
        _report_error(error, groups)
        result.failure = explain(error, groups)
        returned = None  # which a sweeper takes for a failed trial
    result.write(Path(run.runtime.output_dir))
    return returned


def _report_error(error: BaseException, groups: list[str]) -> None:
    """Tell an error on stderr, briefly unless HYDRA_FULL_ERROR=1; a job's log file gets it all."""
    error = unwrapped(error)
    handlers = logging.getLogger().handlers
    logs = [h.baseFilename for h in handlers if isinstance(h, logging.FileHandler)]
    for log in logs:
        with suppress(OSError), open(log, "a", encoding="utf-8") as file:  # the disk may be full
            traceback.print_exception(error, file=file)
    if os.environ[FULL_ERROR] == "1":
        traceback.print_exception(error)
        return
    print(explain(error, groups), file=sys.stderr)
    if HydraConfig.initialized() and not isinstance(error, ConfigurationError):  # within a job
        kept = f", so does {logs[0]}" if logs else ""
        print(f"HYDRA_FULL_ERROR=1 shows the traceback{kept}", file=sys.stderr)


Plugins.instance().register(ProjectSource)
Plugins.instance().register(ProjectSearchPath)
