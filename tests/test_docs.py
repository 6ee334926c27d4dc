"""README and docs/ are true: commands work as written, links hold, figures are up to date."""

import importlib.util
import re
import shlex
import shutil
from itertools import chain
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
BLOCKS = [re.findall(r"```bash\n(.*?)```", page.read_text("utf-8"), re.DOTALL) for page in PAGES]
# Each once, in the order in which a reader meets them.
COMMANDS = list(dict.fromkeys(line for block in chain(*BLOCKS) for line in block.splitlines()))
# A sweep takes as long as its jobs together, and trainings of docs/ vary those of the README. That
# of a language model is short, and another command wants it.
README = (ROOT / "README.md").read_text("utf-8")
TRAININGS = [each for each in COMMANDS if "train" in each and "_lm" not in each]
SLOW = [each for each in COMMANDS if " -m " in each]
SLOW += [each for each in TRAININGS if each not in README]
COPIED = ("conf", "experiments", "train.py", "evaluate.py", "transcribe.py")


@pytest.fixture(scope="module")
def clone(fork_server, tone_corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project as a newcomer has it, trained once, with the README's own corpus beside it."""
    folder = tmp_path_factory.mktemp("clone")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        else:
            shutil.copy(ROOT / name, folder / name)
    shutil.copytree(tone_corpus, folder / "speech")
    clips = pl.read_csv(tone_corpus / "manifest.csv").unique("path").select("path", "text")
    parts = dict.fromkeys(clips["text"], "train") | {"тон": "validation", "два-пять": "test"}
    rows = [("word", "pronunciation", "split"), *((w, " ".join(w), p) for w, p in parts.items())]
    (folder / "dictionary.tsv").write_text("\n".join(map("\t".join, rows)), encoding="utf-8")
    speakers = pl.Series("speaker", ["anna", "boris"] * (clips.height // 2))
    clips.with_columns(speakers).write_csv(folder / "speech" / "manifest.csv")
    (folder / "recordings.csv").write_text("path,shelf\nspeech/0.wav,a\nspeech/1.wav,b\n")
    utterances = "{train: 20, validation: 4, test: 6, test_known: 6}"
    run(fork_server, folder, ["train.py", "debug=fast", f"data.source.utterances={utterances}"])
    return folder


def run(fork_server, folder: Path, arguments: list[str]) -> str:
    code, output, errors = fork_server.run(*arguments, directory=folder)
    assert code == 0, f"{shlex.join(arguments)}\n{output}\n{errors}"
    return output


@pytest.mark.parametrize(
    "command",
    [pytest.param(each, marks=pytest.mark.slow if each in SLOW else ()) for each in COMMANDS],
)
def test_the_command_works_as_written(command: str, clone: Path, fork_server) -> None:
    program, *arguments = shlex.split(command)
    assert program in ("python", "kaskad")
    if program == "kaskad":
        arguments = ["-m", "kaskad", *arguments]
    if arguments[0] == "train.py" and "--help" not in arguments:
        arguments += ["debug=fast", "trainer.max_epochs=1"]
    if any(argument.startswith("sweep=") for argument in arguments):
        arguments.append("sweep.trials=2")
    synthesises = arguments[0] == "train.py" or any("data=numbers" in each for each in arguments)
    if "data=numbers_ru_en" in arguments:
        arguments.append("data.source.utterances={train: 20, validation: 4, test: 6}")
        arguments.append("data.source_ext.utterances={train: 20}")
    elif (
        synthesises
        and not {"data=table", "data=pronunciations"} & set(arguments)
        and "--help" not in arguments
    ):
        arguments.append(
            "data.source.utterances={train: 20, validation: 4, test: 6, test_known: 6}"
        )
    assert run(fork_server, clone, arguments)


def test_the_pages_are_built_and_their_links_hold(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("NO_MKDOCS_2_WARNING", "1")
    commands = pytest.importorskip("mkdocs.commands.build")
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path))
    config.plugins.on_startup(command="build", dirty=False)
    commands.build(config)  # strict: raises on a broken link
    page = (tmp_path / "reference" / "configuration" / "model.html").read_text("utf-8")
    assert "model=cnn2d_lstm" in page and "Cells of the LSTM" in page


READMES = ("README.md", "README.ru.md")


@pytest.mark.parametrize("name", READMES)
def test_the_table_of_figures_is_that_of_the_recipes(name: str) -> None:
    spec = importlib.util.spec_from_file_location("figures", ROOT / "docs" / "hooks" / "figures.py")
    assert spec is not None and spec.loader is not None
    figures = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(figures)
    readme = (ROOT / name).read_text("utf-8")
    assert figures.table(figures.READMES[name]) in readme, "make figures brings it up to date"


@pytest.mark.parametrize("name", READMES)
def test_the_links_of_the_readme_hold(name: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text("utf-8"))
    assert not [link for link in links if not (ROOT / link.partition("#")[0]).exists()]


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"(?s)```.*?```", id="blocks of code"),
        pytest.param(r"(?m)^    .+$", id="indented commands"),
        pytest.param(r"(?m)^\| (`[a-z_0-9`, ]+) \|", id="models"),
        pytest.param(r"\]\((?!README)([^)]+)\)", id="links"),
    ],
)
def test_both_readmes_hold_the_same(pattern: str) -> None:
    texts = [re.sub("  #.*", "", (ROOT / name).read_text("utf-8")) for name in READMES]
    english, russian = (re.findall(pattern, text) for text in texts)
    assert english and russian == english
