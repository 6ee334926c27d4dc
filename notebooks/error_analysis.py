# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Where a model errs
#
# Every test of a recogniser of speech writes its tables into the folder of its run, `tables/`:
# `hypotheses.parquet` has a row an utterance, with the columns of the manifest and what was
# counted; the others are those of `report.html`. Here they are loaded and drawn. `KASKAD_RUN` says
# which run, or a folder of runs, of which the newest counts.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import polars as pl

from kaskad.metrics.bootstrap import resampled
from kaskad.metrics.error_rates import WORD_ERRORS, ErrorRates
from kaskad.reports.report import find_results

results = find_results(Path(os.environ.get("KASKAD_RUN", "runs")))
tables = {path.stem: pl.read_csv(path) for path in results.parent.glob("*.csv")}
utterances = pl.read_parquet(results).with_columns(wer=WORD_ERRORS / pl.max_horizontal("words", 1))
print(results.parents[1])
print(tables["figures"])

# %% [markdown]
# ## How wrong the utterances are
# The first bar is of utterances without an error.

# %%
for (corpus,), rows in tables["histogram"].group_by("corpus", maintain_order=True):
    names = [f"{up_to}" if up_to is not None else ">100" for up_to in rows["up_to"]]
    figure, axes = plt.subplots(figsize=(9, 3))
    axes.bar(names, rows["utterances"], color=["tab:green"] + ["tab:blue"] * (len(names) - 1))
    axes.set(title=corpus, xlabel="WER of the utterance, up to %", ylabel="utterances")
plt.show()

# %% [markdown]
# ## Who and what is understood how well
# WER with its 95 % interval.

# %%
groups = tables["groups"].partition_by("column", as_dict=True) if "groups" in tables else {}
for (column,), rows in groups.items():
    rows = rows.filter(pl.col("wer").is_not_null()).sort("wer").tail(30)
    around = (rows["wer"] - rows["wer_low"], rows["wer_high"] - rows["wer"])
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.3 * rows.height))
    places = np.arange(rows.height)
    axes.errorbar(100 * rows["wer"], places, xerr=100 * np.array(around), fmt="o", capsize=3)
    axes.set_yticks(places, [f"{c}: {g}" for c, g in rows.select("corpus", "group").rows()])
    axes.set(title=column, xlabel="WER, %")
plt.show()

# %% [markdown]
# ## Longer utterances, more errors?

# %%
figure, axes = plt.subplots(figsize=(7, 3))
axes.scatter(utterances["duration"], 100 * utterances["wer"], s=12, alpha=0.5)
axes.set(xlabel="seconds", ylabel="WER, %")
plt.show()

# %% [markdown]
# ## What was taken for what
# The letters that were replaced most often.

# %%
if "confusions" in tables:
    letters = (
        tables["confusions"]
        .filter(unit="characters", kind="substitute")
        .group_by("reference", "hypothesis")
        .agg(pl.col("count").sum())
        .sort("count", descending=True)
        .head(40)
    )
    references, hypotheses = (
        letters[side].unique().sort().to_list() for side in ("reference", "hypothesis")
    )
    counts = np.zeros((len(references), len(hypotheses)))
    for reference, hypothesis, count in letters.rows():
        counts[references.index(reference), hypotheses.index(hypothesis)] = count
    figure, axes = plt.subplots(figsize=(6, 6))
    axes.imshow(counts, cmap="Oranges")
    axes.set_xticks(range(len(hypotheses)), hypotheses)
    axes.set_yticks(range(len(references)), references)
    axes.set(xlabel="hypothesis", ylabel="reference")
    plt.show()

# %% [markdown]
# ## How sure the WER is
# The WER of a thousand tests on utterances drawn again from these.

# %%
drawn = resampled({"wer": ErrorRates(utterances).shares()["wer"]})["wer"]
figure, axes = plt.subplots(figsize=(7, 3))
axes.hist(100 * drawn, bins=30)
axes.set(xlabel="WER, %", ylabel="resamples")
plt.show()
