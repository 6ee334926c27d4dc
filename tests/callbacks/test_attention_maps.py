"""Pictures of attention: drawn where there is any, and no trouble where there is none."""

from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from kaskad.callbacks.attention_maps import CELL, draw
from kaskad.commands.train import train

ONE_STEP = [
    "callbacks=attention_maps",
    "data=table",
    "trainer.max_epochs=1",
    "trainer.limit_train_batches=1",
    "trainer.limit_test_batches=1",
    "datamodule.workers=0",
    "datamodule.batch_seconds=4",
    "model.encoder={hidden_size: 16, layers: 1}",
]


@pytest.mark.parametrize(
    ("overrides", "pictures"),
    [
        (["model=seq2seq_gru", "model.attention_decoder.layers=1"], 1),
        pytest.param(
            ["model=seq2seq_gru", "model.attention_decoder.layers=1", "logger=csv"],
            0,
            marks=pytest.mark.slow,
        ),
        (["model=gru_ctc"], 0),
    ],
)
def test_tensorboard_gets_a_picture_an_epoch(
    overrides: list[str], pictures: int, compose, tone_corpus: Path, tmp_path: Path
) -> None:
    train(compose("train", tmp_path, *ONE_STEP, f"data.root={tone_corpus}", *overrides))
    files = list(tmp_path.glob("tensorboard/events*"))
    boards = [EventAccumulator(str(file)).Reload() for file in files]
    assert sum("validation/attention" in board.Tags()["images"] for board in boards) == pictures


def test_utterances_stand_one_above_the_other_and_attention_is_dark() -> None:
    long, short = torch.full((3, 5), 0.2), torch.full((2, 4), 0.25)
    long[0] = torch.tensor([0.8, 0.2, 0.0, 0.0, 0.0])
    cells = draw([long, short])[::CELL, ::CELL]
    assert draw([long, short]).shape == (CELL * (3 + 1 + 2 + 1), CELL * 5)
    assert cells[0].tolist() == [0.0, 0.75, 1.0, 1.0, 1.0]
    assert cells[3].tolist() == [0.5] * 5
    assert cells[5].tolist() == [0.0, 0.0, 0.0, 0.0, 0.5]
