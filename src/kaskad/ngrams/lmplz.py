"""A model of a text, estimated by KenLM's lmplz where it is installed."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

import polars as pl

from kaskad.ngrams.estimation import Statistics

PROGRAM = "LMPLZ"  # names the program, where it is not on the PATH
MEMORY = "1G"  # beyond which it sorts on disk
# "2 5321/51670 D1=0.85 D2=1.2 D3+=1.4" and "Substituting fallback discounts for order 0: …"
_STATISTICS = re.compile(r"^(\d) (\d+)(?:/\d+)? D1=(\S+) D2=(\S+) D3\+=(\S+)$", re.MULTILINE)
_FALLBACK = re.compile(r"^Substituting fallback discounts for order (\d)", re.MULTILINE)


def find_lmplz() -> str | None:
    """The program $LMPLZ, or lmplz on the PATH; ``None`` where there is none."""
    return shutil.which(os.environ.get(PROGRAM, "lmplz"))


def estimate_with_lmplz(
    sentences: pl.Series,
    arpa: Path,
    *,
    order: int,
    prune: Sequence[int] = (0,),
    vocabulary: Collection[str] | None = None,
) -> Statistics:
    """Do what ``estimation.estimate`` does; raises ``RuntimeError`` with lmplz's complaint."""
    program = find_lmplz()
    if program is None:
        raise RuntimeError("there is no lmplz on the PATH, nor at $LMPLZ: install KenLM")
    with tempfile.TemporaryDirectory(dir=arpa.parent, prefix=".lmplz-") as temporary:
        text, words = Path(temporary, "text"), Path(temporary, "words")
        pl.DataFrame(sentences).write_csv(text, include_header=False, quote_style="never")
        command = [
            *(program, "--order", str(order), "--text", str(text), "--arpa", str(arpa)),
            *("--prune", *map(str, prune), "--discount_fallback"),
            *("--memory", MEMORY, "--temp_prefix", f"{temporary}/"),
        ]
        if vocabulary is not None:
            words.write_text("\n".join(vocabulary), encoding="utf-8")
            command += ["--limit_vocab_file", str(words)]
        run = subprocess.run(command, capture_output=True, text=True, errors="replace")
    if run.returncode != 0:
        raise RuntimeError(f"{program} ended with {run.returncode}: {run.stderr.strip()[-500:]}")
    rows = _STATISTICS.findall(run.stderr)
    return Statistics(
        n_grams=[int(kept) for _, kept, *_ in rows],
        discounts=[(float(one), float(two), float(three)) for _, _, one, two, three in rows],
        fallback=[int(below) + 1 for below in _FALLBACK.findall(run.stderr)],
    )
