"""A service in this process, of a recogniser that nothing has trained: it says something of all."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from fastapi.testclient import TestClient
from hydra.utils import instantiate
from omegaconf import OmegaConf

from kaskad.models.ctc import CTCRecogniser
from kaskad.models.recogniser import load_recogniser
from kaskad.serving.app import make_app
from kaskad.serving.limits import Limits
from kaskad.serving.service import Model, Service

RATE = 16_000
SMALL = [
    "augment=none",
    "data=numbers",
    "data.language=ru",
    "features.bins=20",
    "model.encoder.hidden_size=16",
    "model.encoder.layers=1",
]


@pytest.fixture(scope="session")
def checkpoint(compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small streaming recogniser."""
    return save("cnn2d_lstm_streaming", compose, tmp_path_factory.mktemp("streaming"))


@pytest.fixture(scope="session")
def deaf_to_streams(compose, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small recogniser of whole utterances."""
    return save("cnn2d_lstm", compose, tmp_path_factory.mktemp("whole"))


def save(name: str, compose, folder: Path) -> Path:
    torch.manual_seed(0)
    config = compose("train", folder, f"model={name}", *SMALL)
    config.tokenizer.update(instantiate(config.tokenizer).fit(["один", "двести пять"]).state())
    model = instantiate(config.model)
    if model.features.corpus_is_missing:
        noise = torch.randn(1, RATE) * torch.linspace(0, 0.3, RATE)
        model.features.observe(noise, torch.tensor([RATE]))
        model.features.finish_observing()
    say_something(model)
    resolved = OmegaConf.to_container(config, resolve=True)
    torch.save({"config": resolved, "state_dict": model.state_dict()}, folder / f"{name}.ckpt")
    return folder / f"{name}.ckpt"


@torch.no_grad()
def say_something(model: CTCRecogniser) -> None:
    """Untrained, a net says next to nothing; let it say whatever is unusual in each frame."""
    noise = torch.randn(1, 3 * RATE) * torch.linspace(0, 30, 3 * RATE).sin() / 10
    encoded, _ = model.eval().encoder(*model.extract_features(noise, torch.tensor([3 * RATE])))
    model.head.weight *= 40
    model.head.bias.copy_(-model.head.weight @ encoded.mean((0, 1)))


@pytest.fixture(scope="session")
def recogniser(checkpoint: Path) -> CTCRecogniser:
    return load_recogniser(checkpoint)[0]


@pytest.fixture(scope="session")
def other(deaf_to_streams: Path) -> CTCRecogniser:
    return load_recogniser(deaf_to_streams)[0]


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of noise that comes and goes."""
    times = np.arange(3 * RATE) / RATE
    noise = np.random.default_rng(0).normal(scale=0.1, size=len(times))
    path = tmp_path_factory.mktemp("audio") / "recording.wav"
    soundfile.write(path, noise * np.sin(2 * np.pi * times) ** 2, RATE)
    return path


@pytest.fixture
def serve(recogniser, other) -> Iterator[Callable[..., TestClient]]:
    """Serve both recognisers, within limits; the client has the service as ``app.state``."""
    clients = []

    def serve_with(token: str | None = None, **limits) -> TestClient:
        models = {
            "streaming": Model("streaming", [recogniser], "ru"),
            "whole": Model("whole", [other], "ru"),
        }
        client = TestClient(make_app(Service(models, Limits(**limits), token)))
        client.__enter__()
        clients.append(client)
        return client

    yield serve_with
    for client in clients:
        client.__exit__(None, None, None)
