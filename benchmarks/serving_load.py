"""Requests a second and latency of a service at 1, 8 and 32 clients, on this machine.

    kaskad serve release=releases/v1 port=8000 limits.requests=64
    python benchmarks/serving_load.py --url http://127.0.0.1:8000 --audio a.wav [--seconds 15]

Each client sends the same recording again as soon as it has its answer. Then streams are sent in
real time, a tenth of a second at a time: a stream was held in real time if its last word comes
within half a second of its end. --hour sends an hour's worth of audio before that, and tells how
much memory the service holds after ten minutes of it and at the end.
"""

import argparse
import asyncio
import json
import os
import re
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import soundfile
from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import connect

from kaskad.runs.environment import environment

CLIENTS = (1, 8, 32)
STREAMS = (1, 4, 16)
PART = 0.1  # seconds
LATE = 0.5


async def load(url: str, audio: bytes, clients: int, seconds: float) -> dict[str, Any]:
    """So many clients for so many seconds."""
    times: list[float] = []
    failed = 0
    until = time.perf_counter() + seconds

    async def client(session: httpx.AsyncClient) -> None:
        nonlocal failed
        while time.perf_counter() < until:
            began = time.perf_counter()
            files = {"file": ("a.wav", audio)}
            answer = await session.post(f"{url}/v1/audio/transcriptions", files=files)
            if answer.status_code == 200:
                times.append(time.perf_counter() - began)
            else:
                failed += 1
                await asyncio.sleep(float(answer.headers.get("retry-after", 1)))

    async with httpx.AsyncClient(timeout=60, headers=_headers()) as session:
        began = time.perf_counter()
        await asyncio.gather(*(client(session) for _ in range(clients)))
        taken = time.perf_counter() - began
    return {
        "requests_per_second": len(times) / taken,
        "p50": float(np.quantile(times, 0.5)),
        "p99": float(np.quantile(times, 0.99)),
        "refused": failed,
    }


async def stream(url: str, samples: np.ndarray, rate: int, seconds: float) -> float:
    """One stream in real time; returns the seconds from its end to the last of its words."""
    address = url.replace("http", "ws", 1) + f"/v1/stream?sample_rate={rate}"
    size = round(PART * rate)
    async with connect(address, additional_headers=_headers()) as socket:
        reader = asyncio.create_task(_read(socket))
        began, sent = time.perf_counter(), 0
        while sent < seconds * rate:
            at = sent % (len(samples) - size)
            await socket.send(samples[at : at + size].tobytes())
            sent += size
            await asyncio.sleep(max(0.0, began + sent / rate - time.perf_counter()))
        ended = time.perf_counter()
        await socket.send(json.dumps({"type": "finish"}))
        await reader
        return time.perf_counter() - ended


async def _read(socket: Any) -> None:
    async for message in socket:
        if json.loads(message)["type"] == "error":
            raise RuntimeError(message)


async def memory_of_an_hour(url: str, audio: bytes, seconds: float) -> dict[str, float]:
    """The memory, in MB, that the service holds after ten minutes of audio, and after an hour."""
    memory, served = {}, 0.0

    async def client(session: httpx.AsyncClient, minutes: int) -> None:
        nonlocal served
        while served < 60 * minutes:
            served += seconds
            files = {"file": ("a.wav", audio)}
            answer = await session.post(f"{url}/v1/audio/transcriptions", files=files)
            answer.raise_for_status()

    async with httpx.AsyncClient(timeout=60, headers=_headers()) as session:
        for minutes in (10, 60):
            await asyncio.gather(*(client(session, minutes) for _ in range(8)))
            told = (await session.get(f"{url}/metrics")).text
            held = re.search(r"^process_resident_memory_bytes (\S+)", told, re.MULTILINE)
            assert held is not None
            memory[f"after {minutes} minutes"] = float(held[1]) / 2**20
    return memory


def _headers() -> dict[str, str]:
    token = os.environ.get("KASKAD_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


async def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    audio = arguments.audio.read_bytes()
    samples, rate = soundfile.read(arguments.audio, dtype="int16", always_2d=True)
    mono = np.ascontiguousarray(samples[:, 0])
    figures: dict[str, Any] = {"audio_seconds": len(mono) / rate, "clients": {}, "streams": {}}
    await load(arguments.url, audio, 1, 1.0)
    for clients in CLIENTS:
        found = await load(arguments.url, audio, clients, arguments.seconds)
        figures["clients"][clients] = found
    if arguments.hour:
        seconds = figures["audio_seconds"]
        figures["memory"] = await memory_of_an_hour(arguments.url, audio, seconds)
    while len(mono) < 2 * rate:
        mono = np.tile(mono, 2)
    for count in STREAMS if arguments.streams else ():
        late = await asyncio.gather(
            *(stream(arguments.url, mono, rate, arguments.seconds / 2) for _ in range(count))
        )
        figures["streams"][count] = {"late": max(late), "held": sum(each < LATE for each in late)}
    return figures


def show(figures: dict[str, Any]) -> None:
    seconds = figures["audio_seconds"]
    table = Table("clients", "requests/s", "audio s/s", "p50, ms", "p99, ms", "refused")
    for clients, row in figures["clients"].items():
        speed = row["requests_per_second"]
        numbers = f"{speed:.1f}", f"{speed * seconds:.0f}"
        times = f"{1_000 * row['p50']:.0f}", f"{1_000 * row['p99']:.0f}"
        table.add_row(str(clients), *numbers, *times, str(row["refused"]))
    Console().print(table)
    for when, held in figures.get("memory", {}).items():
        print(f"memory {when} of audio: {held:.0f} MB")
    for count, row in figures["streams"].items():
        print(f"{count} streams: {row['held']} held, last words after {row['late']:.3f} s at most")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--audio", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=15.0)
    parser.add_argument("--hour", action="store_true", help="an hour's worth of audio, too")
    parser.add_argument("--streams", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--output", type=Path, help="a JSON file for the figures")
    arguments = parser.parse_args()
    figures = asyncio.run(measure(arguments))
    show(figures)
    if arguments.output:
        kept = {"figures": figures, "environment": environment(None)}
        arguments.output.write_text(json.dumps(kept, indent=4), encoding="utf-8")


if __name__ == "__main__":
    main()
