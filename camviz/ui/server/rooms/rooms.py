"""The rooms of this process, found by the secret tokens of the people inside."""

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ....errors import RoomEndedError, RoomError
from ....messages import Message
from ..singletons import process_singleton
from .attempts import PerMinute, WrongCodes
from .records import LONGEST_TEXT, GuessLike, Question, Seat, plain_text
from .room import Room
from .shared_heads import Shared, SharedHead
from .views import Student, Wall

ROOMS = 50
LIFETIME = 2 * 60 * 60.0  # seconds from the opening of a room to its end
IDLE = 30 * 60.0  # seconds without activity, after which a room ends
LETTERS = "ABCDEFGHJKLMNPQRTUVWXY"  # I, O, S and Z look like digits
WRONG_CODES, OPENINGS = 30, 10  # of all visitors together, a minute


class Rooms:
    """All rooms. Every function takes the token of a seat, except `open` and `enter`, which return one.

    The functions of a teacher refuse the token of a student. `visitor` identifies a visitor who tries codes.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, rng: random.Random | None = None) -> None:
        self._clock, self._rng = clock, rng or random.SystemRandom()
        self._rooms: dict[str, Room] = {}  # by code
        self._teachers: dict[str, Room] = {}  # by token
        self._students: dict[str, Room] = {}  # by token
        self._wrong, self._wrong_of_all, self._openings = WrongCodes(), PerMinute(WRONG_CODES), PerMinute(OPENINGS)
        self._lock = threading.Lock()

    def open(self) -> Seat:
        """Open a room; return its teacher's seat."""
        with self._now() as now:
            if len(self._rooms) >= ROOMS:
                raise RoomError("all {count} rooms of this server are in use: try again later", count=ROOMS)
            if wait := self._openings.wait(now):
                raise RoomError("too many rooms were opened in the last minute: try again in {seconds} s", seconds=wait)
            self._openings.count(now)
            code = next(code for code in iter(self._code, None) if code not in self._rooms)
            room = Room(code, secrets.token_urlsafe(8), now, self._rng)
            token = secrets.token_urlsafe(16)
            self._rooms[code] = self._teachers[token] = room
        return Seat(code, token, True)

    def enter(self, code: str, nickname: str, visitor: str, invitation: str = "") -> Seat:
        """Enter a room by its code; return a student's seat.

        Wrong codes are counted, and no code is tried during the delay after them. The invitation of a room, a long
        secret in its QR code, is always tried.
        """
        code = str(code).strip().upper()
        with self._now() as now:
            room = self._rooms.get(code)
            invited = room is not None and secrets.compare_digest(room.invitation.encode(), str(invitation).encode())
            if not invited:
                self._wrong.check(visitor, now)
                if wait := self._wrong_of_all.wait(now):
                    raise RoomError(
                        "too many wrong codes were tried on this server: try again in {seconds} s, or scan the QR code",
                        seconds=wait,
                    )
            if room is None:
                self._wrong.count(visitor, now)
                self._wrong_of_all.count(now)
                raise RoomError(
                    "there is no room '{code}': a code has four letters, and a room ends after two hours; ask your "
                    "teacher for the code",
                    code=code[:10],
                )
            token = secrets.token_urlsafe(16)
            room.enter(token, nickname, now)
            self._wrong.forget(visitor)
            self._students[token] = room
        return Seat(room.code, token, False)

    def has(self, token: str) -> bool:
        """Return whether this is the seat of somebody in a room."""
        with self._now():
            return token in self._teachers or token in self._students

    def wall(self, teacher: str) -> Wall:
        """Return what a teacher sees."""
        with self._of_teacher(teacher) as (room, now):
            return room.wall(now, room.opened + LIFETIME - now)

    def ask(self, teacher: str, question: Question) -> None:
        """Ask the class a question."""
        with self._of_teacher(teacher) as (room, now):
            room.ask(question, now)

    def show(self, teacher: str) -> None:
        """Show the class the answer to the current question."""
        with self._of_teacher(teacher) as (room, _):
            room.show()

    def clear(self, teacher: str) -> None:
        """Remove the current question."""
        with self._of_teacher(teacher) as (room, _):
            room.clear()

    def send_to(self, teacher: str, link: str) -> None:
        """Show the class a link: the path and the settings of a page of this dashboard. "" removes it."""
        with self._of_teacher(teacher) as (room, _):
            room.send_to(plain_text(link, LONGEST_TEXT * 8, Message("a link")) if link else "")

    def remove(self, teacher: str, name: str) -> None:
        """Remove a student with all answers."""
        with self._of_teacher(teacher) as (room, _):
            self._students.pop(room.remove(name) or "", None)

    def end(self, teacher: str) -> None:
        """End a room, and forget everything in it."""
        with self._of_teacher(teacher) as (room, _):
            self._drop(room)

    def student(self, student: str) -> Student:
        """Return what a student sees."""
        with self._of_student(student) as (room, _):
            return room.student(student)

    def answer(self, student: str, number: int, value: Any) -> None:
        """Answer the current question, which has this number. A second answer replaces the first."""
        with self._of_student(student) as (room, now):
            room.answer(student, number, value, now)

    def guess(self, student: str, guess: GuessLike) -> None:
        """Give the room a guess at a question of a lesson. A second guess replaces the first."""
        with self._of_student(student) as (room, _):
            room.guess(student, guess)

    def share(self, token: str, head: SharedHead) -> None:
        """Share a trained layer in the room of a student or a teacher; it replaces that person's earlier one."""
        with self._of_anybody(token) as room:
            room.share(token, head)

    def shared(self, token: str) -> tuple[Shared, ...]:
        """Return the layers that are shared in the room of a student or a teacher."""
        with self._of_anybody(token) as room:
            return room.shared()

    def be_at(self, student: str, page: str, lesson: int | None) -> None:
        """Store which page a student has open."""
        with self._of_student(student) as (room, now):
            member = room.members[student]
            member.page, member.lesson, member.seen = str(page)[:30], lesson, now

    def leave(self, student: str) -> None:
        """Leave a room; the answers are dropped."""
        with self._of_student(student) as (room, _):
            room.leave(student)
            del self._students[student]

    def _code(self) -> str:
        return "".join(self._rng.choice(LETTERS) for _ in range(4))

    @contextmanager
    def _now(self) -> Iterator[float]:
        with self._lock:
            now = self._clock()
            for room in list(self._rooms.values()):
                if now - room.opened > LIFETIME or now - room.seen > IDLE:
                    self._drop(room)
            yield now

    @contextmanager
    def _of_teacher(self, token: str) -> Iterator[tuple[Room, float]]:
        with self._now() as now:
            if token in self._students:
                raise RoomError("only the teacher who opened this room can do this")
            yield self._inside(self._teachers, token, now), now

    @contextmanager
    def _of_student(self, token: str) -> Iterator[tuple[Room, float]]:
        with self._now() as now:
            yield self._inside(self._students, token, now), now

    @contextmanager
    def _of_anybody(self, token: str) -> Iterator[Room]:
        with self._now() as now:
            yield self._inside(self._teachers if token in self._teachers else self._students, token, now)

    @staticmethod
    def _inside(seats: dict[str, Room], token: str, now: float) -> Room:
        room = seats.get(token)
        if room is None:
            raise RoomEndedError("this room has ended, or you were removed from it: enter or open another room")
        room.seen = now
        return room

    def _drop(self, room: Room) -> None:
        del self._rooms[room.code]
        for seats in (self._teachers, self._students):
            for token in [token for token, other in seats.items() if other is room]:
                del seats[token]


@process_singleton
def rooms() -> Rooms:
    """Return the rooms of this server."""
    return Rooms()
