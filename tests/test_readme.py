"""Every command of the README works as written, on a fresh copy of the project."""

import re
import shlex
import shutil
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"```bash\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)
COMMANDS = [line for block in BLOCKS for line in block.splitlines()]
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


@pytest.mark.parametrize("command", COMMANDS)
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
    if synthesises and "data=table" not in arguments and "--help" not in arguments:
        arguments.append(
            "data.source.utterances={train: 20, validation: 4, test: 6, test_known: 6}"
        )
    assert run(fork_server, clone, arguments)
