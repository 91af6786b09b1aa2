"""The compressed front end: an interrupted download does not truncate the next one."""

import asyncio
import gzip
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from camviz.ui.server.front_end import Documentation, LightFrontEnd

SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/static/js/a.js",
    "query_string": b"",
    "headers": [(b"accept-encoding", b"gzip")],
}


async def script(scope: Any, receive: Any, send: Any) -> None:
    """Send a file in two parts; the second one only to a connected visitor, as Starlette's middleware does."""
    headers = [(b"content-type", b"text/javascript")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"export const a = 1;", "more_body": True})
    assert (await receive())["type"] == "http.request"
    left = asyncio.ensure_future(receive())
    done, _ = await asyncio.wait({left}, timeout=0.05)
    left.cancel()
    rest = b"" if done else b"export const b = 2;"
    await send({"type": "http.response.body", "body": rest, "more_body": False})


def test_interrupted_request_does_not_truncate_the_next() -> None:
    async def visit() -> list[bytes]:
        front_end, bodies = LightFrontEnd(script), []
        for _ in range(2):
            messages = iter([{"type": "http.request", "body": b""}])

            async def receive(messages: Any = messages) -> Any:
                return next(messages, {"type": "http.disconnect"})

            sent: list[Any] = []

            async def send(message: Any, sent: list[Any] = sent) -> None:
                sent.append(message)

            await front_end(SCOPE, receive, send)
            bodies.append(b"".join(message.get("body", b"") for message in sent))
        return bodies

    with ThreadPoolExecutor(1) as pool:  # a browser's test may run a loop in this thread
        first, second = pool.submit(lambda: asyncio.run(visit())).result()
    assert first == second and gzip.decompress(first) == b"export const a = 1;export const b = 2;"


def responses(app: Any, *paths: str) -> list[tuple[int, bytes]]:
    """Return the status and the body, or the target of a redirect, for each path."""

    async def ask(path: str) -> tuple[int, bytes]:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            await asyncio.Event().wait()  # the visitor stays

        await app({**SCOPE, "path": path, "headers": []}, receive, send)
        body = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], dict(sent[0]["headers"]).get(b"location", body)

    async def ask_all() -> list[tuple[int, bytes]]:
        return [await ask(path) for path in paths]

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(ask_all())).result()


async def dashboard(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"the dashboard"})


def test_documentation_is_served_if_it_is_built(tmp_path: Path) -> None:
    site = tmp_path / "site"
    (site / "reference").mkdir(parents=True)
    for name in ("index.html", "404.html", "reference/errors.html"):
        (site / name).write_text(name, encoding="utf-8")
    (tmp_path / "secret.txt").write_text("secret", encoding="utf-8")
    app = Documentation(dashboard, find=lambda: site)
    assert responses(
        app, "/docs", "/docs/", "/docs/reference/errors.html", "/docs/../secret.txt", "/docsx", "/explain"
    ) == [
        (307, b"/docs/"),
        (200, b"index.html"),
        (200, b"reference/errors.html"),
        (404, b"404.html"),
        (200, b"the dashboard"),
        (200, b"the dashboard"),
    ]
    below = Documentation(dashboard, find=lambda: site, base="/lab/")
    assert responses(below, "/lab/docs/", "/docs/") == [(200, b"index.html"), (200, b"the dashboard")]
    assert responses(Documentation(dashboard, find=lambda: None), "/docs/") == [(200, b"the dashboard")]
