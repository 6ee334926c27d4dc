"""Where Hydra finds the recipes in `experiments/`, beside the choices in `conf/`."""

from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

import kaskad.cli.resolvers  # noqa: F401 - registers them

EXPERIMENTS = "experiments"


class ProjectSource(FileConfigSource):
    """The project's folder, of which Hydra is to see the experiments only, not src or runs."""

    @staticmethod
    def scheme() -> str:
        return "project"

    def is_group(self, config_path: str) -> bool:
        return self._is_shown(config_path or EXPERIMENTS) and super().is_group(config_path)

    def is_config(self, config_path: str) -> bool:
        return self._is_shown(config_path) and super().is_config(config_path)

    def _is_shown(self, config_path: str) -> bool:
        return Path(config_path).parts[:1] == (EXPERIMENTS,)


class ProjectSearchPath(SearchPathPlugin):
    """Puts the folder around `conf` on Hydra's search path, wherever the command is typed."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for element in list(search_path.get_path()):
            if element.provider == "main":
                search_path.append("project", f"project://{Path(element.path).resolve().parent}")
