"""Writes the reference of the commands and of the configuration from the files of conf/.

A page holds each file as it is: its comments are what there is to say about an option.
"""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

from kaskad.__main__ import COMMANDS

CONF = Path(__file__).resolve().parents[2] / "conf"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add reference/commands.md, reference/configuration.md and a page for each group."""
    groups = sorted(path for path in CONF.rglob("*") if path.is_dir() and any(path.glob("*.yaml")))
    pages = {"commands": _commands(), "configuration": _overview(groups)}
    pages |= {f"configuration/{_name(group)}": _group(group) for group in groups}
    for name, text in pages.items():
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def _commands() -> str:
    parts = ["# Commands", "", "`kaskad <command> key=value …`, in the order of a lab's work."]
    for command in COMMANDS:
        parts += ["", f"## kaskad {command}", "", _yaml(CONF / f"{command}.yaml")]
    return "\n".join(parts) + "\n"


def _overview(groups: list[Path]) -> str:
    lines = ["# Configuration", "", "| group | choices |", "|---|---|"]
    for group in groups:
        page = f"configuration/{_name(group)}.md"
        choices = ", ".join(f"`{file.stem}`" for file in sorted(group.glob("*.yaml")))
        lines.append(f"| [{group.relative_to(CONF).as_posix()}]({page}) | {choices} |")
    return "\n".join(lines) + "\n"


def _group(group: Path) -> str:
    name = group.relative_to(CONF).as_posix()
    parts = [f"# {name}"]
    for file in sorted(group.glob("*.yaml")):
        parts += ["", f"## {name}={file.stem}", "", _yaml(file)]
    return "\n".join(parts) + "\n"


def _name(group: Path) -> str:
    return "_".join(group.relative_to(CONF).parts)


def _yaml(file: Path) -> str:
    return f"```yaml\n{file.read_text('utf-8').strip()}\n```"
