"""Rooms: a teacher asks, a class answers. In memory only, bounded, found by secret tokens."""

from .records import Answer, GuessLike, Picture, Question, Seat
from .rooms import Rooms, rooms
from .views import Asked, Lesson, Person, Student, Wall

__all__ = [
    "Answer",
    "Asked",
    "GuessLike",
    "Lesson",
    "Person",
    "Picture",
    "Question",
    "Rooms",
    "Seat",
    "Student",
    "Wall",
    "rooms",
]
