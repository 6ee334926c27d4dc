# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # Where attention looks
#
# `KASKAD_RUN` is a run of `model=seq2seq_gru`. For each label of a transcript, the decoder looks at
# some frames: a net that has learned to attend goes from left to right.

# %%
import os
from pathlib import Path

import matplotlib.pyplot as plt
import polars as pl
import torch

import kaskad
from kaskad.audio.reading import read_audio
from kaskad.data.batch import Collate, Utterance
from kaskad.models.seq2seq import Seq2SeqRecogniser
from kaskad.reports.report import find_results

run = Path(os.environ.get("KASKAD_RUN", "runs/seq2seq_gru_numbers"))
recogniser = kaskad.load(run)
if not isinstance(recogniser, Seq2SeqRecogniser):
    raise SystemExit(f"{run} is no run of model=seq2seq_gru: it has no attention to look at")
utterances = pl.read_parquet(find_results(run), glob=False).head(4)

# %% [markdown]
# ## Four utterances of the test
# Labels from top to bottom, the last is the end of the sentence; time from left to right.

# %%
rows = list(utterances.iter_rows(named=True))
spell = recogniser.tokenizer
collate = Collate(spell, language="", corpus="test", branch="")
rate = recogniser.features.sample_rate
batch = collate(
    [Utterance(row["id"], row["reference"], read_audio(row["path"], rate)) for row in rows]
)
with torch.inference_mode():
    maps = recogniser.attention_maps(batch)
figure, axes = plt.subplots(len(rows), 1, figsize=(9, 3 * len(rows)), constrained_layout=True)
for axis, row, weights in zip(axes, rows, maps, strict=True):
    labels = [spell.decode([label]) for label in spell.encode(row["reference"])]
    axis.imshow(weights, aspect="auto", cmap="Blues", extent=(0, row["duration"], len(weights), 0))
    axis.set_yticks([i + 0.5 for i in range(len(weights))], [*labels, "end"][: len(weights)])
    axis.set(title=row["reference"], xlabel="seconds")
plt.show()
