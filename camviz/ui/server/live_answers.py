"""The answers to requests that a browser sends while a visitor draws, without a run of the page.

Nothing here loads PyTorch, so the server can answer before it is loaded.
"""

import json
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import anyio
import anyio.to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ...errors import CamvizError
from .singletons import process_singleton

Answer = Callable[[Mapping[str, Any]], Mapping[str, Any]]

PATH = "/camviz/answers"
KEPT = 500  # offers; the least recently used ones are dropped
LARGEST = 4096  # bytes of a request: a mask takes 524
THREADS = 64  # answers at the same time


class Gone(Exception):
    """The image or the model of a request is no longer here."""


class LiveAnswers:
    """Functions that answer requests, each under an unguessable token that the page gives to its browser."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._offers: OrderedDict[str, Answer] = OrderedDict()
        self._tokens: dict[Hashable, str] = {}
        self._lock = threading.Lock()

    def offer(self, key: Hashable, answer: Answer) -> str:
        """Return the token under which `answer` is asked; the same one for the same key, as long as it is kept.

        `key` names by content the subject of the requests, and who may send them.
        """
        with self._lock:
            token = self._tokens.setdefault(key, secrets.token_urlsafe(16))
            self._offers[token] = answer
            self._offers.move_to_end(token)
            while len(self._offers) > self._kept:
                gone, _ = self._offers.popitem(last=False)
                self._tokens = {key: token for key, token in self._tokens.items() if token != gone}
        return token

    def ask(self, token: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the answer to a request. Raises Gone for an unknown token, and CamvizError for a wrong request."""
        with self._lock:
            answer = self._offers.get(token)
            if answer is None:
                raise Gone
            self._offers.move_to_end(token)
        return answer(request)


@process_singleton
def live_answers() -> LiveAnswers:
    """Return the live answers of this server."""
    return LiveAnswers()


class AnswerRequests:
    """Answer POST requests with JSON below `PATH`. Everything else passes unchanged."""

    def __init__(self, app: ASGIApp, base: str = "") -> None:
        self._app, self._path = app, address(base)
        self._threads: anyio.CapacityLimiter | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http" or not scope["path"].startswith(f"{self._path}/"):
            await self._app(scope, receive, send)
            return
        response = await self._answer(Request(scope, receive), scope["path"].removeprefix(f"{self._path}/"))
        await response(scope, receive, send)

    async def _answer(self, request: Request, token: str) -> Response:
        if request.method != "POST":
            return _refusal(405, "expected a POST request")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:
                return _refusal(413, f"expected at most {LARGEST} bytes")
        try:
            given = json.loads(body)
        except (ValueError, RecursionError):
            return _refusal(400, "expected JSON")
        if not isinstance(given, dict):
            return _refusal(400, "expected a JSON object")
        if self._threads is None:
            self._threads = anyio.CapacityLimiter(THREADS)
        try:
            found = await anyio.to_thread.run_sync(live_answers().ask, token, given, limiter=self._threads)
        except Gone:
            return _refusal(404, "this image or model is no longer here: reload the page")
        except CamvizError as error:
            return _refusal(422, str(error))
        return JSONResponse(dict(found), headers={"cache-control": "no-store"})


def address(base: str) -> str:
    """Return the path of the answers below a base path such as "camviz/here", or below ""."""
    return "/".join(("", *filter(None, base.split("/")))) + PATH


def _refusal(status: int, sentence: str) -> Response:
    return JSONResponse({"error": sentence}, status)
