"""Requests of the page while a visitor draws: tokens, refusals and limits."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from camviz import CamvizError
from camviz.ui.server.live_answers import LARGEST, AnswerRequests, Gone, LiveAnswers, live_answers


def ask(path: str, body: bytes = b"{}", method: str = "POST", base: str = "") -> tuple[int, dict[str, object]]:
    """Send a request through the middleware; return status and answer. Other paths answer 299."""
    sent: list[dict[str, object]] = []

    async def other(scope, receive, send) -> None:
        await send({"type": "http.response.start", "status": 299, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    with ThreadPoolExecutor(1) as pool:  # this thread may run the event loop of a browser
        pool.submit(anyio.run, AnswerRequests(other, base), scope, receive, send).result()
    return sent[0]["status"], json.loads(sent[1]["body"])  # type: ignore[return-value, arg-type]


def test_answer_is_found_by_its_token_only() -> None:
    def refuse(_: object) -> dict[str, object]:
        raise CamvizError("no mask")

    token = live_answers().offer("doubled", lambda given: {"value": 2 * given["value"]})
    wrong = live_answers().offer("refused", refuse)
    assert token != wrong and len(token) >= 22
    assert ask(f"/camviz/answers/{token}", b'{"value": 21}') == (200, {"value": 42})
    assert ask(f"/here/camviz/answers/{token}", b'{"value": 4}', base="/here/") == (200, {"value": 8})
    assert ask(f"/camviz/answers/{wrong}") == (422, {"error": "no mask"})
    assert ask("/camviz/answers/doubled")[0] == 404 and ask(f"/camviz/answers/{token}x")[0] == 404
    assert ask("/camviz/answer")[0] == 299 and ask(f"/camviz/answers/{token}", method="GET")[0] == 405
    for body, status in ((b"[]", 400), (b"{", 400), (b"[" * 4000, 400), (b" " * (LARGEST + 1), 413)):
        assert ask(f"/camviz/answers/{token}", body)[0] == status


def test_oldest_offers_are_dropped() -> None:
    answers = LiveAnswers(kept=2)
    first, second = answers.offer(1, lambda _: {"is": 1}), answers.offer(2, lambda _: {"is": 2})
    assert answers.offer(1, lambda _: {"is": 1}) == first
    third = answers.offer(3, lambda _: {"is": 3})
    assert answers.ask(first, {}) == {"is": 1} and answers.ask(third, {}) == {"is": 3}
    with pytest.raises(Gone):
        answers.ask(second, {})
    assert answers.offer(2, lambda _: {"is": 2}) != second


def test_live_answers_do_not_import_torch() -> None:
    code = "import sys, camviz.ui.server.live_answers; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
