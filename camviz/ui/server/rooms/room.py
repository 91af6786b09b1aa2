"""One room: its people, the current question, the answers."""

import random
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....edits import unpack
from ....errors import RoomError
from ....messages import Message
from ....stage.stage_map import StageMap
from .records import LONGEST_NAME, LONGEST_TEXT, Answer, GuessLike, Picture, Question, empty_sum, number, plain_text
from .shared_heads import MODELS, Shared, SharedHead
from .views import Asked, Lesson, Person, Student, Wall

PEOPLE = 60
EARLIER = 30  # questions of the teacher whose answers are kept
LESSON_QUESTIONS = 100  # of lessons in one room, whose guesses are kept
BYTES = 2**22  # of one room: the current image and the answers
ANSWER = 200  # bytes of an answer besides its text
NOTHING = Picture(b"", (1, 1), StageMap(np.zeros((1, 1), np.float32), 0.0), None, "")  # the image of earlier questions
FULL = Message("the memory of this room is full: its teacher can open another room")
AWAY = 15.0  # seconds after the last run of a page, at which a student counts as away


@dataclass
class Member:
    """A student in a room."""

    name: str
    page: str = ""
    lesson: int | None = None
    seen: float = 0.0


@dataclass
class Poll:
    """The answers to one question by the member's token: the last one of each counts."""

    answers: dict[str, Answer] = field(default_factory=dict)
    regions: NDArray[np.int32] = field(default_factory=empty_sum)
    bytes: int = 0

    def put(self, token: str, answer: Answer, is_region: bool, spare: int) -> None:
        """Accept an answer, which replaces an earlier one. Raises RoomError if it needs more than `spare` bytes."""
        before = self.answers.get(token)
        more = _size(answer) - (0 if before is None else _size(before))
        if more > spare:
            raise RoomError(FULL.template)
        self._add(before, is_region, -1)
        self._add(answer, is_region, 1)
        self.answers[token] = answer
        self.bytes += more

    def drop(self, token: str, is_region: bool) -> None:
        """Drop the answer of a member who is removed."""
        before = self.answers.pop(token, None)
        self._add(before, is_region, -1)
        self.bytes -= 0 if before is None else _size(before)

    def _add(self, answer: Answer | None, is_region: bool, sign: int) -> None:
        if answer is not None and is_region:
            self.regions += sign * answer.mask


class Room:
    """A room; `Rooms` calls it under its lock, with the current time."""

    def __init__(self, code: str, invitation: str, now: float, rng: random.Random) -> None:
        self.code, self.invitation, self.opened, self.seen = code, invitation, now, now
        self.members: dict[str, Member] = {}
        self.link, self.link_number = "", 0
        self._question: Question | None = None
        self._number, self._open, self._asked = 0, False, now
        self._poll = Poll()
        self._maps: dict[str, bool] = {}  # who sees the heatmap of the current question
        self._earlier: list[tuple[Question, Poll]] = []  # without their pictures
        self._lessons: dict[tuple[int, str, str], Poll] = {}
        self._heads: dict[str, SharedHead] = {}  # by the token of who shares it
        self._rng = rng

    def bytes(self) -> int:
        """Return how much memory the room takes."""
        picture = self._question.picture.bytes if self._question else 0
        return picture + self._poll.bytes + self._kept_bytes() + sum(head.bytes for head in self._heads.values())

    def _kept_bytes(self) -> int:
        kept = (*self._lessons.values(), *(poll for _, poll in self._earlier))
        return sum(poll.bytes for poll in kept)

    def enter(self, token: str, nickname: str, now: float) -> None:
        """Add a student."""
        name = plain_text(nickname, LONGEST_NAME, Message("a nickname"))
        if len(self.members) >= PEOPLE:
            raise RoomError(
                "the room {code} is full: it has {count} people; wait until somebody leaves",
                code=self.code,
                count=PEOPLE,
            )
        if name.casefold() in (member.name.casefold() for member in self.members.values()):
            raise RoomError("the nickname '{name}' is taken in this room: choose another one", name=name)
        self.members[token] = Member(name, "room", None, now)

    def ask(self, question: Question, now: float) -> None:
        """Ask a question, which replaces the current one."""
        if self._kept_bytes() + question.picture.bytes > BYTES // 2:
            raise RoomError("the image of the question is too large: choose another one")
        self.clear()
        self._question, self._open, self._asked = question, True, now
        self._number += 1
        self._poll, self._maps = Poll(), {}

    def show(self) -> None:
        """Show the answer to the current question; no more answers are accepted."""
        self._open = False

    def clear(self) -> None:
        """Remove the current question."""
        if self._question is not None and self._poll.answers:
            self._earlier = [*self._earlier, (replace(self._question, picture=NOTHING), self._poll)][-EARLIER:]
        self._question, self._open, self._poll, self._maps = None, False, Poll(), {}

    def send_to(self, link: str) -> None:
        """Show a link to all students."""
        self.link, self.link_number = link, self.link_number + 1

    def remove(self, name: str) -> str | None:
        """Remove a student and the student's answers; return the student's token."""
        token = next((token for token, member in self.members.items() if member.name == name), None)
        if token is not None:
            self.leave(token)
        return token

    def leave(self, token: str) -> None:
        """Remove a student with all answers."""
        self._poll.drop(token, self._is_region())
        for (_, _, kind), poll in self._lessons.items():
            poll.drop(token, kind == "region")
        self._lessons = {key: poll for key, poll in self._lessons.items() if poll.answers}
        for question, poll in self._earlier:
            poll.drop(token, question.kind == "region")
        self._heads.pop(token, None)
        del self.members[token]

    def answer(self, token: str, number_of_question: int, value: Any, now: float) -> None:
        """Accept a student's answer to the current question."""
        question = self._question
        if question is None or not self._open or number_of_question != self._number:
            raise RoomError("this question is closed: wait for the next one")
        given = question.answer(value, self._sees_map(token), now - self._asked)
        self._poll.put(token, given, self._is_region(), BYTES - self.bytes())

    def guess(self, token: str, guess: GuessLike) -> None:
        """Accept a student's guess at a question of a lesson."""
        text = plain_text(guess.question, LONGEST_TEXT * 4, Message("a question"))
        key = int(guess.lesson), text, str(guess.kind)
        if key not in self._lessons and len(self._lessons) >= LESSON_QUESTIONS:
            raise RoomError(
                "this room has guesses at {count} questions of lessons already: its teacher can open another room",
                count=LESSON_QUESTIONS,
            )
        is_region = key[2] == "region"
        if is_region:
            unpack(guess.value)
            value: str | float = guess.value
        elif key[2] == "number":
            value = number(guess.value)
        else:
            value = plain_text(guess.value, LONGEST_TEXT * 4, Message("an answer"))
        answer = Answer(value, bool(guess.with_map), guess.correct, number(guess.seconds))
        poll = self._lessons.get(key, Poll())
        poll.put(token, answer, is_region, BYTES - self.bytes() - ANSWER)
        self._lessons[key] = poll

    def share(self, token: str, head: SharedHead) -> None:
        """Share a trained layer with all people in the room; it replaces an earlier one of the same person."""
        if token not in self._heads and len(self._heads) >= MODELS:
            raise RoomError(
                "this room has {count} models already: ask a person who shares one to leave, or open another room",
                count=MODELS,
            )
        if self.bytes() + head.bytes > BYTES:
            raise RoomError(FULL.template)
        self._heads[token] = head

    def shared(self) -> tuple[Shared, ...]:
        """Return the shared layers, in the order in which they were shared."""
        names = {token: member.name for token, member in self.members.items()}
        return tuple(Shared(head, names.get(token, "")) for token, head in self._heads.items())

    def student(self, token: str) -> Student:
        """Return what a student sees."""
        shown = self._question is not None and not self._open
        poll = self._poll if shown else Poll()
        return Student(
            code=self.code,
            name=self.members[token].name,
            number=self._number,
            question=self._question,
            open=self._open,
            with_map=self._sees_map(token) if self._question else False,
            own=self._poll.answers.get(token),
            answers=tuple(poll.answers.values()),
            regions=poll.regions.copy(),
            link=self.link,
            link_number=self.link_number,
        )

    def wall(self, now: float, seconds_left: float) -> Wall:
        """Return what the teacher sees."""
        asked = [*self._earlier, *([(self._question, self._poll)] if self._question else [])]
        lessons = sorted(self._lessons.items(), key=lambda one: one[0][0])
        return Wall(
            code=self.code,
            invitation=self.invitation,
            seconds_left=seconds_left,
            people=tuple(
                Person(one.name, one.page, one.lesson, now - one.seen <= AWAY, token in self._poll.answers)
                for token, one in self.members.items()
            ),
            number=self._number,
            question=self._question,
            open=self._open,
            answers=tuple(self._poll.answers.values()),
            regions=self._poll.regions.copy(),
            link=self.link,
            lessons=tuple(Lesson(*key, tuple(poll.answers.values()), poll.regions.copy()) for key, poll in lessons),
            asked=tuple(Asked(one.text, one.kind, one.predicted, tuple(poll.answers.values())) for one, poll in asked),
        )

    def _is_region(self) -> bool:
        return self._question is not None and self._question.kind == "region"

    def _sees_map(self, token: str) -> bool:
        """Return whether a student sees the heatmap; a new student joins the smaller half, or a random one."""
        assert self._question is not None
        if self._question.maps != "half":
            return self._question.maps == "everybody"
        if token not in self._maps:
            with_map = sum(self._maps.values())
            without = len(self._maps) - with_map
            self._maps[token] = self._rng.random() < 0.5 if with_map == without else with_map < without
        return self._maps[token]


def _size(answer: Answer) -> int:
    return ANSWER + (len(answer.value) if isinstance(answer.value, str) else 0)
