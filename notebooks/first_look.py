# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
# ---

# %% [markdown]
# # A first look
#
# Listen to the corpus, see what the net sees, train for two minutes, transcribe. The corpus is
# synthesised on first use: Russian spoken numbers.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from IPython.display import Audio, display

import kaskad
from kaskad.audio import LogMel
from kaskad.audio.reading import read_audio
from kaskad.corpora import make_numbers

UTTERANCES = {"train": 400, "validation": 40, "test": 40, "test_known": 40}
RATE = 16_000  # Hz

corpus = {
    part: make_numbers("data/numbers", part, utterances=UTTERANCES, workers=1)
    for part in UTTERANCES
}
print({part: f"{table.height} by {table['speaker'].n_unique()}" for part, table in corpus.items()})

# %% [markdown]
# ## Three utterances

# %%
sample = corpus["train"].sample(3, seed=0)
for row in sample.iter_rows(named=True):
    print(row["text"])
    display(Audio(read_audio(row["path"], RATE), rate=RATE))

# %% [markdown]
# ## What the net sees
# The logarithm of the energy in 80 bands, a frame every 10 milliseconds; low frequencies at the
# bottom.

# %%
features = LogMel(sample_rate=RATE, bins=80).eval()
figure, axes = plt.subplots(3, 1, figsize=(9, 6), constrained_layout=True)
for axis, row in zip(axes, sample.iter_rows(named=True), strict=True):
    waveform = torch.from_numpy(read_audio(row["path"], RATE))[None]
    frames, _ = features(waveform, torch.tensor([waveform.shape[1]]))
    extent = (0, frames.shape[1] / 100, 0, 80)
    axis.imshow(frames[0].T, origin="lower", aspect="auto", extent=extent)
    axis.set(title=row["text"], ylabel="band")
axes[-1].set(xlabel="seconds")
plt.show()

# %% [markdown]
# ## Two minutes of training
# 400 utterances are few, so do not expect much. `kaskad.train` takes what the command line takes.

# %%
sizes = ", ".join(f"{part}: {count}" for part, count in UTTERANCES.items())
run = Path("runs/first_look")
figures = kaskad.train(
    [
        f"data.source.utterances={{{sizes}}}",
        "trainer.max_epochs=8",
        "logger=csv",
        f"hydra.run.dir={run}",
    ]
)
print({name: round(value, 3) for name, value in figures.items() if name.startswith("test/")})

# %% [markdown]
# ## Transcribe
# Words with the seconds at which they begin and end, and how sure the net is of them.

# %%
recogniser = kaskad.load(run)
for row in corpus["test"].head(3).iter_rows(named=True):
    hypothesis = recogniser.transcribe(row["path"])
    print(f"{row['text']}\n  {hypothesis.text}")
    for word in hypothesis.words:
        print(f"    {word.start:5.2f} {word.end:5.2f}  {word.confidence:.2f}  {word.text}")
