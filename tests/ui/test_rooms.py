"""Rooms: access, permissions, stored answers, limits and lifetime."""

import random
import re
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from camviz import CamvizError, edits
from camviz.errors import RoomEndedError, RoomError
from camviz.stage.stage_map import StageMap
from camviz.teaching.shares import Difference, Share
from camviz.ui.room import answers_file
from camviz.ui.server.rooms import Picture, Question, Rooms, Seat, SharedHead
from camviz.ui.server.rooms.attempts import FREE
from camviz.ui.server.rooms.room import BYTES, LESSON_QUESTIONS, PEOPLE
from camviz.ui.server.rooms.rooms import IDLE, LIFETIME, OPENINGS, ROOMS, WRONG_CODES
from camviz.ui.server.rooms.shared_heads import MODELS

LEFT = np.zeros((56, 56), bool)
LEFT[:, :14] = True
TOP = np.zeros((56, 56), bool)
TOP[:28] = True


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rooms(clock: Clock) -> Rooms:
    return Rooms(clock, random.Random(0))


def question(kind: Any = "choice", **more: Any) -> Question:
    mass = np.full((56, 56), 0.25 / (56 * 42), np.float32)
    mass[:, :14] = 0.75 / (56 * 14)  # three quarters of the heatmap lie in the left quarter
    picture = Picture(b"jpeg", (224, 224), StageMap(np.ones((7, 7), np.float32), 1.0), mass, "Grad-CAM")
    correct = {"choice": "koala", "number": 61.0}.get(kind)
    return Question(kind, "Which?", picture, "koala", "61%", ("koala", "macaw", "cat"), correct, **more)


def with_students(rooms: Rooms, count: int) -> tuple[Seat, list[Seat]]:
    teacher = rooms.open()
    return teacher, [rooms.enter(teacher.code, f"student {one}", f"visitor {one}") for one in range(count)]


def test_code_and_tokens_give_access_to_a_room(rooms: Rooms) -> None:
    teacher, (ada, ben) = with_students(rooms, 2)
    assert re.fullmatch("[A-HJ-NP-RT-Y]{4}", teacher.code) and rooms.enter(teacher.code.lower(), "Cy", "c").code
    assert len({teacher.token, ada.token, ben.token}) == 3 and min(len(one.token) for one in (teacher, ada)) == 22
    assert [one.name for one in rooms.wall(teacher.token).people] == ["student 0", "student 1", "Cy"]
    for call in (rooms.wall, rooms.show, rooms.clear, rooms.end):
        with pytest.raises(RoomError, match="only the teacher"):
            call(ada.token)
        with pytest.raises(RoomEndedError, match="enter or open another one"):
            call("guessed")
    for more in ((rooms.ask, question()), (rooms.send_to, "explain"), (rooms.remove, "student 1")):
        with pytest.raises(RoomError, match="only the teacher"):
            more[0](ada.token, more[1])  # type: ignore[operator]
    with pytest.raises(RoomEndedError):
        rooms.student(teacher.token)
    rooms.remove(teacher.token, "student 1")
    with pytest.raises(RoomEndedError, match="you were removed"):
        rooms.student(ben.token)
    rooms.leave(ada.token)
    assert [one.name for one in rooms.wall(teacher.token).people] == ["Cy"]
    rooms.end(teacher.token)
    assert not (rooms._rooms or rooms._teachers or rooms._students)


def test_nicknames_are_short_and_unique(rooms: Rooms) -> None:
    teacher = rooms.open()
    rooms.enter(teacher.code, "  Ada \n\u202e\x00 <b>x</b> ", "a")
    assert [one.name for one in rooms.wall(teacher.token).people] == ["Ada <b>x</b>"]  # a page escapes it
    for name, sentence in (("ada  <B>x</B>", "is taken"), ("", "1 to 20"), ("\u200b", "1 to 20"), ("x" * 21, "got 21")):
        with pytest.raises(RoomError, match=sentence):
            rooms.enter(teacher.code, name, "b")
    with pytest.raises(RoomError, match="got 10000000"):
        rooms.enter(teacher.code, "x" * 10**7, "b")
    assert len(rooms._students) == 1


def test_trying_codes_is_limited(rooms: Rooms, clock: Clock) -> None:
    teacher = rooms.open()
    for _ in range(FREE):
        with pytest.raises(RoomError, match="there is no room 'AAAA'"):
            rooms.enter("aaaa", "Eve", "eve")
    for wait in (2, 4, 8):  # seconds, after each wrong code
        with pytest.raises(RoomError, match="there is no room"):
            rooms.enter("AAAA", "Eve", "eve")
        with pytest.raises(RoomError, match=f"try again in {wait} s"):
            rooms.enter(teacher.code, "Eve", "eve")
        clock.now += wait
    for other in range(WRONG_CODES - FREE - 3):
        with pytest.raises(RoomError, match="there is no room"):
            rooms.enter("AAAA", "Eve", f"session {other}")
    with pytest.raises(RoomError, match="on this server: try again in 46 s, or scan the QR code"):
        rooms.enter(teacher.code, "Eve", "a new session")
    invitation = rooms.wall(teacher.token).invitation
    assert rooms.enter(teacher.code, "Ada", "ada", invitation).code == teacher.code
    clock.now += 46
    assert rooms.enter(teacher.code, "Ben", "ben").code == teacher.code


def test_rooms_and_people_are_limited(rooms: Rooms, clock: Clock) -> None:
    teacher, _ = with_students(rooms, PEOPLE)
    with pytest.raises(RoomError, match=f"is full: it has {PEOPLE} people"):
        rooms.enter(teacher.code, "late", "late")
    for _ in range(OPENINGS - 1):
        rooms.open()
    with pytest.raises(RoomError, match="try again in 60 s"):
        rooms.open()
    clock.now += 60
    while len(rooms._rooms) < ROOMS:
        clock.now += 7
        rooms.open()
    clock.now += 60
    with pytest.raises(RoomError, match=f"{ROOMS} rooms"):
        rooms.open()
    clock.now += IDLE + 1
    assert rooms.open() and len(rooms._rooms) == 1  # nobody was inside for half an hour


def test_room_ends_after_two_hours(rooms: Rooms, clock: Clock) -> None:
    teacher, (ada,) = with_students(rooms, 1)
    for _ in range(8):
        assert rooms.student(ada.token).name == "student 0"
        clock.now += LIFETIME / 8
    assert rooms.wall(teacher.token).seconds_left == 0
    clock.now += 1
    for call, seat in ((rooms.wall, teacher), (rooms.student, ada)):
        with pytest.raises(RoomEndedError):
            call(seat.token)  # type: ignore[operator]
    assert not (rooms._rooms or rooms._teachers or rooms._students)


def test_last_answer_counts_and_is_shown_by_the_teacher(rooms: Rooms) -> None:
    teacher, (ada, ben) = with_students(rooms, 2)
    rooms.ask(teacher.token, question())
    for value in ("macaw", "koala", "koala"):
        rooms.answer(ada.token, 1, value)
    rooms.answer(ben.token, 1, "cat")
    wall = rooms.wall(teacher.token)
    assert [(one.value, one.right) for one in wall.answers] == [("koala", True), ("cat", False)]
    assert [one.answered for one in wall.people] == [True, True]
    student = rooms.student(ben.token)
    assert student.own == wall.answers[1] and student.answers == () and student.open
    for value in ("dog", 3, None, "x" * 10_000):
        with pytest.raises(RoomError, match="is not one of the choices"):
            rooms.answer(ben.token, 1, value)
    rooms.show(teacher.token)
    assert rooms.student(ben.token).answers == wall.answers
    for number in (0, 1, 2):
        with pytest.raises(RoomError, match="this question is closed"):
            rooms.answer(ben.token, number, "koala")
    rooms.ask(teacher.token, question("number"))
    for value, right in ((51.0, True), (72, False)):
        rooms.answer(ada.token, 2, value)
        assert rooms.student(ada.token).own.right is right  # type: ignore[union-attr]
    for value in (float("nan"), float("inf"), "61", True, None):
        with pytest.raises(RoomError, match="is not a number"):
            rooms.answer(ada.token, 2, value)
    rooms.clear(teacher.token)
    assert rooms.wall(teacher.token).question is None and rooms.wall(teacher.token).answers == ()


def test_regions_are_summed_and_scored(rooms: Rooms) -> None:
    teacher, (ada, ben) = with_students(rooms, 2)
    rooms.ask(teacher.token, question("region"))
    rooms.answer(ada.token, 1, edits.pack(TOP))
    rooms.answer(ada.token, 1, edits.pack(LEFT))
    rooms.answer(ben.token, 1, edits.pack(TOP))
    wall = rooms.wall(teacher.token)
    assert (wall.regions == LEFT.astype(int) + TOP).all()
    assert [(one.score, one.area) for one in wall.answers] == [pytest.approx((0.75, 0.25)), pytest.approx((0.5, 0.5))]
    for mask in ("A" * 561, "A" * 10**6, "", "<b>", 7, edits.pack(LEFT) + "A"):
        with pytest.raises(CamvizError, match="is no mask of 56 x 56 cells"):
            rooms.answer(ada.token, 1, mask)
    rooms.remove(teacher.token, "student 0")
    assert (rooms.wall(teacher.token).regions == TOP).all()


def test_half_of_the_class_sees_the_heatmap(rooms: Rooms) -> None:
    teacher, students = with_students(rooms, 30)
    rooms.ask(teacher.token, question(maps="half"))
    first = [rooms.student(one.token).with_map for one in students]
    assert sum(first) == 15 and first != [True, False] * 15  # by lot
    assert first == [rooms.student(one.token).with_map for one in students]
    for number, one in enumerate(students):
        rooms.answer(one.token, 1, "koala" if number % 3 else "cat")
    answers = rooms.wall(teacher.token).answers
    assert [one.with_map for one in answers] == first
    rooms.ask(teacher.token, question(maps="everybody"))
    assert all(rooms.student(one.token).with_map for one in students)


def test_thirty_threads_lose_no_vote(rooms: Rooms) -> None:
    teacher, students = with_students(rooms, 30)
    rooms.ask(teacher.token, question("region"))

    def vote(seat: Seat) -> None:
        rng = np.random.default_rng(int(rooms.student(seat.token).name.split()[1]))
        for _ in range(20):
            rooms.answer(seat.token, 1, edits.pack(rng.random((56, 56)) < 0.5))
            rooms.wall(teacher.token)
        rooms.answer(seat.token, 1, edits.pack(LEFT))

    with ThreadPoolExecutor(30) as pool:
        list(pool.map(vote, students))
    wall = rooms.wall(teacher.token)
    assert len(wall.answers) == 30 and (wall.regions == 30 * LEFT).all()


def test_guesses_are_limited_in_number_and_memory(rooms: Rooms) -> None:
    teacher, (ada, ben) = with_students(rooms, 2)

    def guess(lesson: int, value: Any = "A", kind: str = "choice", question: str = "Which?") -> Any:
        return SimpleNamespace(
            lesson=lesson, question=question, kind=kind, value=value, correct=value == "A", seconds=1.0, with_map=False
        )

    for number in range(10_000):
        rooms.guess(ada.token, guess(1, "AB"[number % 2]))
    rooms.guess(ben.token, guess(1))
    (lesson,) = rooms.wall(teacher.token).lessons
    assert [one.value for one in lesson.answers] == ["B", "A"] and lesson.question == "Which?"
    refused = 0
    for number in range(10_000):
        try:
            rooms.guess(ada.token, guess(number, "x" * 1000))
        except RoomError as error:
            refused += 1
            assert str(error) == f"this room takes guesses at {LESSON_QUESTIONS} questions of lessons"
    assert refused == 10_000 - LESSON_QUESTIONS
    room = rooms._teachers[teacher.token]
    assert room.bytes() < BYTES / 10
    rooms.guess(ben.token, guess(5, edits.pack(LEFT), "choice"))
    with pytest.raises(CamvizError, match="1 to 1200"):
        rooms.guess(ben.token, guess(5, "x" * 5000))
    rooms.leave(ada.token)
    assert sum(len(one.answers) for one in rooms.wall(teacher.token).lessons) == 2


def head(classes: int = 2, features: int = 1280, network: str = "efficientnet_lite0") -> SharedHead:
    names = tuple(f"class {one}" for one in range(classes))
    return SharedHead(network, names, np.ones((classes, features), np.float32), np.zeros(classes, np.float32))


def test_models_are_shared_inside_a_room_only(rooms: Rooms) -> None:
    teacher, students = with_students(rooms, MODELS)
    other = rooms.open()
    first, second, last = head(), head(3), head(5)
    rooms.share(students[0].token, first)
    rooms.share(teacher.token, second)
    rooms.share(students[0].token, last)  # in the place of the first
    for seat in (teacher, students[1]):
        assert [(one.head, one.by) for one in rooms.shared(seat.token)] == [(last, "student 0"), (second, "")]
    assert rooms.shared(other.token) == ()
    with pytest.raises(RoomEndedError):
        rooms.shared("guessed")
    assert first.digest == head().digest != last.digest
    for one in students[1 : MODELS - 1]:
        rooms.share(one.token, head())
    with pytest.raises(RoomError, match=f"this room has {MODELS} models"):
        rooms.share(students[-1].token, head())
    assert rooms._teachers[teacher.token].bytes() < BYTES / 8
    for make, sentence in (
        (lambda: head(5, 10_000), "too large"),
        (lambda: head(network="alexnet"), "only models of the page Train"),
        (lambda: replace(first, class_names=("one",)), "one row and one bias"),
        (lambda: replace(first, class_names=("x" * 10**6, "y")), "text of 1 to"),
    ):
        with pytest.raises(CamvizError, match=sentence):
            make()
    rooms.remove(teacher.token, "student 0")
    assert [one.by for one in rooms.shared(teacher.token)][:2] == ["", "student 1"]
    gone = weakref.ref(second)
    del second, one
    rooms.end(teacher.token)
    assert gone() is None


def test_answers_are_exported_without_nicknames(rooms: Rooms) -> None:
    teacher, (ada, ben) = with_students(rooms, 2)
    for number, (kind, value) in enumerate((("choice", "koala"), ("region", edits.pack(LEFT)), ("sentence", "=1+1"))):
        rooms.ask(teacher.token, question(kind))
        rooms.answer(ada.token, number + 1, value)
    rooms.answer(ben.token, 3, "a,b")
    rooms.guess(
        ben.token,
        SimpleNamespace(lesson=3, question="Why?", kind="number", value=7, correct=None, seconds=2, with_map=True),
    )
    header, *lines = answers_file.csv_of(rooms.wall(teacher.token)).splitlines()
    assert header == "lesson,question,kind,predicted,answer,right,with_heatmap,heatmap_inside,area,seconds"
    assert lines == [
        ",Which?,choice,koala,koala,1,0,,,0",
        f",Which?,region,koala,{edits.pack(LEFT)},,0,0.75,0.25,0",
        ",Which?,sentence,koala,'=1+1,,0,,,0",
        ',Which?,sentence,koala,"a,b",,0,,,0',
        "3,Why?,number,,7,,1,,,2",
    ]
    room = rooms._teachers[teacher.token]
    assert [one.picture.bytes for one, _ in room._earlier] == [4, 4]
    rooms.remove(teacher.token, "student 0")
    assert len(answers_file.csv_of(rooms.wall(teacher.token)).splitlines()) == 3


def test_intervals_equal_scipy() -> None:
    """Clopper-Pearson intervals: at each limit, the tail of the binomial is 2.5%."""
    from scipy.stats import binom, hypergeom

    for right, total in ((12, 15), (8, 15), (1, 30)):
        share = Share.of(right, total)
        assert share is not None
        assert binom.sf(right - 1, total, share.low) == pytest.approx(0.025, abs=1e-9)
        assert binom.cdf(right, total, share.high) == pytest.approx(0.025, abs=1e-9)
    none, every = Share.of(0, 10), Share.of(10, 10)
    assert none is not None and every is not None and Share.of(0, 0) is None
    assert (none.low, none.high) == (0, pytest.approx(1 - 0.025**0.1))
    assert (every.low, every.high) == (pytest.approx(0.025**0.1), 1)
    first, second = Share.of(12, 15), Share.of(8, 15)
    assert first is not None and second is not None
    gap = Difference.of(first, second)
    likely = hypergeom(30, 20, 15).pmf(range(16))  # of 20 right ones, how many fall among the 15 with the heatmap
    assert gap.value == pytest.approx(4 / 15)
    assert gap.p_value == pytest.approx(likely[likely <= likely[12] * (1 + 1e-9)].sum())
