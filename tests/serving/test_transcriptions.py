"""Recordings sent as existing clients send them, and whatever else arrives."""

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import numpy as np
import openai
import pytest
import soundfile

from kaskad.serving.batching import Workers
from kaskad.serving.figures import Figures

PATH = "/v1/audio/transcriptions"


def post(client, audio: bytes, name: str = "a.wav", **form):
    return client.post(PATH, files={"file": (name, audio)}, data=form)


@pytest.fixture
def audio(recording: Path) -> bytes:
    return recording.read_bytes()


def test_the_openai_client_gets_each_format(serve, recogniser, recording: Path) -> None:
    ask = openai.OpenAI(base_url="http://testserver/v1", api_key="-", http_client=serve())
    expected = recogniser.transcribe(recording)
    create = ask.audio.transcriptions.create

    def transcribed(response_format: str, **more):
        with recording.open("rb") as file:
            return create(
                model="streaming", file=file, response_format=response_format, language="ru", **more
            )

    assert transcribed("json").text == expected.text != ""
    assert transcribed("text") == expected.text + "\n"
    assert transcribed("vtt").startswith("WEBVTT\n\n00:00:")
    assert " --> 00:00:" in transcribed("srt")
    whole = transcribed("verbose_json", timestamp_granularities=["word", "segment"])
    assert (whole.duration, whole.language) == (3.0, "ru")
    assert [segment.text for segment in whole.segments] == [expected.text]
    found = [(word.word, word.start, word.end) for word in whole.words]
    assert found == [(word.text, word.start, word.end) for word in expected.words]
    assert [model.id for model in ask.models.list()] == ["streaming", "whole"]
    assert ask.models.retrieve("whole").model_dump()["streaming"] is False
    with pytest.raises(openai.NotFoundError, match="this service has streaming, whole"):
        create(model="whisper-1", file=recording)


def test_requests_at_the_same_time_share_batches(serve, recogniser, audio: bytes) -> None:
    client = serve(batch_wait=0.3)
    expected = recogniser.transcribe(soundfile.read(io.BytesIO(audio))[0]).text
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: post(client, audio).json(), range(8)))
    assert answers == [{"text": expected}] * 8
    metrics = client.get("/metrics").text
    (batches,) = (x for x in metrics.splitlines() if x.startswith("kaskad_batch_utterances_count"))
    assert float(batches.split()[1]) < 8
    assert f'kaskad_requests_total{{endpoint="{PATH}",status="200"}} 8.0' in metrics
    assert 'kaskad_audio_seconds_total{endpoint="transcriptions",model="streaming"} 24.0' in metrics


def test_devices_work_side_by_side(recogniser, audio: bytes) -> None:
    together = threading.Barrier(2, timeout=30)  # passed only by two at once

    class OnADevice:
        features = recogniser.features

        def decode_waveforms(self, waveforms: list) -> list:
            together.wait()
            return recogniser.decode_waveforms(waveforms)

    waveform = soundfile.read(io.BytesIO(audio), dtype="float32")[0]
    workers = Workers({"a": [OnADevice(), OnADevice()]}, 0.1, 0.0, Figures())
    heard = [future.result(60).text for future in workers.transcribe("a", [waveform] * 4)]
    workers.close()
    assert heard == [recogniser.decode_waveforms([waveform])[0].text] * 4


def test_bad_audio_is_refused_with_a_reason(serve, audio: bytes) -> None:
    client = serve()
    silent, nan = io.BytesIO(), io.BytesIO()
    soundfile.write(silent, np.zeros(0), 16_000, format="WAV")
    soundfile.write(nan, np.full(99, np.nan), 16_000, format="WAV", subtype="FLOAT")
    for bad in (b"", b"RIFF", b"not audio", audio[:44], silent.getvalue(), nan.getvalue()):
        answer = post(client, bad)
        assert answer.status_code == 400, answer.text
        error = answer.json()["error"]
        assert error["code"] == "invalid_audio"
        assert error["message"].startswith("file: ")
        assert "/tmp" not in error["message"]
    for name in ("../../etc/passwd", "a\0b.wav", "\ud7ff" * 300, "a.wav/..", ""):
        assert post(client, audio, name or "x").status_code in (200, 400)
    assert post(client, audio).status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "reason"),
    [
        ({"response_format": "docx"}, 400, "response_format"),
        ({"language": "en"}, 400, "knows ru alone"),
        ({"model": "large"}, 404, "no model 'large'"),
        ({"timestamp_granularities[]": "word"}, 400, "verbose_json"),
        ({"timestamp_granularities[]": "letter"}, 400, "timestamp_granularities"),
        ({"stream": "true"}, 400, "/v1/stream"),
        ({"prompt": "числа", "temperature": "0.3", "unheard_of": "1"}, 200, ""),
    ],
)
def test_forms(serve, audio: bytes, form: dict, status: int, reason: str) -> None:
    answer = post(serve(), audio, **form)
    assert answer.status_code == status
    assert reason in answer.text


def test_no_file_is_no_request(serve) -> None:
    client = serve()
    for answer in (
        client.post(PATH),
        client.post(PATH, data={"file": "text"}),
        client.post(PATH, content=b"\xff" * 99, headers={"content-type": "multipart/form-data"}),
        client.post(PATH, content=b"{}", headers={"content-type": "application/json"}),
    ):
        assert answer.status_code == 400
        assert answer.json()["error"]["message"]
    assert client.get(PATH).status_code == 405
    assert client.get("/v2").json()["error"]["message"] == "Not Found"


def test_what_is_too_large_or_too_long_is_refused(serve, audio: bytes) -> None:
    client = serve(megabytes=0.05)
    assert post(client, audio).status_code == 413

    def in_parts():  # without a Content-Length
        yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(100):
            yield audio[:1_000]

    kind = {"content-type": "multipart/form-data; boundary=b"}
    answer = client.post(PATH, content=in_parts(), headers=kind)
    assert (answer.status_code, answer.json()["error"]["message"]) == (
        413,
        "the body is larger than 0.05 MB",
    )
    answer = post(serve(duration=2.0), audio)
    assert answer.status_code == 413
    assert "lasts 3 s" in answer.text


def test_a_client_that_sends_nothing_is_not_waited_for(serve) -> None:
    client = serve(timeout=0.2)
    sent: list[dict] = []

    async def receive() -> dict:
        return await anyio.sleep_forever()

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"content-type", b"multipart/form-data; boundary=b"), (b"content-length", b"999")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "query_string": b"",
        "headers": headers,
    }
    client.portal.call(client.app, scope, receive, send)
    assert sent[0]["status"] == 408
    assert client.app.state.service.requests == 0


def test_a_full_service_asks_to_come_back(serve, audio: bytes) -> None:
    client = serve(requests=1, batch_wait=1.0)
    first = threading.Thread(target=post, args=(client, audio))
    first.start()
    while client.app.state.service.requests == 0:
        pass
    answer = post(client, audio)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    first.join()
    assert post(client, audio).status_code == 200


def test_work_that_takes_too_long_is_given_up(serve, audio: bytes) -> None:
    client = serve(timeout=0.2, batch_wait=2.0)
    answer = post(client, audio)
    assert answer.status_code == 503
    assert "took longer than 0.2 s" in answer.text


def test_a_token_is_asked_for(serve, audio: bytes) -> None:
    client = serve(token="geheim")
    for given in ({}, {"Authorization": "Bearer no"}, {"Authorization": "Basic geheim"}):
        answer = client.get("/v1/models", headers=given)
        assert answer.status_code == 401
        assert "geheim" not in answer.text
    client.headers["Authorization"] = "Bearer geheim"
    assert client.get("/v1/models").status_code == 200
    assert post(client, audio).status_code == 200


def test_a_long_recording_is_cut_at_its_pauses(serve, recogniser, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).normal(scale=0.1, size=16_000 * 2)
    silence = np.zeros(16_000 * 10)
    long = np.concatenate([noise, silence, noise, silence, noise, silence])
    soundfile.write(tmp_path / "long.flac", long, 16_000)
    client = serve()
    audio = (tmp_path / "long.flac").read_bytes()
    answer = post(client, audio, "long.flac", response_format="verbose_json").json()
    assert answer["duration"] == 36.0
    starts = [segment["start"] for segment in answer["segments"]]
    assert starts == pytest.approx([0.0, 12.0, 24.0], abs=0.5)
    assert answer["text"] == " ".join(segment["text"] for segment in answer["segments"])


def test_the_page_is_whole_and_the_schema_is_json(serve) -> None:
    client = serve()
    page = client.get("/")
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert "https://" not in page.text and "http://" not in page.text  # nothing from elsewhere
    assert PATH in json.dumps(client.get("/openapi.json").json())
    assert client.get("/health").json() == {"status": "ok", "models": ["streaming", "whole"]}
