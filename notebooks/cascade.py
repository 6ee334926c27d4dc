# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # What the languages of a cascade have in common
#
# Each subnet of a cascade gets the same test recordings, whatever their language, and what comes
# out of two of them is compared: by centred kernel alignment, 1 where both tell the same things
# apart, 0 where they have nothing in common. A run that keeps all its checkpoints
# (`callbacks.checkpoint.save_top_k=-1`) shows how that changes over training. `KASKAD_RUN` says
# which run, or a folder of runs, of which the newest counts.

# %%
import os
from itertools import combinations
from pathlib import Path
from typing import Any, cast

import matplotlib.pyplot as plt
import numpy as np
import polars as pl
import torch

from kaskad.audio.samples import read_or_convert
from kaskad.metrics.similarity import linear_cka
from kaskad.models.recogniser import Recogniser, load_recogniser
from kaskad.reports.report import find_results
from kaskad.runs.checkpoints import read_checkpoint

MOST = 50  # recordings that are used
results = find_results(Path(os.environ.get("KASKAD_RUN", "runs")))
run = results.parents[1]
paths = pl.read_parquet(results)["path"].head(MOST).to_list()
epochs = {read_checkpoint(path)["epoch"]: path for path in (run / "checkpoints").glob("*.ckpt")}
print(run, len(epochs), "checkpoints")


# %%
def branch_outputs(recogniser: Recogniser) -> dict[str, np.ndarray]:
    """What comes out of each subnet: (frames, dim), those of all recordings one after the other."""
    found: dict[str, list[np.ndarray]] = {}
    rate = recogniser.features.sample_rate
    for waveform in (torch.from_numpy(read_or_convert(path, rate, rate)) for path in paths):
        lengths = torch.tensor([len(waveform)])
        for branch, subnet in cast(Any, recogniser.encoder).subnets.items():
            outputs: list[torch.Tensor] = []
            hook = subnet.register_forward_hook(lambda _, __, output, o=outputs: o.append(output))
            recogniser(waveform[None], lengths, branch)
            hook.remove()
            sequences, frames = outputs[0]
            found.setdefault(branch, []).append(sequences[0, : frames[0]].numpy())
    return {branch: np.concatenate(each) for branch, each in found.items()}


similarities = []
with torch.inference_mode():
    for epoch, path in sorted(epochs.items()):
        outputs = branch_outputs(load_recogniser(path)[0])
        for one, other in combinations(outputs, 2):
            row = (epoch + 1, f"{one} and {other}", linear_cka(outputs[one], outputs[other]))
            similarities.append(row)
table = pl.DataFrame(similarities, schema=["epoch", "branches", "similarity"], orient="row")
print(table)

# %%
figure, axes = plt.subplots(figsize=(7, 3))
for (branches,), rows in table.group_by("branches", maintain_order=True):
    axes.plot(rows["epoch"], rows["similarity"], marker="o", label=branches)
axes.set(xlabel="epoch", ylabel="similarity of subnets (CKA)", ylim=(0, 1))
axes.legend()
plt.show()
