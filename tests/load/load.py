"""`make load`: measure one server under a class of websocket clients and real browsers; print a Markdown table."""

import argparse
import asyncio
import json
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import websockets
from PIL import Image
from playwright.async_api import Error as PlaywrightError
from playwright.async_api import async_playwright, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from camviz.ui.server.warm import warm
from tests.chromium import FLAGS
from tests.streamlit_client import Visit, parse, upload

ROOT = Path(__file__).parents[2]
SAMPLES = sorted(path.stem for path in (ROOT / "assets" / "samples").glob("*.jpg"))
FAST = ("grad_cam", "layer_cam", "vanilla_backprop", "guided_grad_cam")
LONGEST = 120  # seconds that an answer may take before it counts as an error

Link = dict[str, str]
Thinking = tuple[float, float]  # seconds between two clicks, from and to


@dataclass
class Answer:
    """What a page showed: the maps and their images, the names of other images, and errors."""

    maps: list[str] = field(default_factory=list)  # the image and the values of each stage
    images: list[str] = field(default_factory=list)  # names that Streamlit makes of the contents
    errors: list[str] = field(default_factory=list)
    buttons: dict[str, str] = field(default_factory=dict)  # label: widget id
    uploader: str = ""
    seconds: float = 0.0

    @property
    def shown(self) -> tuple[str, ...]:
        """Return what must be equal for everybody who opens the same link."""
        return (*self.maps, *self.images)


class Person:
    """One visitor with a separate session, who opens links and uploads an image."""

    def __init__(self, port: int) -> None:
        self.port, self.visit, self.page = port, Visit(), ""
        self.states: list[WidgetState] = []
        self.socket: Any = None

    async def __aenter__(self) -> "Person":
        self.socket = await websockets.connect(
            f"ws://127.0.0.1:{self.port}/_stcore/stream",
            subprotocols=["streamlit"],
            origin=f"http://127.0.0.1:{self.port}",
            max_size=None,
        )
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.socket.close()

    async def open(self, page: str = "", click: str = "", **link: str) -> Answer:
        """Open a link; then press the button whose label starts with `click`, if there is one."""
        if page != self.page:  # the first run on another page keeps the session's settings, whatever the link says
            await self._run(page, {})
            self.page = page
        answer = await self._run(page, link)
        found = next((key for label, key in answer.buttons.items() if click and label.startswith(click)), None)
        if found:
            begun = answer.seconds
            answer = await self._run(page, link, found)
            answer.seconds += begun
        return answer

    async def upload(self, name: str, data: bytes) -> Answer:
        """Upload an image."""
        first = await self.open()
        await self.socket.send(self.visit.request_address(name))
        while (answer := await self._receive()).WhichOneof("type") != "file_urls_response":
            pass
        urls = answer.file_urls_response.file_urls[0]
        self.states = [await asyncio.to_thread(upload, self.port, urls, first.uploader, name, data)]
        return await self._run("", {})

    async def _run(self, page: str, link: Link, click: str = "") -> Answer:
        clicks = [WidgetState(id=click, trigger_value=True)] if click else []
        started = time.perf_counter()
        await self.socket.send(self.visit.rerun(page, link, [*self.states, *clicks]))
        while not self.visit.apply(await self._receive()):
            pass
        return _read(self.visit.shown(), time.perf_counter() - started)

    async def _receive(self) -> ForwardMsg:
        return parse(await asyncio.wait_for(self.socket.recv(), LONGEST))


def _read(elements: Any, seconds: float) -> Answer:
    answer = Answer(seconds=seconds)
    for element in elements:
        kind = element.WhichOneof("type")
        if kind == "bidi_component" and element.bidi_component.component_name == "camviz_stage":
            data = json.loads(element.bidi_component.json)
            answer.maps += [data["image"], data["values"]] if "values" in data else []  # else tools, or an image alone
        elif kind == "imgs":
            answer.images += [image.url for image in element.imgs.imgs]
        elif kind == "exception":
            answer.errors.append(element.exception.message)
        elif kind == "alert" and element.alert.format == 1:
            answer.errors.append(element.alert.body)
        elif kind == "button":
            answer.buttons[element.button.label] = element.button.id
        elif kind == "file_uploader" and element.file_uploader.label == "Your own image":
            answer.uploader = element.file_uploader.id
    return answer


# ------------------------------------------------------------------------------------------------------- the class


@dataclass
class Work:
    """One thing that a person does: its row in the table, and the page and link that ask for it."""

    row: str
    page: str
    link: Link


def choose(rng: random.Random) -> Work:
    """Choose what a person does next."""
    # A session keeps what a link leaves out, so every link says everything.
    link = {"img": f"sample:{rng.choice(SAMPLES)}", "layer": "bn2", "target": "-1", "method": "grad_cam"}
    what = rng.random()
    if what < 0.6:
        return Work("a sample, a fast method", "", {**link, "method": rng.choice(FAST)})
    if what < 0.8:
        return Work("another class", "", {**link, "target": rng.choice(("105", "388", "468", "967"))})
    if what < 0.92:
        axes = {"rows": "layers", "rows.layers": "blocks.6,bn2", "columns.methods": "grad_cam,layer_cam"}
        return Work("compare, four maps", "compare", {**link, **axes})
    return Work("Score-CAM, 40 passes", "", {**link, "method": "score_cam", "layer": "blocks.2"})


@dataclass
class Plan:
    """What one visitor does: seconds until the first page, then pauses and the work after each."""

    arrival: float
    steps: list[tuple[float, Work]]


def plan(number: int, thinking: Thinking, steps: int) -> Plan:
    """Draw the plan of a visitor; the same number gives the same plan."""
    rng = random.Random(number)
    arrival = rng.random() * thinking[1]
    return Plan(arrival, [(rng.uniform(*thinking), choose(rng)) for _ in range(steps)])


def private_image(number: int) -> bytes:
    """Return an image that nobody else has."""
    rng = np.random.default_rng(number)
    coarse = Image.fromarray(rng.integers(0, 255, (6, 6, 3), dtype=np.uint8))
    buffer = BytesIO()
    coarse.resize((320, 320), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


@dataclass
class Log:
    """Durations by row, errors, and answers that differ from the single user's."""

    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    seen: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)


async def study(port: int, number: int, until: float, planned: Plan, expected: dict[str, Any], log: Log) -> None:
    """Run one person's visit: an upload, then mixed work."""
    try:
        async with Person(port) as person:
            await asyncio.sleep(planned.arrival)
            answer = await person.open()
            log.seconds["first page"].append(answer.seconds)
            answer = await person.upload(f"own-{number}.png", private_image(number))
            log.seconds["own image, first heatmap"].append(answer.seconds)
            _check(answer, f"own image {number}", expected["own"][number], log)
            for pause, work in planned.steps:
                if time.monotonic() >= until:
                    break
                await asyncio.sleep(pause)
                name = f"{work.page} {urlencode(work.link)}"
                before = log.seen[name]  # times that somebody got it, before this person asked
                answer = await person.open(work.page, click="Run", **work.link)
                log.seen[name] += 1
                log.seconds[f"{work.row}, {'seen before' if before else 'for the first time'}"].append(answer.seconds)
                _check(answer, name, expected[name], log)
    except (TimeoutError, OSError, websockets.exceptions.WebSocketException) as error:
        log.errors.append(f"person {number}: {type(error).__name__} {error}")


def _check(answer: Answer, name: str, expected: tuple[str, ...], log: Log) -> None:
    log.errors += [f"{name}: {error}" for error in answer.errors]
    if answer.shown != expected and not answer.errors:
        which = [place for place, pair in enumerate(zip(answer.shown, expected, strict=False)) if pair[0] != pair[1]]
        log.wrong.append(f"{name}: {len(answer.shown)} images for {len(expected)}, other ones at {which}")


async def expected_answers(port: int, plans: list[Plan]) -> dict[str, Any]:
    """Return what a single user sees for every link of the plans."""
    found: dict[str, Any] = {"own": {}}
    works = {f"{work.page} {urlencode(work.link)}": work for planned in plans for _, work in planned.steps}
    for number in range(len(plans)):
        async with Person(port) as person:
            found["own"][number] = (await person.upload(f"own-{number}.png", private_image(number))).shown
    async with Person(port) as person:
        await person.open()
        for name, work in works.items():
            answer = await person.open(work.page, click="Run", **work.link)
            if answer.errors or not answer.shown:
                raise AssertionError(f"the single user got {answer.errors or 'nothing'} for {name}")
            found[name] = answer.shown
    return found


async def arrive(browser: Any, port: int) -> Any:
    """Open the first page in a real browser and wait until it is drawn."""
    page = await browser.new_page(viewport={"width": 1280, "height": 900})
    await page.goto(f"http://127.0.0.1:{port}/")
    await page.locator("figure.stage canvas.heat").wait_for(timeout=LONGEST * 1000)
    return page


async def look(page: Any, number: int, until: float, thinking: Thinking, log: Log) -> None:
    """Click from sample to sample in a real browser."""
    rng, sample, answer = random.Random(1000 + number), "coffee", page.locator(".st-key-answer")
    try:
        while time.monotonic() < until:
            sample = rng.choice([name for name in SAMPLES if name not in ("coffee", sample)])
            before = await answer.inner_text()
            started = time.perf_counter()
            await page.locator(f".gallery button[title={sample}]").click(timeout=LONGEST * 1000)
            await expect(answer).not_to_have_text(before, timeout=LONGEST * 1000)  # drawn when the heatmap is there
            log.seconds["in a browser, another sample"].append(time.perf_counter() - started)
            await asyncio.sleep(rng.uniform(*thinking))
        boxes = await page.locator("[data-testid=stException]").count()
        if boxes:
            log.errors.append(f"browser {number}: {boxes} exceptions on the page")
    except PlaywrightError as error:
        log.errors.append(f"browser {number}: {error}")


# ------------------------------------------------------------------------------------------------------ the server


class Server:
    """The dashboard on a free port, its memory, and its own count of sessions."""

    def __init__(self) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.home = Path(tempfile.mkdtemp(prefix="camviz-load-"))
        with (self.home / "log").open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(self.port)],
                cwd=ROOT,
                env={**os.environ, "TORCH_HOME": str(self.home)},
                stdout=log,
                stderr=log,
            )

    async def __aenter__(self) -> "Server":
        for _ in range(300):
            try:
                await asyncio.to_thread(urllib.request.urlopen, self._url("health"), timeout=1)
            except OSError:
                await asyncio.sleep(0.2)
            else:
                return self
        raise AssertionError((self.home / "log").read_text())

    async def __aexit__(self, *_: Any) -> None:
        self.process.terminate()
        self.process.wait(20)
        shutil.rmtree(self.home)

    def _url(self, what: str) -> str:
        return f"http://127.0.0.1:{self.port}/_stcore/{what}"

    def memory(self) -> float:
        """Resident memory in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.findall(r"VmRSS:\s+(\d+)", status)[0]) / 1024

    async def sessions(self) -> int:
        """Return the number of sessions that the server reports."""
        with await asyncio.to_thread(urllib.request.urlopen, self._url("metrics"), timeout=10) as answer:
            found = re.findall(r"^active_sessions (\d+)", answer.read().decode(), re.M)
        return int(found[0]) if found else 0


@dataclass
class Result:
    """Results of a run."""

    log: Log
    memory: list[tuple[float, float]]  # seconds since the start, MB
    sessions_after: int


async def run(people: int, browsers: int, seconds: float, thinking: Thinking) -> Result:
    """Let one server answer a single user, then a new server the class."""
    steps = max(3, int(seconds / thinking[0] / 2))  # more than anybody's pauses leave room for
    plans = [plan(number, thinking, steps) for number in range(people)]
    async with Server() as alone:
        expected = await expected_answers(alone.port, plans)
    log = Log()
    async with Server() as server, async_playwright() as playwright:
        if (status := await asyncio.to_thread(warm, f"http://127.0.0.1:{server.port}")) != "ok":  # as `make app` does
            raise AssertionError(status)
        opened, pages = None, []
        if browsers:  # they start before the lesson, as starting Chromium is no work of the server
            # In a class they run on other machines: here they give way to the server.
            chromium = server.home / "chromium"
            chromium.write_text(f'#!/bin/sh\nexec nice -n 10 {shutil.which("chromium")} "$@"\n')
            chromium.chmod(0o755)
            opened = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            pages = [await arrive(opened, server.port) for _ in range(browsers)]
        started = time.monotonic()
        until = started + seconds
        memory = []

        async def watch() -> None:
            while time.monotonic() < until:
                memory.append((time.monotonic() - started, server.memory()))
                await asyncio.sleep(1)

        visits = [study(server.port, number, until, plans[number], expected, log) for number in range(people)]
        visits += [look(page, number, until, thinking, log) for number, page in enumerate(pages)]
        await asyncio.gather(watch(), *visits)
        if opened:
            await opened.close()
        await asyncio.sleep(2)
        return Result(log, memory, await server.sessions())


def table(result: Result) -> str:
    """Return the results as Markdown."""
    lines = ["| what a person does | times | median | 95% under |", "|---|---|---|---|"]
    for row, taken in sorted(result.log.seconds.items()):
        high = statistics.quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0]
        lines.append(f"| {row} | {len(taken)} | {statistics.median(taken):.2f} s | {high:.2f} s |")
    last = [value for moment, value in result.memory if moment > result.memory[-1][0] * 1 / 3]
    lines += [
        "",
        f"Errors: {len(result.log.errors)}. Maps that were not the single user's: {len(result.log.wrong)}. Memory over "
        f"the last two thirds: {min(last):.0f} to {max(last):.0f} MB, from {last[0]:.0f} to {last[-1]:.0f} MB. "
        f"Sessions after everybody left: {result.sessions_after}.",
    ]
    return "\n".join([*lines, *result.log.errors[:5], *result.log.wrong[:5]])


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--browsers", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=180)
    parser.add_argument("--thinking", type=float, nargs=2, default=(2, 8), help="seconds between two clicks")
    chosen = parser.parse_args()
    result = asyncio.run(run(chosen.people, chosen.browsers, chosen.seconds, tuple(chosen.thinking)))
    print(table(result))
    sys.exit(bool(result.log.errors or result.log.wrong))


if __name__ == "__main__":
    main()
