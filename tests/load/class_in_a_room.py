"""`python -m tests.load.class_in_a_room`: measure a teacher and thirty students in one room; print a Markdown table.

Each client is a separate session. In each round a student works through a lesson on Learn (a region that is marked,
or a choice), votes on a question of the teacher, and draws on an image of Explain. The teacher's wall looks at the room
all the time. What each student is told is compared with what a single user is told, and what the wall counts with what
was sent.
"""

import argparse
import asyncio
import contextlib
import random
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from streamlit.proto.WidgetStates_pb2 import WidgetState

from camviz.teaching.lessons import lessons
from tests.load.load import LONGEST, SAMPLES, Server
from tests.load.painting import Painter
from tests.load.room_clients import Visitor, bars_of, counts_of, of_kind, words
from tests.load.room_truth import expected_feedback, region_of

ROUNDS = (1, 2, 3, 4, 8)  # the lessons of the rounds
PERIOD, WALL = 2.0, 1.5  # seconds between two looks of a student and of the wall
LATEST = 3.0  # seconds until the wall shows a guess or a vote
THINKING = 6.0  # seconds, at most
SAME = 1e-3  # by which the change of a probability may differ from a single user's

Sent = dict[int, tuple[float, str]]  # by student: when, and what


@dataclass
class Log:
    """Measured times and memory, and wrong results."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    late: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)

    def took(self, what: str, started: float) -> None:
        """Add a duration."""
        self.seconds.setdefault(what, []).append(time.perf_counter() - started)

    def check(self, holds: bool, sentence: str) -> None:
        """Record a wrong result."""
        if not holds:
            self.wrong.append(sentence)


@dataclass
class Student:
    """A student: number, session, and the drawing on Explain."""

    number: int
    seat: Visitor
    painter: Painter

    async def guess(self, lesson: int, sent: Sent, log: Log) -> None:
        """Open a lesson, guess, and compare the page's result with that of a single user."""
        rng = random.Random(100 * lesson + self.number)
        started = time.perf_counter()
        await self.seat.open("learn", lesson=str(lesson))
        log.took("open a lesson", started)
        await asyncio.sleep(rng.random() * THINKING)
        prompt = lessons()[lesson - 1].prompts[0]
        if prompt.kind == "region":
            value = region_of(lesson, self.number)
            state = self.seat.drawn(value)
        else:
            value = rng.choice(prompt.options)
            (radio,) = (one for one in of_kind(self.seat.visit.shown(), "radio") if one.label == prompt.text)
            state = WidgetState(id=radio.id, string_value=value)
        started = time.perf_counter()
        await self.seat.give(state)
        log.took("mark a region, or choose", started)
        started = time.perf_counter()
        sent[self.number] = time.monotonic(), value  # as early as the wall can count it
        text = words(await self.seat.press("Check my guess"))
        log.took("check a guess", started)
        sent[self.number] = time.monotonic(), value
        self.seat.states = []
        text = text.replace("\\", "")
        missing = [one for one in expected_feedback(lesson, value) if not re.search(one, text)]
        log.check(not missing, f"student {self.number}, lesson {lesson}: {missing} is missing: {text[-400:]}")

    async def vote(self, question_is_open: asyncio.Event, sent: Sent, log: Log) -> None:
        """Refresh the room until there is a question, vote, and refresh until the answer is shown."""
        rng = random.Random(self.number)
        await self.seat.open("room")
        vote: list[WidgetState] = []
        while True:
            started = time.perf_counter()
            shown = await self.seat.refresh(*vote)
            log.took("refresh the room", started)
            radios, text = of_kind(shown, "radio"), words(shown)
            if radios and not vote and question_is_open.is_set():
                await asyncio.sleep(rng.random() * THINKING)
                choice = rng.choice(radios[0].options)
                vote = [WidgetState(id=radios[0].id, string_value=choice)]
                sent[self.number] = time.monotonic(), choice
                started = time.perf_counter()
                taken = "Your answer was sent" in words(await self.seat.refresh(*vote))
                log.took("vote", started)
                log.check(taken, f"student {self.number}: the vote was not taken")
            if "Your answer was right" in text or "Your answer was wrong" in text:
                right = sent[self.number][1].endswith("espresso")
                own_result = ("Your answer was right" in text) is right
                log.check(own_result, f"student {self.number} was told the result of somebody else")
                return
            await asyncio.sleep(PERIOD)

    async def paint(self, log: Log) -> None:
        """Open an image in Explain, and draw on it."""
        started = time.perf_counter()
        await self.seat.open("", img=f"sample:{SAMPLES[self.number % len(SAMPLES)]}", method="grad_cam")
        log.took("open an image", started)
        before = len(self.painter.seconds)
        await self.painter.paint()
        log.seconds.setdefault("a stroke", []).extend(self.painter.seconds[before:])
        far = max(self.painter.wrong[before:])
        log.check(far < SAME, f"student {self.number}: an answer is {far:.1e} from the single user's")


async def watch(teacher: Visitor, read: Callable[[str], int], count: int, sent: Sent, log: Log) -> list[Any]:
    """Refresh the wall until it counts everybody; return what it shows then."""
    seen: dict[int, float] = {}
    begun = time.monotonic()
    while True:
        started = time.perf_counter()
        shown = await teacher.refresh()
        log.took("refresh the wall", started)
        for number in range(read(words(shown)) + 1):
            seen.setdefault(number, time.monotonic())
        if count in seen:
            break
        if time.monotonic() - begun > LONGEST:
            raise TimeoutError(f"the wall has {max(seen)} of {count}: {words(shown)[:600]} {log.wrong[:2]}")
        await asyncio.sleep(WALL)
    moments = sorted(moment for moment, _ in sent.values())
    log.late += [max(0.0, seen[place + 1] - moment) for place, moment in enumerate(moments)]
    return shown


async def one_round(teacher: Visitor, students: list[Student], lesson: int, log: Log) -> None:
    """Work through a lesson, vote, and draw."""
    count = len(students)
    await teacher.open("room")
    prompt = lessons()[lesson - 1].prompts[0]
    guesses: Sent = {}

    def guessed(text: str) -> int:
        found = re.search(rf"Lesson {lesson}: {re.escape(prompt.text)} Guesses: (\d+)", text.replace("\\", ""))
        return int(found[1]) if found else 0

    work = [one.guess(lesson, guesses, log) for one in students]
    await asyncio.gather(watch(teacher, guessed, count, guesses, log), *work)
    given = [value for _, value in guesses.values()]
    wall = await teacher.refresh(teacher.opened("Show the guesses"))  # of this lesson: it has the largest number yet
    await teacher.refresh(teacher.opened("Show the guesses", False))
    if prompt.kind == "region":
        log.check(
            counts_of(wall) == counts_of(given), f"lesson {lesson}: the wall's regions are not those of the class"
        )
    else:
        log.check(bars_of(wall) == Counter(given), f"lesson {lesson}: the wall counts {bars_of(wall)}")

    question_is_open, votes = asyncio.Event(), Sent()
    await teacher.press("Ask the class")
    question_is_open.set()

    def answered(text: str) -> int:
        found = re.search(rf"(\d+) of {count} have answered", text)
        return int(found[1]) if found else 0

    async def ask() -> None:
        wall = await watch(teacher, answered, count, votes, log)
        wall = await teacher.refresh(teacher.clicked("Show the answer now", wall))
        counted = bars_of(wall)
        log.check(counted == Counter(choice for _, choice in votes.values()), f"the wall counts {counted}")

    await asyncio.gather(ask(), *(one.vote(question_is_open, votes, log) for one in students))
    await teacher.refresh(teacher.clicked("Remove the question", await teacher.refresh()))
    await asyncio.gather(*(one.paint(log) for one in students))


async def whole_lesson(people: int, rounds: tuple[int, ...], strokes: int) -> Log:
    """Run a server, a room and its rounds."""
    log = Log()
    async with Server() as server, contextlib.AsyncExitStack() as open_pages:
        teacher = await open_pages.enter_async_context(Visitor(server.port))
        await teacher.open("room")
        (metric,) = of_kind(await teacher.press("Open a room"), "metric")
        students = []
        for number in range(people):
            seat = await open_pages.enter_async_context(Visitor(server.port))
            painter = await Painter.prepared(seat, number, strokes)
            await seat.enter(metric.body, f"student {number}")
            students.append(Student(number, seat, painter))
            for lesson in rounds:  # computed now, so that nobody waits for it later
                if lessons()[lesson - 1].prompts[0].kind == "region":
                    expected_feedback(lesson, region_of(lesson, number))
        for lesson in rounds:
            await one_round(teacher, students, lesson, log)
            log.memory.append(server.memory())
            await teacher.open("room")
        await teacher.press("End the room")
        late = await open_pages.enter_async_context(Visitor(server.port))
        log.check("There is no room" in await late.enter(metric.body, "late"), "the room is still there")
        await students[0].seat.open("room")
        text = words(students[0].seat.visit.shown())
        log.check("Enter a room" in text, "a student is still in the room")
    return log


def main() -> None:
    """Measure and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=30)
    parser.add_argument("--lessons", type=int, nargs="+", default=ROUNDS, help="in ascending order")
    parser.add_argument("--strokes", type=int, default=10)
    given = parser.parse_args()
    torch.set_num_threads(1)  # what is computed here to compare with takes little from the server
    log = asyncio.run(whole_lesson(given.people, tuple(given.lessons), given.strokes))
    print("| what | times | median | 95% under | longest |\n|---|---|---|---|---|")
    for name, taken in {**log.seconds, "from a guess or a vote to the wall": log.late}.items():
        high = statistics.quantiles(taken, n=20)[-1] if len(taken) > 1 else taken[0]
        print(f"| {name} | {len(taken)} | {statistics.median(taken):.2f} s | {high:.2f} s | {max(taken):.2f} s |")
    print(f"\nMemory after each round: {', '.join(f'{one:.0f}' for one in log.memory)} MB. Wrong: {len(log.wrong)}.")
    print(*log.wrong[:5], sep="\n")
    sys.exit(bool(log.wrong or max(log.late, default=LATEST) > LATEST))


if __name__ == "__main__":
    main()
