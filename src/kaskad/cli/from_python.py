"""Commands called from Python, a notebook included: the same as on the command line."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import ConfigCompositionException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from kaskad.cli.command import quiet_lightning
from kaskad.cli.composition import as_hydra_takes_them, complete, without_needless_plus
from kaskad.cli.search_path import conf_folder
from kaskad.config.messages import ConfigurationError


def train(overrides: Sequence[str] = ()) -> dict[str, float]:
    """Train, test and report, as `kaskad train` does.

    Args:
        overrides: What would stand on the command line: ``["model=cnn2d_lstm", "data=numbers"]``.

    Returns:
        The figures of the report, by names such as ``test/wer``. Everything else lies in the run
        folder, ``runs/<task>/<date>/<time>`` unless ``hydra.run.dir=…`` says otherwise.

    Raises:
        ConfigurationError: If no run can begin with these overrides; each fault has a line.
    """
    from kaskad.commands.train import train as train_command  # heavy

    with composed("train", overrides) as config:
        return train_command(config)


@contextmanager
def composed(command: str, overrides: Sequence[str]) -> Iterator[DictConfig]:
    """The checked configuration of a command, its run folder made, for as long as it runs.

    Its log goes to ``<command>.log`` in that folder. Raises ``ConfigurationError``.
    """
    conf = conf_folder()
    config = _compose(conf, command, as_hydra_takes_them(overrides, conf, command))
    if config.hydra.mode == RunMode.MULTIRUN:
        raise ConfigurationError("a sweep starts on the command line: kaskad train -m …")
    state, before = HydraConfig.instance(), HydraConfig.instance().cfg
    state.set_config(config)
    try:
        folder = Path(config.hydra.run.dir).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        OmegaConf.set_readonly(config.hydra, False)
        config.hydra.runtime.output_dir = str(folder)
        state.set_config(config)
        with open_dict(config):
            del config.hydra
        complete(config, conf, command)
        quiet_lightning()
        with _logged(folder / f"{command}.log"):
            yield config
    finally:
        state.cfg = before


def _compose(folder: Path, command: str, overrides: Sequence[str]) -> DictConfig:
    try:
        with hydra.initialize_config_dir(str(folder), version_base="1.3", job_name=command):
            return hydra.compose(command, list(overrides), return_hydra_config=True)
    except ConfigCompositionException as error:
        without = without_needless_plus(overrides, error)
        if without is None:
            raise
    return _compose(folder, command, without)


@contextmanager
def _logged(file: Path) -> Iterator[None]:
    handler = logging.FileHandler(file, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
