"""What is exported gives what the recogniser gives, in other programs."""

import json
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import soxr
import torch
from hydra.utils import instantiate

from kaskad import espeak
from kaskad.audio.normalise import FromCorpus
from kaskad.export.decoding import decoding_through, open_graph
from kaskad.export.formats import export
from kaskad.export.posterior_net import ExportError
from kaskad.export.streaming_file import OnnxStream
from kaskad.models.recogniser import Recogniser

WORDS = ["один", "два", "пять тысяч сто сорок восемь"]
KINDS = {
    "cnn2d_lstm": ["model=cnn2d_lstm", "model.encoder.hidden_size=16"],
    "cascade": ["model=cascade_lstm", "model.encoder.branches=[ru]",
                "model.encoder.shared.hidden_size=8",
                "model.head=per_language"],
    "gru": ["model=gru_ctc", "model.encoder.hidden_size=16", "features=mfcc"],
    "quartznet": ["model=quartznet", "model.encoder.width=0.1", "features.normalise=bins"],
    "citrinet": ["model=citrinet", "model.encoder.filters=16", "model.encoder.last=16"],
}  # fmt: skip


STREAMING = {
    "cnn2d_lstm": ["model=cnn2d_lstm_streaming", "model.encoder.hidden_size=16"],
    "lstm": ["model=lstm", "model.encoder.hidden_size=8", "model.encoder.bidirectional=false",
             "model.encoder.time_reduction=3", "features.normalise=corpus"],
    "gru": ["model=gru_ctc", "model.encoder.hidden_size=8", "model.encoder.bidirectional=false",
            "features=mfcc", "features.normalise=running"],
}  # fmt: skip


def fast_and_slow(names: Iterable[str], slow: Collection[str]) -> list[Any]:
    """The parameters of a test, of which some wait for make test-slow."""
    return [pytest.param(n, marks=[pytest.mark.slow] if n in slow else []) for n in names]


@pytest.fixture(scope="module")
def clips() -> list[np.ndarray]:
    spoken = [espeak.synthesise(word, voice="ru") / 2**15 for word in WORDS]
    return [soxr.resample(each, espeak.SAMPLE_RATE, 16_000).astype(np.float32) for each in spoken]


@pytest.fixture
def make(compose, tmp_path: Path) -> Callable[..., Recogniser]:
    def of(*overrides: str) -> Recogniser:
        config = compose("train", tmp_path, "data=numbers", "augment=none", *overrides)
        config.tokenizer.update(instantiate(config.tokenizer).fit(WORDS).state())
        torch.manual_seed(0)
        recogniser = instantiate(config.model).eval()
        for module in recogniser.modules():  # as after training, not all 0 and 1
            if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
                torch.nn.init.normal_(module.running_mean, std=0.3)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
        return recogniser

    return of


@pytest.mark.parametrize("kind", fast_and_slow(KINDS, slow=["gru", "quartznet", "citrinet"]))
def test_onnx_gives_the_posteriors_of_pytorch_for_any_batch(kind, make, clips, tmp_path) -> None:
    recogniser = make(*KINDS[kind])
    facts = export(recogniser, "onnx", tmp_path / "onnx")
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / facts["graph"])
    lengths = np.array([len(clip) for clip in clips])
    batch = np.zeros((len(clips), max(lengths)), dtype=np.float32)
    for row, clip in zip(batch, clips, strict=True):
        row[: len(clip)] = clip
    alone = [
        session.run(None, {"waveforms": clip[None], "lengths": np.array([len(clip)])})
        for clip in clips
    ]
    log_probs, frames = session.run(None, {"waveforms": batch, "lengths": lengths})
    for row, wanted in enumerate(recogniser.posteriors_of(clips)):
        assert frames[row] == len(wanted) == alone[row][1][0]
        np.testing.assert_allclose(log_probs[row, : len(wanted)], wanted, atol=1e-4)
        np.testing.assert_allclose(alone[row][0][0, : len(wanted)], wanted, atol=1e-4)
    assert json.loads((tmp_path / "onnx" / "export.json").read_text())["sample_rate"] == 16_000
    labels = (tmp_path / "onnx" / "labels.txt").read_text().splitlines()
    assert labels == recogniser.tokenizer.labels


@pytest.mark.parametrize("kind", fast_and_slow(STREAMING, slow=["lstm"]))
def test_a_graph_in_parts_gives_what_the_stream_gives(kind, make, clips, tmp_path) -> None:
    recogniser = make(*STREAMING[kind])
    if isinstance(recogniser.features.normalisation, FromCorpus):
        waveforms = torch.nn.utils.rnn.pad_sequence(list(map(torch.from_numpy, clips)), True)
        recogniser.features.observe(waveforms, torch.tensor(list(map(len, clips))))
        recogniser.features.finish_observing()
    facts = export(recogniser, "onnx_streaming", tmp_path / "onnx")
    session = onnxruntime.InferenceSession(tmp_path / "onnx" / facts["graph"])
    waveform = np.concatenate([np.zeros(9_000, np.float32), *clips[:2]])
    for chunk in (900, 4_096, len(waveform)):
        theirs, wanted, found = OnnxStream(session), [], []
        ours = recogniser.stream()
        for start in range(0, len(waveform), chunk):
            part, is_last = waveform[start : start + chunk], start + chunk >= len(waveform)
            wanted.append(ours.posteriors(part, is_last=is_last).numpy())
            found.append(theirs.push(part, is_last=is_last))
        np.testing.assert_allclose(np.concatenate(found), np.concatenate(wanted), atol=1e-4)
    graph = open_graph(tmp_path / "onnx" / facts["graph"])
    found = decoding_through(graph, recogniser).transcribe(clips)
    assert [each.text for each in found] == [each.text for each in recogniser.transcribe(clips)]
    few = OnnxStream(session).push(waveform[:100], is_last=True)
    np.testing.assert_allclose(
        few, recogniser.stream().posteriors(waveform[:100], is_last=True), atol=1e-4
    )


def test_int8_is_smaller_and_goes_through_the_same_decoder(make, clips, tmp_path: Path) -> None:
    recogniser = make("model=cnn2d_lstm")
    facts = export(recogniser, "onnx_int8", tmp_path / "int8")
    assert facts["bytes"] < 0.6 * facts["bytes_before"]
    graph = open_graph(tmp_path / "int8" / facts["graph"])
    assert len(decoding_through(graph, recogniser).transcribe(clips)) == len(clips)
    whole = open_graph(tmp_path / "int8" / "model.onnx")
    found = decoding_through(whole, recogniser).transcribe(clips)
    assert [each.text for each in found] == [each.text for each in recogniser.transcribe(clips)]


def test_what_cannot_be_exported_says_why_and_leaves_nothing(make, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    with pytest.raises(ExportError, match="only recognisers with CTC"):
        export(make("model=seq2seq_gru"), "onnx", folder)
    small = ["model=lstm", "model.encoder.hidden_size=8", "model.encoder.layers=1"]
    with pytest.raises(ExportError, match="bidirectional=false"):
        export(make(*small), "onnx_streaming", folder)
    with pytest.raises(ExportError, match="take format=onnx_streaming"):
        export(make(*small, "features.normalise=running"), "onnx", folder)
    with pytest.raises(ExportError, match="train with features=kaldi"):
        export(make(*small), "sherpa", folder)
    with pytest.raises(ExportError, match="one of onnx, onnx_int8, onnx_streaming, sherpa"):
        export(make(*small), "pdf", folder)
    assert not folder.exists()


@pytest.mark.parametrize(
    "tokenizer", fast_and_slow(["characters", "subwords"], slow=["characters"])
)
def test_sherpa_onnx_gives_what_the_recogniser_gives(tokenizer, make, clips, tmp_path) -> None:
    sherpa_onnx = pytest.importorskip("sherpa_onnx")
    more = ["tokenizer.vocabulary_size=24"] if tokenizer == "subwords" else []
    small = ["model.encoder.hidden_size=16", "model.encoder.time_reduction=1"]
    recogniser = make("model=lstm", "features=kaldi", f"tokenizer={tokenizer}", *small, *more)
    torch.nn.init.normal_(recogniser.head.weight, std=2.0)  # speaks, of everything
    export(recogniser, "sherpa", tmp_path / "sherpa")
    theirs = sherpa_onnx.OfflineRecognizer.from_nemo_ctc(
        model=str(tmp_path / "sherpa" / "model.onnx"),
        tokens=str(tmp_path / "sherpa" / "tokens.txt"),
        num_threads=1,
    )
    for clip in clips:
        stream = theirs.create_stream()
        stream.accept_waveform(16_000, clip)
        theirs.decode_stream(stream)
        wanted = recogniser.transcribe(clip).text
        assert len(wanted) > 2
        assert "".join(stream.result.text.split()) == "".join(wanted.split())
