"""POST /v1/audio/transcriptions, as existing clients of that API send it."""

import asyncio
import shutil
import tempfile
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Form, HTTPException, Request, UploadFile
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from kaskad.audio.files import AudioError
from kaskad.serving.formats import TEXTS, verbose
from kaskad.serving.gate import TRANSCRIPTIONS, failure
from kaskad.serving.recordings import StoppedError, TooLongError, Transcription
from kaskad.serving.service import Model, Service
from kaskad.transcripts.transcript import Transcript

router = APIRouter()


class Format(StrEnum):
    """What an answer can be."""

    JSON = "json"
    TEXT = "text"
    SRT = "srt"
    VTT = "vtt"
    VERBOSE_JSON = "verbose_json"


class Granularity(StrEnum):
    """What verbose_json gives times of."""

    SEGMENT = "segment"
    WORD = "word"


@router.post(
    TRANSCRIPTIONS,
    summary="Transcribe a recording",
    response_class=JSONResponse,
    responses={
        200: {"content": {"text/plain": {}, "text/vtt": {}}},
        **{status: {} for status in (400, 401, 404, 408, 413, 503)},
    },
)
async def transcribe(
    request: Request,
    file: Annotated[UploadFile, Form(description="a recording, up to an hour of it")],
    model: Annotated[str, Form(description="its name; the first one without")] = "",
    response_format: Annotated[Format, Form()] = Format.JSON,
    granularities: Annotated[
        list[Granularity] | None,
        Form(alias="timestamp_granularities[]", description="of verbose_json"),
    ] = None,
    language: Annotated[str, Form(description="what is spoken; that of the model")] = "",
    stream: Annotated[bool, Form(description="not here: /v1/stream is for that")] = False,
) -> Response:
    """``prompt``, ``temperature`` and whatever else a client sends change nothing."""
    service: Service = request.app.state.service
    wanted = service.model(model)
    _require_language(wanted, language)
    if stream:
        raise HTTPException(400, "stream: an answer comes whole; /v1/stream gives it in parts")
    if granularities and response_format != Format.VERBOSE_JSON:
        raise HTTPException(400, "timestamp_granularities: for response_format=verbose_json alone")
    try:
        with tempfile.TemporaryDirectory(prefix="kaskad-") as folder:
            # libsndfile knows some formats by the suffix alone.
            suffix = Path(file.filename or "").suffix.lower()
            named = suffix if suffix[1:].isalnum() and suffix.isascii() else ""
            path = Path(folder, f"recording{named[:10]}")
            await asyncio.to_thread(_keep, file.file, path)
            transcript = await _transcript(request, Transcription(service, wanted, path))
    except AudioError as error:
        return failure(f"file: {str(error).replace(str(path), 'it')}", 400, "invalid_audio")
    except TooLongError as error:
        return failure(f"file: {error}", 413, "audio_too_long")
    except StoppedError as error:
        return failure(str(error), 503, headers={"Retry-After": "5"})
    return _answer(transcript, response_format, granularities or [Granularity.SEGMENT], wanted)


def _require_language(model: Model, language: str) -> None:
    if language and model.language and language.lower() != model.language:
        raise HTTPException(
            400, f"language={language}: the model '{model.name}' knows {model.language} alone"
        )


def _keep(source: BinaryIO, path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(source, file)


async def _transcript(request: Request, work: Transcription) -> Transcript:
    """Do the work in a thread, for as long as somebody waits for it."""
    service: Service = request.app.state.service
    running = asyncio.get_running_loop().run_in_executor(service.readers, work.run)
    gone = asyncio.ensure_future(_gone(request))
    first: set[asyncio.Future[Any]] = {running, gone}
    try:
        await asyncio.wait(first, return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            work.stop()
        return await running
    finally:
        work.stop()
        gone.cancel()


async def _gone(request: Request) -> None:
    """Wait until the client hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _answer(
    transcript: Transcript, form: Format, granularities: list[Granularity], model: Model
) -> Response:
    if form in TEXTS:
        media_type, write = TEXTS[form]
        return PlainTextResponse(write(transcript), media_type=f"{media_type}; charset=utf-8")
    content: dict[str, Any] = {"text": transcript.text}
    if form == Format.VERBOSE_JSON:
        content = verbose(transcript, model.language, granularities, model.copies[0])
    return JSONResponse(content)
