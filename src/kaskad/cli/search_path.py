"""Where Hydra finds the recipes in `experiments/`, beside the choices in `conf/`."""

from pathlib import Path

from hydra._internal.core_plugins.file_config_source import FileConfigSource
from hydra.core.config_search_path import ConfigSearchPath
from hydra.plugins.search_path_plugin import SearchPathPlugin

EXPERIMENTS = "experiments"


def conf_folder() -> Path:
    """The folder `conf`: that of the checkout, or the copy within an installed package."""
    package = Path(__file__).parents[1]
    installed = package / "conf"
    return installed if installed.is_dir() else package.parents[1] / "conf"


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
                beside = Path(element.path).resolve().parent
                # An installed package has no recipes: those in the folder of the user count.
                folder = beside if (beside / EXPERIMENTS).is_dir() else Path.cwd()
                search_path.append("project", f"project://{folder}")
