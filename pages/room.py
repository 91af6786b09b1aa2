"""Room: a teacher asks, a class answers."""

from camviz.ui.inputs import membership
from camviz.ui.room import entrance, student, teacher
from camviz.ui.session import settings
from camviz.ui.shell import pages

if not settings.is_running():
    pages.experiment()  # runs app.py first
seat = membership.seat()
if seat is None:
    entrance.draw()
elif seat.teaches:
    teacher.draw(seat)
else:
    student.draw(seat)
