"""A recogniser that gets audio in parts gives what it gives for the whole of it."""

from pathlib import Path

import numpy as np
import pytest
import soxr
import torch
from hydra.utils import instantiate

from kaskad import espeak
from kaskad.audio.files import AudioError
from kaskad.models.ctc import CTCRecogniser
from kaskad.models.streaming import StreamingError

STREAMING = {
    "cnn2d_lstm_streaming": [],
    "lstm": [
        "model.encoder.bidirectional=false",
        "model.encoder.time_reduction=3",
        "features=mfcc",
        "features.normalise=running",
    ],
    "gru_ctc": ["model.encoder.bidirectional=false", "features.normalise=corpus"],
}
RATE = 16_000
HOP = 160


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    """Two words with a second of near silence between them."""
    spoken = [espeak.synthesise(word, voice="ru") / 2**15 for word in ("один", "двести пять")]
    words = [soxr.resample(each, espeak.SAMPLE_RATE, RATE).astype(np.float32) for each in spoken]
    noise = np.random.default_rng(0).normal(scale=0.001, size=RATE).astype(np.float32)
    return np.concatenate([words[0], noise, words[1]])


@pytest.fixture
def make(compose, tmp_path: Path, speech):
    """The recogniser of ``conf/model/<name>.yaml``, with weights that nothing has trained."""

    def make_model(name: str, *overrides: str) -> CTCRecogniser:
        torch.manual_seed(0)
        config = compose("train", tmp_path, f"model={name}", "augment=none", *overrides)
        config.tokenizer.update(instantiate(config.tokenizer).fit(["один", "двести пять"]).state())
        model = instantiate(config.model).eval()
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # as after training, not all 0 and 1
                torch.nn.init.normal_(module.running_mean, std=0.3)
                torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
        if model.features.corpus_is_missing:
            model.features.observe(torch.from_numpy(speech)[None], torch.tensor([len(speech)]))
            model.features.finish_observing()
        say_something(model, torch.from_numpy(speech))
        return model

    return make_model


@torch.no_grad()
def say_something(model, speech: torch.Tensor) -> None:
    """Untrained, a net says next to nothing; let it say whatever is unusual in each frame."""
    if isinstance(model, CTCRecogniser):
        lengths = torch.tensor([len(speech)])
        encoded, _ = model.encoder(*model.extract_features(speech[None], lengths))
        model.head.weight *= 20
        model.head.bias.copy_(-model.head.weight @ encoded.mean((0, 1)))
        border = model.tokenizer.labels.index(" ")  # of which it is to say more
        model.head.bias[border] += model.head(encoded).std()


def in_parts(samples: np.ndarray, size: int) -> list[np.ndarray]:
    return [samples[start : start + size] for start in range(0, len(samples), size)]


@pytest.mark.parametrize("name", STREAMING)
def test_posteriors_do_not_depend_on_how_audio_is_cut(name: str, make, speech) -> None:
    model = make(name, *STREAMING[name])
    (whole,) = model.posteriors_of([speech])
    (beginning,) = model.posteriors_of([speech[:1_000]])
    for size in (1, 63, HOP, 4_096, 5_001, len(speech)):
        stream = model.stream()
        samples = speech[:1_000] if size == 1 else speech
        parts = [stream.posteriors(part) for part in in_parts(samples, size)]
        parts.append(stream.posteriors(speech[:0], is_last=True))
        expected = beginning if size == 1 else whole
        torch.testing.assert_close(torch.cat(parts), expected, atol=1e-4, rtol=0)


def test_hypotheses_are_those_of_transcribe(make, speech) -> None:
    model = make("cnn2d_lstm_streaming")
    whole = model.transcribe(speech)
    assert len(whole.words) > 3
    for size in (777, 4_096):
        stream = model.stream()
        stable: list[str] = []
        for part in in_parts(speech, size):
            hypothesis = stream.push(part)
            texts = [word.text for word in hypothesis.words]
            assert texts[: len(stable)] == stable  # never taken back
            stable = texts[: hypothesis.stable]
        last = stream.finish()
        assert last.text == whole.text
        assert last.stable == len(last.words) > len(stable) > 1
        for word, expected in zip(last.words, whole.words, strict=True):
            assert (word.start, word.end) == (expected.start, expected.end)
            assert word.confidence == pytest.approx(expected.confidence, abs=1e-3)
        assert last.score == pytest.approx(whole.score, rel=1e-3)


def test_audio_of_another_rate_is_resampled_part_by_part(make, speech) -> None:
    model = make("cnn2d_lstm_streaming")
    telephone = (soxr.resample(speech, RATE, 8_000) * 2**15).clip(-(2**15), 2**15 - 1)
    telephone = telephone.astype(np.int16)
    whole = model.transcribe(telephone, 8_000)
    stream = model.stream(sample_rate=8_000)
    for part in in_parts(telephone, 1_003):
        stream.push(part)
    assert stream.finish().text == whole.text


def test_a_stream_refuses_what_is_no_audio_and_goes_on(make, speech) -> None:
    model = make("cnn2d_lstm_streaming")
    stream = model.stream()
    stream.push(speech)
    for wrong in (np.full(9, np.nan), np.zeros((2, 3, 4)), np.array(["a"]), np.full(9, 40.0)):
        with pytest.raises(AudioError):
            stream.push(wrong)
    stream.push(speech[:0])
    assert stream.finish().text == model.transcribe(speech).text
    with pytest.raises(AudioError, match="sample_rate=5"):
        model.stream(sample_rate=5)
    assert model.stream().finish().text == ""


@pytest.mark.parametrize(
    ("name", "overrides", "named"),
    [
        ("cnn2d_lstm", [], ["model.encoder.bidirectional=false", "features.normalise=running"]),
        ("lstm", ["features.normalise=running"], ["model.encoder.bidirectional=false"]),
        ("cnn2d_lstm_streaming", ["features.normalise=bins"], ["features.normalise=running"]),
        ("cnn2d_lstm_streaming", ["features=words"], ["features=log_mel"]),
        ("quartznet", [], ["model=cnn2d_lstm_streaming"]),
        ("seq2seq_gru", [], ["model=cnn2d_lstm_streaming"]),
    ],
)
def test_a_model_that_needs_whole_utterances_names_the_settings_to_change(
    name: str, overrides: list[str], named: list[str], make
) -> None:
    with pytest.raises(StreamingError) as refused:
        make(name, *overrides).stream()
    assert all(setting in str(refused.value) for setting in named)
    assert "\n" not in str(refused.value)
