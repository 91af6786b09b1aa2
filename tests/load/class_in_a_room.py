"""`python -m tests.load.class_in_a_room`: a teacher and thirty students in one room; prints a Markdown table.

Each client is a session of its own, which asks for its part of the page again and again, as a browser does. The
teacher asks, everybody votes, the teacher shows the answer. Every vote is compared with what the wall counts.
"""

import argparse
import asyncio
import contextlib
import json
import random
import statistics
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState

from tests.load.load import Person, Server

PERIOD, WALL = 2.0, 1.5  # seconds between two looks of a student and of the wall
LATEST = 3.0  # seconds until the wall shows a vote
THINKING = 6.0  # seconds, at most


class Visitor(Person):
    """A person whose page refreshes a part of itself."""

    fragment = ""

    async def _receive(self) -> ForwardMsg:
        message = await super()._receive()
        if message.WhichOneof("type") == "auto_rerun":
            self.fragment = message.auto_rerun.fragment_id
        return message

    async def look(self, *states: WidgetState) -> list[Any]:
        """Run the part of the page that refreshes itself; return its elements."""
        message = BackMsg()
        rerun = message.rerun_script
        rerun.fragment_id, rerun.page_script_hash = self.fragment, self.visit.pages[self.page]
        rerun.widget_states.widgets.extend([*self.states, *states])
        await self.socket.send(message.SerializeToString())
        found = []
        while True:
            answer = await self._receive()
            kind = answer.WhichOneof("type")
            if kind == "delta" and answer.delta.WhichOneof("type") == "new_element":
                found.append(answer.delta.new_element)
            if kind == "script_finished" and answer.script_finished in (0, 3):
                return found

    async def press(self, label: str, *states: WidgetState) -> list[Any]:
        """Press a button of the whole page; return what the page shows then."""
        (button,) = (one.button for one in self.visit.shown() if is_button(one, label))
        self.states += states
        await self._run(self.page, {}, button.id)
        return self.visit.shown()


def is_button(element: Any, label: str) -> bool:
    """Return whether an element is the button of that label."""
    return element.WhichOneof("type") == "button" and element.button.label == label


def words(elements: list[Any]) -> str:
    """Return the texts of elements."""
    kinds = {"markdown": "markdown", "alert": "alert", "progress": "progress", "heading": "heading"}
    fields = {"markdown": "body", "alert": "body", "progress": "text", "heading": "body"}
    found = ((one.WhichOneof("type"), one) for one in elements)
    return "\n".join(str(getattr(getattr(one, kind), fields[kind])) for kind, one in found if kind in kinds)


def of_kind(elements: list[Any], kind: str) -> list[Any]:
    """Return the elements of a kind."""
    return [getattr(one, kind) for one in elements if one.WhichOneof("type") == kind]


@dataclass
class Log:
    """What was measured, and what was wrong."""

    looks: list[float] = field(default_factory=list)
    votes: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)


async def student(
    seat: Visitor, number: int, asked: asyncio.Event, sent: dict[int, tuple[float, str]], log: Log
) -> None:
    """Look at the room until there is a question, vote, and look on until the answer is shown."""
    rng = random.Random(number)
    await asyncio.sleep(rng.random() * PERIOD)
    vote: list[WidgetState] = []
    while True:
        started = time.perf_counter()
        shown = await seat.look(*vote)
        log.looks.append(time.perf_counter() - started)
        radios, said = of_kind(shown, "radio"), words(shown)
        if radios and not vote and asked.is_set():
            await asyncio.sleep(rng.random() * THINKING)
            choice = rng.choice(radios[0].options)
            vote = [WidgetState(id=radios[0].id, string_value=choice)]
            sent[number] = time.monotonic(), choice
            started = time.perf_counter()
            if "Your answer is in" not in words(await seat.look(*vote)):
                log.wrong.append(f"student {number}: the vote was not taken")
            log.votes.append(time.perf_counter() - started)
        if "Your answer was" in said:
            right = sent[number][1].endswith("espresso")
            if ("Your answer was right" in said) is not right:
                log.wrong.append(f"student {number} was told the result of somebody else")
            return
        await asyncio.sleep(PERIOD)


async def wall(teacher: Visitor, count: int, sent: dict[int, tuple[float, str]], log: Log) -> None:
    """Look at the wall until everybody has answered, then show the answer and check the votes."""
    seen: dict[int, float] = {}
    while count not in seen:
        started = time.perf_counter()
        shown = await teacher.look()
        log.looks.append(time.perf_counter() - started)
        said = words(shown)
        have = next((number for number in range(count, -1, -1) if f"{number} of {count} have answered" in said), None)
        if have is None:
            log.wrong.append(f"the wall says {said[:200]}")
            return
        for number in range(have + 1):
            seen.setdefault(number, time.monotonic())
        await asyncio.sleep(0 if count in seen else WALL)
    times = sorted(moment for moment, _ in sent.values())
    log.late += [seen[place + 1] - moment for place, moment in enumerate(times)]
    (button,) = (one.button for one in shown if is_button(one, "Show the answer now"))
    shown = await teacher.look(WidgetState(id=button.id, trigger_value=True))
    charts = [one for one in of_kind(shown, "bidi_component") if one.component_name == "camviz_chart"]
    counted = {row["name"]: row["value"] for row in json.loads(charts[0].json)["rows"] if row["value"]}
    if counted != Counter(choice for _, choice in sent.values()):
        log.wrong.append(f"the wall counts {counted}")


async def lesson(people: int, questions: int) -> Log:
    """Run a server, a room and its questions."""
    log = Log()
    async with Server() as server, contextlib.AsyncExitStack() as open_pages:
        teacher = await open_pages.enter_async_context(Visitor(server.port))
        await teacher.open("room")
        (metric,) = of_kind(await teacher.press("Open a room"), "metric")
        students = []
        for number in range(people):
            seat = await open_pages.enter_async_context(Visitor(server.port))
            await seat.open("room", room=metric.body)
            code, name = of_kind(seat.visit.shown(), "text_input")
            typed = [WidgetState(id=code.id, string_value=metric.body)]
            await seat.press("Enter", *typed, WidgetState(id=name.id, string_value=f"student {number}"))
            seat.states = []
            students.append(seat)
        for _ in range(questions):
            asked, sent = asyncio.Event(), dict[int, tuple[float, str]]()
            await teacher.press("Ask the class")
            asked.set()
            work = [student(seat, number, asked, sent, log) for number, seat in enumerate(students)]
            await asyncio.gather(wall(teacher, people, sent, log), *work)
            log.memory.append(server.memory())
            await teacher.open("room")
        await teacher.press("End the room")
        late = await open_pages.enter_async_context(Visitor(server.port))
        await late.open("room", room=metric.body)
        code, name = of_kind(late.visit.shown(), "text_input")
        typed = [WidgetState(id=code.id, string_value=metric.body), WidgetState(id=name.id, string_value="late")]
        if "There is no room" not in words(await late.press("Enter", *typed)):
            log.wrong.append("the room is still there")
    return log


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--questions", type=int, default=5)
    given = parser.parse_args()
    log = asyncio.run(lesson(given.people, given.questions))
    print("| what | times | median | longest |\n|---|---|---|---|")
    for name, seconds in (
        ("a look at the room", log.looks),
        ("a vote", log.votes),
        ("until the wall shows it", log.late),
    ):
        if seconds:
            print(f"| {name} | {len(seconds)} | {statistics.median(seconds):.2f} s | {max(seconds):.2f} s |")
    print(f"\nMemory after each question: {', '.join(f'{one:.0f}' for one in log.memory)} MB. Wrong: {len(log.wrong)}.")
    print(*log.wrong[:5], sep="\n")
    sys.exit(bool(log.wrong or max(log.late, default=LATEST) > LATEST))


if __name__ == "__main__":
    main()
