"""The service as an ASGI application: `make_app(Service(models))`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.resources import files
from typing import Any

import anyio
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

import kaskad
from kaskad.serving import sessions, transcriptions
from kaskad.serving.gate import Gate, failure
from kaskad.serving.service import Model, Service, UnknownModelError

# The page takes nothing from elsewhere; what reads the microphone is made of its own text.
CONTENT_POLICY = (
    "default-src 'self'; style-src 'unsafe-inline'; script-src 'unsafe-inline' blob:; "
    "worker-src blob:; connect-src 'self' ws: wss:; frame-ancestors 'none'"
)


def make_app(service: Service) -> FastAPI:
    """The endpoints of a service."""

    @asynccontextmanager
    async def at_work(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.closing.set()
        await anyio.to_thread.run_sync(service.close)

    app = FastAPI(title="Kaskad", version=kaskad.__version__, lifespan=at_work)
    app.state.service = service
    app.add_middleware(Gate, service=service)
    app.include_router(transcriptions.router)
    app.include_router(sessions.router)
    page = files("kaskad.serving").joinpath("page.html").read_text(encoding="utf-8")

    @app.get("/", response_class=HTMLResponse, summary="A page to record, or to drop a file on")
    def try_it() -> HTMLResponse:
        return HTMLResponse(page, headers={"Content-Security-Policy": CONTENT_POLICY})

    @app.get("/health", summary="Whether it can be asked", responses={503: {}})
    def health() -> JSONResponse:
        is_closing = service.closing.is_set()
        content = {"status": "closing" if is_closing else "ok", "models": [*service.models]}
        return JSONResponse(content, 503 if is_closing else 200)

    @app.get("/metrics", response_class=PlainTextResponse, summary="Figures for Prometheus")
    def metrics() -> Response:
        return Response(service.figures.text(), media_type="text/plain; version=0.0.4")

    @app.get("/v1/models", summary="The models that are served", responses={401: {}})
    def models() -> dict[str, Any]:
        return {"object": "list", "data": [_described(each) for each in service.models.values()]}

    @app.get("/v1/models/{name}", summary="One of the models", responses={401: {}, 404: {}})
    def model(name: str) -> dict[str, Any]:
        return _described(service.model(name))

    @app.exception_handler(UnknownModelError)
    async def unknown_model(request: Request, error: UnknownModelError) -> JSONResponse:
        return failure(str(error), 404, "model_not_found")

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> JSONResponse:
        faults = [(".".join(map(str, each["loc"][1:])), each["msg"]) for each in error.errors()]
        return failure("; ".join(f"{field}: {fault}" for field, fault in faults), 400)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> JSONResponse:
        return failure(str(error.detail), error.status_code, headers=error.headers)

    return app


def _described(model: Model) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "kaskad",
        "language": model.language,
        "sample_rate": model.sample_rate,
        "streaming": model.why_not_streaming is None,
    }
