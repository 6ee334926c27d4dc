"""The page in a real browser, with a microphone that plays a file."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@asynccontextmanager
async def browser(address: str, microphone: Path, profile: Path) -> AsyncIterator[Any]:
    """Open a page in a browser without a window; gives what evaluates JavaScript there."""
    program = next(filter(None, map(shutil.which, BROWSERS)))
    process = subprocess.Popen(
        [
            str(program),
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",
            f"--use-file-for-fake-audio-capture={microphone}",
            address,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = profile / "DevToolsActivePort"
        while not port.exists() or len(port.read_text().split()) < 2:
            await asyncio.sleep(0.1)
        number, path = port.read_text().split()
        async with connect(f"ws://127.0.0.1:{number}{path}", max_size=None) as socket:
            yield await page_of(socket, address)
    finally:
        process.kill()
        process.wait()


async def page_of(socket: Any, address: str) -> Any:
    numbers = iter(range(1, 10**6))

    async def ask(method: str, session: str | None = None, **parameters: Any) -> dict[str, Any]:
        number = next(numbers)
        message = {"id": number, "method": method, "params": parameters}
        await socket.send(json.dumps(message | ({"sessionId": session} if session else {})))
        while (answer := json.loads(await socket.recv())).get("id") != number:
            pass
        return answer["result"]

    while True:
        targets = (await ask("Target.getTargets"))["targetInfos"]
        pages = [each for each in targets if each["url"].startswith(address)]
        if pages:
            break
        await asyncio.sleep(0.1)
    attached = await ask("Target.attachToTarget", targetId=pages[0]["targetId"], flatten=True)

    async def evaluate(script: str) -> Any:
        found = await ask(
            "Runtime.evaluate", attached["sessionId"], expression=script, returnByValue=True
        )
        return found["result"].get("value")

    return evaluate


async def until(evaluate: Any, script: str, seconds: float = 40) -> Any:
    """Wait until a script gives something that is true."""
    async with asyncio.timeout(seconds):
        while not (found := await evaluate(script)):
            await asyncio.sleep(0.1)
    return found


@pytest.mark.slow
@pytest.mark.skipif(not any(map(shutil.which, BROWSERS)), reason="no browser here")
def test_words_arrive_while_they_are_said(
    fork_server, checkpoint: Path, recording: Path, tmp_path: Path
) -> None:
    arguments = [f"checkpoint={{a: {checkpoint}}}", "port=0", f"hydra.run.dir={tmp_path / 'run'}"]
    command = fork_server.start("-m", "kaskad", "serve", *arguments, together=True)
    command.wait_until_it_prints("serving ")
    address = "http://" + command.output.partition("http://")[2].split()[0]

    async def try_page() -> None:
        words = "document.querySelectorAll('#words span').length"
        async with browser(address, recording, tmp_path / "profile") as evaluate:
            await until(evaluate, "document.querySelectorAll('#model option').length")
            await evaluate("document.getElementById('record').click()")
            assert await until(evaluate, words)
            await evaluate("document.getElementById('record').click()")
            await until(evaluate, "document.getElementById('record').textContent === 'Record'")
            assert await evaluate("document.getElementById('message').textContent") == ""
            lines = await evaluate("document.querySelectorAll('#words p').length")
            await evaluate(
                "fetch('/health').then(() => transcribe(new File(['no audio'], 'a.wav')))"
                ".catch(failed)"
            )
            message = "document.getElementById('message').textContent"
            assert "not an audio file" in await until(evaluate, message)
            assert await evaluate("document.querySelectorAll('#words p').length") == lines

    try:
        asyncio.run(try_page())
    finally:
        command.kill()
