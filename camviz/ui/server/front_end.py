"""The front end and the documentation as the server sends them: compressed, the page with a first notice.

Nothing here loads PyTorch, so the server can answer before it is loaded.
"""

import asyncio
import gzip
from collections.abc import Callable
from pathlib import Path

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COMPONENTS = Path(__file__).parents[1] / "components"
# The style of the pages, which Streamlit would apply late, and the heights of parts that come late: nothing moves.
STYLES = [COMPONENTS / "page.css", COMPONENTS / "heights.css"]
UPLOADS = COMPONENTS / "uploads.js"  # in the page itself: a component's script arrives after the first upload
ROOT = b'<div id="root"></div>'
STARTING = {"en": "CamViz is starting…", "zh": "CamViz 正在启动…"}
# Gone as soon as the page shows anything.
NOTICE = """<style>%s
#starting { position: fixed; inset: 40vh 0 auto; text-align: center; font: 1.1rem sans-serif; color: #777; }
body:has([data-testid=stMain] :is(h1, p, img, button)) #starting { display: none; }
</style><div id="starting" role="status">%s</div><script>%s</script>"""
CONDITIONS = (b"accept-encoding", b"if-none-match", b"if-modified-since", b"range")  # of a request
VALIDATORS = ("etag", "last-modified")
KEPT = ("content-type", "cache-control", *VALIDATORS)


class LightFrontEnd:
    """Send the front end's scripts and styles compressed, once for all visitors, and its page with a first notice.

    Everything else passes unchanged: websockets, uploads, media, and browsers that take no gzip.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._compressed = app, dict[str, Response]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        answer = await self._answer(scope) if _is_of_the_front_end(scope) else self._app
        await answer(scope, receive, send)

    async def _answer(self, scope: Scope) -> ASGIApp:
        path = scope["path"]
        if path not in self._compressed:
            response = await _response(self._app, scope)
            kind = response.headers.get("content-type", "")
            if response.status_code != 200 or not kind.startswith(("text/", "application/javascript")):
                return response
            if kind.startswith("text/html"):
                style = "".join(file.read_text(encoding="utf-8") for file in STYLES)
                notice = NOTICE % (style, STARTING[_language(scope)], UPLOADS.read_text(encoding="utf-8"))
                response.body = bytes(response.body).replace(ROOT, ROOT + notice.encode())
                for name in VALIDATORS:  # they are those of the page without the notice
                    del response.headers[name]
                return await _packed(response)
            self._compressed[path] = await _packed(response)
        return self._compressed[path]


class Documentation:
    """Serve the built documentation under /docs below the dashboard's address. Everything else passes unchanged.

    `find` returns its folder, or None while it is not there.
    """

    def __init__(self, app: ASGIApp, find: Callable[[], Path | None], base: str = "") -> None:
        self._app, self._find = app, find
        self._path = "/".join(("", *filter(None, base.split("/")), "docs"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        asked = scope["type"] == "http" and (path == self._path or path.startswith(f"{self._path}/"))
        folder = self._find() if asked else None
        if folder is None:
            await self._app(scope, receive, send)
        elif path == self._path:  # the pages' links are relative to the folder
            await RedirectResponse(f"{self._path}/")(scope, receive, send)
        else:
            below = {**scope, "root_path": self._path, "path": path}
            await StaticFiles(directory=folder, html=True)(below, receive, send)


def _is_of_the_front_end(scope: Scope) -> bool:
    """Return whether a browser that takes gzip requests the page, or a whole script or style that it does not have."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return False
    path, headers = scope["path"], Headers(scope=scope)
    if "gzip" not in headers.get("accept-encoding", ""):
        return False
    if "." not in path and not any(part in path for part in ("/_stcore", "/media/", "/component/")):
        return True
    partial = "range" in headers or "if-none-match" in headers
    return "/static/" in path and path.endswith((".js", ".css")) and not partial


async def _response(app: ASGIApp, scope: Scope) -> Response:
    """Return the answer of an app as a whole, not compressed yet."""
    headers = [(name, value) for name, value in scope["headers"] if name not in CONDITIONS]
    messages: list[Message] = []

    async def keep(message: Message) -> None:
        messages.append(message)

    asked = False

    async def request() -> Message:
        """Return the request once, and never a disconnect: the answer is kept for all visitors."""
        nonlocal asked
        if asked:
            await asyncio.Event().wait()
        asked = True
        return {"type": "http.request", "body": b"", "more_body": False}

    await app({**scope, "headers": headers}, request, keep)
    start, *rest = messages
    response = Response(b"".join(message.get("body", b"") for message in rest), start["status"])
    response.raw_headers = list(start["headers"])
    return response


async def _packed(response: Response) -> Response:
    body = await asyncio.to_thread(gzip.compress, response.body, 9, mtime=0)
    headers = {name: response.headers[name] for name in KEPT if name in response.headers}
    vary = "Accept-Encoding, Accept-Language"
    return Response(body, headers={**headers, "content-encoding": "gzip", "vary": vary})


def _language(scope: Scope) -> str:
    """Return the language of the link, or else the browser's."""
    if b"lang=" in scope["query_string"]:
        return "zh" if b"lang=zh" in scope["query_string"] else "en"
    return "zh" if Headers(scope=scope).get("accept-language", "").startswith("zh") else "en"
