"""The routes: requests in, answers out, whole or as server-sent events."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Collection
from functools import partial

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp

from trchat.catalog.listing import Model
from trchat.serve.desk import Desk, Errand
from trchat.serve.fields import Json, read_object
from trchat.serve.guard import Guard
from trchat.serve.news import Ended, Failed, Grown, News, Reading
from trchat.serve.problems import ApiError, from_trouble, too_large, unknown_model
from trchat.serve.replies import DONE, ChatReply, Reply, TextReply, event
from trchat.serve.requests import AnswerRequest, read_chat, read_completion

LARGEST_BODY = 16_000_000
"""Bytes; the words of a context of a million tokens, written in JSON's longest way, are about as many."""

Read = Callable[[Json], AnswerRequest]


def make_app(desk: Desk, key: str | None, origins: Collection[str]) -> ASGIApp:
    """The server as an ASGI application; ``key`` must be given by all who ask, where there is one.

    ``origins`` are those of web pages that may ask.
    """
    routes = [
        Route("/health", partial(_health, desk)),
        Route("/v1/models", partial(_models, desk)),
        Route("/v1/models/{name:path}", partial(_model, desk)),
        Route("/v1/chat/completions", partial(_answer, desk, "chat", read_chat), methods=["POST"]),
        Route("/v1/completions", partial(_answer, desk, "text", read_completion), methods=["POST"]),
    ]
    handlers = {HTTPException: _no_such_page, ApiError: _tell, Exception: _tell}
    app: ASGIApp = Starlette(routes=routes, exception_handlers=handlers)
    app = Guard(app, key, origins)
    if origins:
        app = CORSMiddleware(
            app, allow_origins=list(origins), allow_methods=["GET", "POST"], allow_headers=["*"]
        )
    return app


async def _health(desk: Desk, request: Request) -> Response:
    return JSONResponse(desk.standing(), 200 if desk.is_ready else 503)


async def _models(desk: Desk, request: Request) -> Response:
    found = await run_in_threadpool(desk.models)
    return JSONResponse({"object": "list", "data": [_about(*each) for each in found]})


async def _model(desk: Desk, request: Request) -> Response:
    name = request.path_params["name"]
    for model, loaded in await run_in_threadpool(desk.models):
        if model.name == name:
            return JSONResponse(_about(model, loaded))
    raise unknown_model(name, "no model is called that")


def _about(model: Model, loaded: bool) -> dict[str, object]:
    try:
        created = int(model.path.stat().st_mtime)
    except OSError:
        created = 0
    more = {"loaded": loaded, "context_length": model.card.context}
    return {"id": model.name, "object": "model", "created": created, "owned_by": "local", **more}


async def _answer(desk: Desk, kind: str, read: Read, request: Request) -> Response:
    try:
        body = await _body(request)
    except ClientDisconnect:
        return Response(status_code=499)
    asked = await run_in_threadpool(_read, read, body)
    del body  # it may be large, and the wait long
    hearing = _Hearing(desk, asked, kind, request)
    try:
        first = await hearing.first()
        if first is None:
            return Response(status_code=499)  # nobody is there to read it
        headers = {"X-Request-Id": hearing.errand.id}
        make = ChatReply if kind == "chat" else TextReply
        reply: Reply = make(
            hearing.errand.id,
            hearing.errand.model,
            include_usage=asked.include_usage,
            logprobs=asked.alternatives is not None,
        )
        if not asked.stream:
            return JSONResponse(await _whole(hearing, reply, first), headers=headers)
        # A proxy that collects what it passes on would defeat the purpose.
        headers |= {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        hearing.is_streamed = True
        return StreamingResponse(_stream(hearing, reply, first), 200, headers, "text/event-stream")
    finally:
        if not hearing.is_streamed:
            hearing.close()


def _read(read: Read, body: bytes) -> AnswerRequest:
    return read(read_object(body))


async def _whole(hearing: "_Hearing", reply: Reply, first: News) -> dict[str, object]:
    news: News | None = first
    while news is not None:
        match news:
            case Grown():
                for _ in reply.growth(news):  # it collects what tokens there were
                    pass
            case Failed(problem):
                raise problem
            case Ended(answer):
                return reply.whole(answer)
        news = await hearing.next()
    raise ApiError(499, "the client left")


async def _stream(hearing: "_Hearing", reply: Reply, first: News) -> AsyncIterator[bytes]:
    try:
        for chunk in reply.opening():
            yield event(chunk)
        news: News | None = first
        while news is not None:
            match news:
                case Reading(done, total):  # a comment, so that nobody on the way thinks it asleep
                    yield f": {done} of {total} tokens are read\n\n".encode()
                case Grown():
                    for chunk in reply.growth(news):
                        yield event(chunk)
                case Failed(problem):
                    yield event(problem.body)
                    yield DONE
                    return
                case Ended(answer):
                    for chunk in reply.ending(answer):
                        yield event(chunk)
                    yield DONE
                    return
            news = await hearing.next()
    finally:
        hearing.close()


class _Hearing:
    """Listens to the desk for one client, as long as that is there."""

    def __init__(self, desk: Desk, asked: AnswerRequest, kind: str, request: Request) -> None:
        """Put the request into the queue. Raises ApiError."""
        self._desk = desk
        self._news: asyncio.Queue[News | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def hear(news: News) -> None:
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(self._news.put_nowait, news)

        self.errand = Errand(asked, kind, hear)
        self.is_streamed = False
        desk.submit(self.errand)
        self._watch = asyncio.create_task(self._until_it_leaves(request))

    async def first(self) -> News | None:
        """The first news that decides how to answer. Raises the ApiError that it may be."""
        news = await self.next()
        if isinstance(news, Failed):
            raise news.problem
        return news

    async def next(self) -> News | None:
        """The next news; None when the client has left."""
        return await self._news.get()

    def close(self) -> None:
        """Hear no more."""
        self._watch.cancel()
        self._desk.leave(self.errand)

    async def _until_it_leaves(self, request: Request) -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        self._desk.leave(self.errand)
        self._news.put_nowait(None)


async def _body(request: Request) -> bytes:
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told) > LARGEST_BODY:
        raise too_large(LARGEST_BODY)
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise too_large(LARGEST_BODY)
    return bytes(body)


async def _no_such_page(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    there = "/v1/chat/completions, /v1/completions, /v1/models, /health"
    if error.status_code == 405:
        problem = ApiError(405, f"{request.method} does not go here", code="method_not_allowed")
    else:
        problem = ApiError(error.status_code, f"there is nothing here; there are {there}", code="not_found")
    return JSONResponse(problem.body, problem.status, error.headers)


async def _tell(request: Request, error: Exception) -> Response:
    problem = from_trouble(error)
    headers = {"Retry-After": "10"} if problem.status == 503 else None
    return JSONResponse(problem.body, problem.status, headers)
