"""Archives of NeMo's QuartzNet and Citrinet: nothing of them is executed, and the nets give what
NeMo's own gave on the same features, as ``record_nemo.py`` recorded it."""

import io
import json
import pickle
import shlex
import tarfile
from pathlib import Path
from typing import Any

import pytest
import sentencepiece
import torch
import yaml
from hydra.utils import instantiate
from torch import Tensor

from kaskad.models.nemo import read_nemo
from kaskad.models.transfer import transfer_weights
from kaskad.runs.checkpoints import CheckpointError
from tests.models.record_nemo import (
    BINS,
    RECORD,
    VOCABULARY,
    citrinet,
    features,
    quartznet,
    weights_by_rule,
)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Any]:
    return json.loads(RECORD.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def weights(recorded) -> dict[str, Tensor]:
    """Those of QuartzNet."""
    return weights_by_rule(recorded["quartznet"]["shapes"])


def archive(path: Path, weights: object, pieces: Path | None = None, **changes: object) -> Path:
    config = {
        "preprocessor": {"features": BINS, "sample_rate": 16_000, "window_size": 0.02},
        "encoder": {"jasper": quartznet()},
        "decoder": {"vocabulary": VOCABULARY},
    } | changes
    saved = io.BytesIO()
    torch.save(weights, saved)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in (
            ("./model_config.yaml", yaml.safe_dump(config).encode()),
            ("./model_weights.ckpt", saved.getvalue()),
            *([("./a1_tokenizer.model", pieces.read_bytes())] if pieces else []),
        ):
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


@pytest.fixture
def make(compose, tmp_path: Path):
    """Make a recogniser of these overrides; returns it and its features."""

    def make_net(*overrides: str):
        config = compose("train", tmp_path, "features=nemo", "augment=none", *overrides)
        config.tokenizer.update(instantiate(config.tokenizer).fit(["bab a"]).state())
        return instantiate(config.model).eval(), config.model.features

    return make_net


SMALL = ["model=quartznet", f"features.bins={BINS}",
         "model.encoder.repeats=2", "model.encoder.width=0.0625"]  # fmt: skip


@torch.no_grad()
def require_same_logits(recogniser, recorded: dict[str, Any], order: list[int]) -> None:
    """``order`` are NeMo's labels in the order of ours."""
    bands, lengths = features()
    encoded, frames = recogniser.encoder(bands, lengths)
    assert frames.tolist() == recorded["frames"]
    for found, wanted in zip(recogniser.head(encoded), recorded["logits"], strict=True):
        torch.testing.assert_close(
            found[: len(wanted)], torch.tensor(wanted)[:, order], atol=1e-3, rtol=1e-3
        )


def test_logits_are_those_of_nemo_on_the_same_features(
    make, recorded, weights, tmp_path: Path
) -> None:
    recogniser, bands = make(*SMALL)
    transfer = transfer_weights(recogniser, archive(tmp_path / "x.nemo", weights), bands)
    assert not [name for name in transfer.fresh if name.startswith("encoder.")]
    # Here: the blank, a, b, the blank between words; there: " ", a, b, c, the blank of CTC.
    order = [VOCABULARY.index(label) for label in recogniser.tokenizer.labels[1:]]
    require_same_logits(recogniser, recorded["quartznet"], [len(VOCABULARY), *order])


@pytest.fixture
def pieces(tmp_path: Path) -> Path:
    """A file of SentencePiece, as lies in an archive of Citrinet."""
    file = tmp_path / "pieces.model"
    with file.open("wb") as written:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(["a bad cab", "a dab", "bad"]), model_writer=written,
            vocab_size=9, model_type="bpe", bos_id=-1, eos_id=-1, minloglevel=2,
        )  # fmt: skip
    return file


def test_citrinet_is_read_with_its_subwords(make, recorded, pieces: Path, tmp_path: Path) -> None:
    theirs = weights_by_rule(recorded["citrinet"]["shapes"])
    path = archive(tmp_path / "x.nemo", theirs, pieces, encoder={"jasper": citrinet()})
    other, bands = make(*SMALL)
    with pytest.raises(CheckpointError, match="take its sizes: model=citrinet") as told:
        transfer_weights(other, path, bands)
    options = shlex.split(str(told.value).partition("sizes: ")[2])
    recogniser, bands = make("tokenizer=subwords", f"tokenizer.pieces={pieces}", *options)
    transfer = transfer_weights(recogniser, path, bands)
    assert not transfer.fresh and not transfer.left
    # Here the blank has the place that the unknown has there.
    require_same_logits(recogniser, recorded["citrinet"], [9, *range(1, 9)])


FOREIGN = [
    (0, {"stride": [1]}, "block 0 has stride: 1, where 2 is known"),
    (4, {"kernel": [15]}, "block 4 has kernel: 15, where 63 is known"),
    (1, {"dilation": [2]}, "block 1 has dilation: 2"),
    (1, {"residual_mode": "max"}, "block 1 has residual_mode: max"),
    (2, {"groups": 4}, "block 2 has groups: 4"),
    (3, {"se": True}, "block 0 has se: None, where True is known"),
]


@pytest.mark.parametrize(("number", "change", "reason"), FOREIGN)
def test_a_block_that_computes_something_else_is_refused(
    number, change, reason, weights, tmp_path: Path
) -> None:
    changed = quartznet()
    changed[number] |= change
    path = archive(tmp_path / "x.nemo", weights, encoder={"jasper": changed})
    with pytest.raises(CheckpointError, match=reason):
        read_nemo(path)


class Harm:
    def __reduce__(self):
        return print, ("harm",)


def test_what_does_not_fit_or_would_run_is_refused(make, weights, tmp_path: Path, capsys) -> None:
    recogniser, bands = make(*SMALL, "model.encoder.repeats=1")
    path = archive(tmp_path / "x.nemo", weights)
    with pytest.raises(CheckpointError, match=r"take its sizes: .*repeats=2 .*width=0\.0625"):
        transfer_weights(recogniser, path, bands)
    selu = {"jasper": quartznet(), "activation": "selu"}
    cases = {
        "activation: selu": archive(tmp_path / "b.nemo", weights, encoder=selu),
        "its settings lack 'jasper'": archive(tmp_path / "c.nemo", weights, encoder={}),
        "holds more than weights": archive(tmp_path / "d.nemo", {"a": Harm()}),
        "its head is not for its 2 labels": archive(
            tmp_path / "e.nemo", weights, decoder={"vocabulary": ["a"]}
        ),
    }
    torn = tmp_path / "f.nemo"
    torn.write_bytes(path.read_bytes()[:1000])
    other = tmp_path / "g.nemo"
    other.write_bytes(pickle.dumps(Harm()))
    cases |= {"torn one": torn, "no archive of NeMo": other}
    for reason, file in cases.items():
        with pytest.raises(CheckpointError, match=reason):
            read_nemo(file)
    assert "harm" not in capsys.readouterr().out
