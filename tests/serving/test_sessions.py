"""Sound sent over a WebSocket while it is recorded, and clients that misbehave."""

import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile
from starlette.websockets import WebSocketDisconnect

FINISH = {"type": "finish"}


@pytest.fixture
def samples(recording: Path) -> np.ndarray:
    return soundfile.read(recording, dtype="int16")[0]


def told(session) -> tuple[list[dict], int]:
    """All that is told until the end, and the code of the end."""
    messages = []
    try:
        while True:
            messages.append(session.receive_json())
    except WebSocketDisconnect as end:
        return messages, end.code


def refused(client, address: str, *sent) -> tuple[str, int]:
    """What an error says, and the code of the end."""
    with client.websocket_connect(address) as session:
        for each in sent:
            (session.send_bytes if isinstance(each, bytes) else session.send_text)(each)
        messages, code = told(session)
    assert messages[-1]["type"] == "error"
    return messages[-1]["message"], code


def test_what_is_said_comes_back_while_it_is_said(serve, recogniser, samples) -> None:
    client = serve()
    whole = recogniser.transcribe(samples, 16_000)
    with client.websocket_connect("/v1/stream?sample_rate=16000&endpoint=9") as session:
        for start in range(0, 2 * len(samples), 2_001):  # half samples, too
            session.send_bytes(samples.tobytes()[start : start + 2_001])
        session.send_json(FINISH)
        messages, code = told(session)
    assert code == 1000
    *partials, final = messages
    assert {each["type"] for each in partials} == {"partial"}
    assert len(partials) > 3
    assert (final["type"], final["text"]) == ("final", whole.text)
    assert final["words"][0]["start"] == whole.words[0].start
    stable: list[str] = []
    for each in messages:
        words = [word["word"] for word in each["words"]]
        assert words[: len(stable)] == stable
        stable = words[: each["stable"]]
    assert client.app.state.service.streams == 0


@pytest.mark.parametrize(
    ("address", "sent", "reason"),
    [
        ("?sample_rate=5", [b"00"], "sample_rate=5"),
        ("?sample_rate=many", [b"00"], "whole number of Hz"),
        ("?endpoint=-1", [b"00"], "endpoint=-1"),
        ("?endpoint=nan", [b"00"], "endpoint=nan"),
        ("?model=large", [b"00"], "no model 'large'"),
        ("?model=whole", [b"00"], "features.normalise=running"),
        ("", ["{"], "is JSON"),
        ("", ["[]"], "object of JSON"),
        ("", ['{"sample_rate": [1]}'], "whole number of Hz"),
        ("", [b"00", '{"sample_rate": 8000}'], "finish"),
        ("", ["[" * 100_000], "is JSON"),
    ],
)
def test_what_cannot_be_heard_is_refused_with_a_reason(serve, address, sent, reason) -> None:
    message, code = refused(serve(), f"/v1/stream{address}", *sent)
    assert reason in message
    assert code == 1008


def test_streams_have_limits(serve, samples) -> None:
    client = serve(streams=1, idle=0.3, duration=2.0)
    with client.websocket_connect("/v1/stream") as first:
        first.send_bytes(samples.tobytes()[:2_000])
        time.sleep(0.1)
        assert refused(client, "/v1/stream") == ("1 streams are open already", 1013)
        messages, code = told(first)
    assert (messages[-1]["message"], code) == ("nothing came for 0.3 s", 1008)
    assert refused(client, "/v1/stream", samples.tobytes())[0] == "a stream lasts 2 s at most"


def test_a_client_that_leaves_leaves_nothing_behind(serve, samples) -> None:
    client = serve()
    for sent in (0, 1, 3):
        with client.websocket_connect("/v1/stream") as session:
            for _ in range(sent):
                session.send_bytes(samples.tobytes()[:50_000])
    service = client.app.state.service
    until = time.monotonic() + 10
    while service.streams and time.monotonic() < until:
        time.sleep(0.01)
    assert service.streams == 0


def test_a_token_stands_in_the_header_or_the_first_message(serve) -> None:
    client = serve(token="geheim")
    for first in ('{"token": "nein"}', '{"token": 7}', '{"type": "finish"}'):
        assert refused(client, "/v1/stream", first)[0] == "the token is missing or wrong"
    with client.websocket_connect("/v1/stream") as session:
        session.send_json({"token": "geheim"})
        session.send_json(FINISH)
        assert told(session) == ([], 1000)
    headers = {"Authorization": "Bearer geheim"}
    with client.websocket_connect("/v1/stream", headers=headers) as session:
        session.send_json(FINISH)
        assert told(session) == ([], 1000)
    stranger = {"Origin": "https://evil.example"}
    with client.websocket_connect("/v1/stream", headers=stranger) as session:
        assert "may not connect here" in told(session)[0][0]["message"]


def test_a_service_that_closes_gives_the_last_words(serve, recogniser, samples) -> None:
    client = serve()
    service = client.app.state.service
    with client.websocket_connect("/v1/stream?endpoint=9") as session:
        session.send_bytes(samples.tobytes())
        session.receive_json()
        closer = threading.Timer(0.5, lambda: client.portal.call(service.closing.set))
        closer.start()
        messages, code = told(session)
    assert code == 1001
    assert messages[-1]["type"] == "final"
    assert messages[-1]["text"] == recogniser.transcribe(samples, 16_000).text
    with suppress(WebSocketDisconnect):
        assert refused(client, "/v1/stream")[1] == 1013
    assert client.get("/health").status_code == 503
