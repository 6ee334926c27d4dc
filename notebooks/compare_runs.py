# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Runs side by side
#
# `KASKAD_SWEEP` is the folder of a sweep (`python train.py -m seed=0,1 optimizer.lr=0.002,0.004`),
# without it the newest.
# Seeds are drawn together: what is left of the overrides names a setting.

# %%
import os
import re
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl

from kaskad.metrics.bootstrap import resampled
from kaskad.metrics.error_rates import ErrorRates
from kaskad.reports.report import find_results
from kaskad.sweeps.results import read_results

newest = max(Path("runs").glob("*/*/*/jobs.csv"), key=os.path.getmtime, default=Path("runs/x"))
sweep = Path(os.environ.get("KASKAD_SWEEP", newest.parent))
results = [result for result in read_results(sweep) if not result.failure]
print(f"{sweep}: {len(results)} finished jobs")

# %% [markdown]
# ## A dot a seed

# %%
METRIC = "test/wer"


def setting(overrides: list[str]) -> str:
    """What a job has beside its seed."""
    return " ".join(o for o in overrides if not re.match(r"seed=|hydra|trainer\.enable_", o))


jobs = pl.DataFrame(
    {"setting": setting(list(r.overrides)), METRIC: r.figures[METRIC]}
    for r in results
    if METRIC in r.figures
)
table = jobs.group_by("setting", maintain_order=True).agg(
    runs=pl.len(), mean=pl.col(METRIC).mean(), std=pl.col(METRIC).std()
)
print(table)
figure, axes = plt.subplots(figsize=(8, 0.8 + 0.4 * table.height), constrained_layout=True)
for place, (name, mean) in enumerate(table.select("setting", "mean").rows()):
    seeds = 100 * jobs.filter(setting=name)[METRIC]
    axes.scatter(seeds, [place] * len(seeds), alpha=0.6)
    axes.scatter([100 * mean], [place], marker="|", s=300, color="black")
axes.set_yticks(range(table.height), table["setting"].to_list())
axes.set(xlabel="WER, %", title="a dot a seed, a stroke their mean")
plt.show()

# %% [markdown]
# ## How sure each run is
# 95 % of what would have come out with other utterances of the same kind.

# %%
found = [(path, find_results(path)) for path in sorted(sweep.iterdir()) if path.is_dir()]
figure, axes = plt.subplots(figsize=(8, 0.8 + 0.4 * len(found)), constrained_layout=True)
for place, (_, file) in enumerate(found):
    utterances = pl.read_parquet(file, glob=False)
    wer = 100 * resampled({"wer": ErrorRates(utterances).shares()["wer"]})["wer"]
    axes.boxplot(
        wer,
        positions=[place],
        orientation="horizontal",
        whis=(2.5, 97.5),
        showfliers=False,
        widths=0.6,
    )
axes.set_yticks(range(len(found)), [path.name for path, _ in found])
axes.set(xlabel="WER, %")
plt.show()
