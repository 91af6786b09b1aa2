"""`python -m tests.load.painting`: one person, then thirty draw on images; prints how long a stroke takes to the bars.

Each client sends the masks of a moving brush, the next one when the last is answered, as the page does. Every answer is
compared with that of a single user.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import re
import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2
import numpy as np

import camviz
from camviz import edits
from tests.load.load import SAMPLES, Person, Server

PAUSE = 0.05  # seconds between two moves of a pointer that the page notices
ADDRESS = re.compile(rb"/camviz/answers/[\w-]+")


def strokes(seed: int, count: int) -> list[np.ndarray]:
    """Return the masks (56, 56) of a brush that moves over the image."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:56, :56]
    mask, place, found = np.zeros((56, 56), bool), rng.uniform(10, 46, 2), []
    for _ in range(count):
        place = (place + rng.normal(0, 3, 2)).clip(4, 52)
        mask = mask | (np.hypot(rows - place[0], columns - place[1]) < 4)
        found.append(mask)
    return found


@dataclass
class Painter:
    """One visitor with a page that stays open, the requests to send, and the changes that a single user is told."""

    url: str
    bodies: list[str]
    expected: list[float]
    seconds: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)

    @classmethod
    async def prepared(cls, person: Person, number: int, count: int) -> "Painter":
        """Open a sample, and compute what the answers must be."""
        sample = SAMPLES[number % len(SAMPLES)]
        await person.open(img=f"sample:{sample}", method="grad_cam")
        messages = (element.SerializeToString() for element in person.visit.shown())
        address = next(found.group() for one in messages if (found := ADDRESS.search(one)))
        model = camviz.load_model("efficientnet_lite0")
        view, masks = model.view(f"assets/samples/{sample}.jpg"), strokes(number, count)
        before, *after = edits.answers_of(model, [view, *(edits.apply(view, mask) for mask in masks)])
        cells = [base64.b64encode(np.packbits(mask).tobytes()).decode() for mask in masks]
        asked = {"part": "answer", "tool": "hide", "fill": "blur", "paste": ""}
        return cls(
            f"http://127.0.0.1:{person.port}{address.decode()}",
            [json.dumps({**asked, "cells": one}) for one in cells],
            [float((one - before)[before.argmax()]) for one in after],
        )

    async def paint(self) -> None:
        """Send the strokes, each when the one before is answered."""
        async with httpx2.AsyncClient(timeout=60) as client:
            for body, expected in zip(self.bodies, self.expected, strict=True):
                started = time.perf_counter()
                found = (await client.post(self.url, content=body)).json()
                self.seconds.append(time.perf_counter() - started)
                self.wrong.append(abs(found["change"] - expected))
                await asyncio.sleep(PAUSE)


async def measured(people: int, count: int) -> tuple[list[float], list[float]]:
    """Let people draw at the same time; return the seconds of each answer, and how far each is from a single user's."""
    async with Server() as server, contextlib.AsyncExitStack() as open_pages:
        painters = []
        for number in range(people):
            person = await open_pages.enter_async_context(Person(server.port))
            painters.append(await Painter.prepared(person, number, count))
        await asyncio.gather(*(one.paint() for one in painters))
    return [one for each in painters for one in each.seconds], [one for each in painters for one in each.wrong]


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--strokes", type=int, default=40)
    given: Any = parser.parse_args()
    print("| people | answers | median | 95% | largest difference from a single user |\n|---|---|---|---|---|")
    for people in (1, given.people):
        seconds, wrong = asyncio.run(measured(people, given.strokes))
        late = statistics.quantiles(seconds, n=20)[-1]
        print(f"| {people} | {len(seconds)} | {statistics.median(seconds):.3f} s | {late:.3f} s | {max(wrong):.1e} |")


if __name__ == "__main__":
    main()
