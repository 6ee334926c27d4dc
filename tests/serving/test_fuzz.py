"""Malformed requests leave the service alive, its memory flat, and good requests answered.

``KASKAD_FUZZ=10000`` sends so many of each kind instead of a few.
"""

import os
import random
import resource
from contextlib import suppress
from pathlib import Path

import pytest
import soundfile
from starlette.websockets import WebSocketDisconnect

COUNT = int(os.environ.get("KASKAD_FUZZ", "150"))
PATH = "/v1/audio/transcriptions"
GROWTH = 100  # MB that may come of the allocator
FORMATS = [
    ("wav", "PCM_16"),
    ("wav", "FLOAT"),
    ("flac", "PCM_16"),
    ("ogg", "VORBIS"),
    ("mp3", None),
]


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory, recording: Path) -> list[bytes]:
    samples, rate = soundfile.read(recording)
    folder = tmp_path_factory.mktemp("formats")
    for number, (suffix, subtype) in enumerate(FORMATS):
        soundfile.write(folder / f"{number}.{suffix}", samples[:rate], rate, subtype)
    return [file.read_bytes() for file in sorted(folder.iterdir())]


def spoilt(audio: bytes, chance: random.Random) -> bytes:
    """A recording with bytes changed, most of them in its header, or cut, or doubled."""
    spoilt = bytearray(audio)
    for _ in range(chance.randint(1, 12)):
        spoilt[chance.randrange(min(len(spoilt), chance.choice([64, 200, 10**6])))] = chance.choice(
            [0, 1, 127, 128, 255, chance.randrange(256)]
        )
    if chance.random() < 0.3:
        spoilt = spoilt[: chance.randrange(len(spoilt))]
    if chance.random() < 0.1:
        spoilt *= 2
    return bytes(spoilt)


def request(client, audio: bytes, chance: random.Random):
    """Send something that is wrong in one way or another."""
    kind = chance.randrange(6)
    noise = chance.randbytes(chance.randrange(300))
    if kind == 0:
        headers = {
            "content-type": chance.choice(["multipart/form-data", "a", "text/plain", "\x7f"])
        }
        return client.post(PATH, content=noise, headers=headers)
    if kind == 1:
        headers = {"content-type": "multipart/form-data; boundary=b"}
        body = b'--b\r\nContent-Disposition: form-data; name="file"; filename="' + noise
        return client.post(PATH, content=body + b"\r\n\r\n" + audio[:99], headers=headers)
    fields = ["model", "language", "response_format", "timestamp_granularities[]", "stream", "x"]
    text = "".join(map(chr, chance.choices(range(1, 0xD7FF), k=chance.randrange(9))))
    form = {chance.choice(fields): text} if kind == 2 else {}
    name = text + chance.choice([".wav", ".mp3", ".flac", ".raw", ""]) if kind == 3 else "a.wav"
    return client.post(PATH, files={"file": (name or "x", spoilt(audio, chance))}, data=form)


def session(client, chance: random.Random) -> None:
    """Open a stream, say something that is wrong, and leave at any time."""
    query = chance.choice(
        ["", "?sample_rate=8000", "?sample_rate=x", "?model=\u0439", "?endpoint=0"]
    )
    texts = ["", "{", "null", '{"type": "finish"}', '{"sample_rate": 1e999}', '{"model": {}}', "0"]
    with suppress(WebSocketDisconnect), client.websocket_connect(f"/v1/stream{query}") as socket:
        for _ in range(chance.randrange(5)):
            if chance.random() < 0.5:
                socket.send_bytes(chance.randbytes(chance.choice([0, 1, 3, 1_000, 20_001])))
            else:
                socket.send_text(chance.choice(texts))
        if chance.random() < 0.5:
            socket.receive_json()


def test_malformed_requests(serve, recogniser, recording: Path, recordings: list[bytes]) -> None:
    client = serve(idle=0.1)
    chance = random.Random(0)
    good = recogniser.transcribe(recording).text
    memory = []
    for number in range(COUNT):
        answer = request(client, chance.choice(recordings), chance)
        assert answer.status_code < 500, (number, answer.text)
        if answer.status_code >= 400:
            assert answer.json()["error"]["message"]
        if number % 5 == 0:
            session(client, chance)
        if number % 100 == 50:
            answer = client.post(PATH, files={"file": recording.read_bytes()})
            assert answer.json() == {"text": good}
            memory.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    assert client.app.state.service.requests == client.app.state.service.streams == 0
    assert memory[-1] - memory[len(memory) // 4] < GROWTH
