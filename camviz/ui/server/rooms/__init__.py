"""Rooms: a teacher asks, a class answers. In memory only, bounded, found by secret tokens."""

from .records import Answer, GuessLike, Picture, Question, Seat
from .rooms import Rooms, rooms
from .shared_heads import Shared, SharedHead
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
    "Shared",
    "SharedHead",
    "Student",
    "Wall",
    "rooms",
]
