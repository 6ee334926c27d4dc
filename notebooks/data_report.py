# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # What a corpus holds
#
# `KASKAD_DATA_TABLE` is a table with columns `path` and `text`, or a folder that holds one; without
# it, Russian numbers are synthesised. `kaskad describe` writes the same as a page.

# %%
import os
from collections import Counter

import matplotlib.pyplot as plt
import polars as pl

from kaskad.corpora import make_numbers, read_table
from kaskad.data.anomalies import alphabet
from kaskad.data.checks import check_audio

if table := os.environ.get("KASKAD_DATA_TABLE"):
    manifest = read_table(table, "all", language="ru")
else:
    sizes = {"train": 400, "validation": 40, "test": 40, "test_known": 40}
    manifest = make_numbers("data/numbers", "train", utterances=sizes, workers=1)
usable, unusable = check_audio(manifest, min_seconds=0.1, max_seconds=30.0, cache=None)
hours = usable["duration"].sum() / 3600
print(f"{usable.height} utterances, {hours:.2f} hours, {unusable.height} that cannot be used")
if unusable.height:
    print(unusable.group_by("reason").len().sort("len", descending=True))

# %% [markdown]
# ## How long, and how fast
# Speech goes at 10 to 20 letters a second. What lies far outside often has a wrong transcript.

# %%
letters = usable["text"].str.len_chars()
figure, axes = plt.subplots(1, 2, figsize=(10, 3), constrained_layout=True)
axes[0].hist(usable["duration"], bins=30)
axes[0].set(xlabel="seconds", ylabel="utterances")
axes[1].scatter(usable["duration"], letters, s=8, alpha=0.4)
axes[1].set(xlabel="seconds", ylabel="letters")
plt.show()

# %% [markdown]
# ## Who speaks

# %%
if "speaker" in usable.columns:
    speakers = usable.group_by("speaker").agg(pl.col("duration").sum()).sort("duration")
    figure, axes = plt.subplots(figsize=(8, 3), constrained_layout=True)
    axes.bar(range(speakers.height), speakers["duration"])
    axes.set(xlabel=f"{speakers.height} speakers", ylabel="seconds")
    plt.show()

# %% [markdown]
# ## Which words, which letters

# %%
words = Counter(word for text in usable["text"] for word in text.split())
print(f"{len(words)} different words; the most frequent: {words.most_common(10)}")
print(alphabet(usable))
