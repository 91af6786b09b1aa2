"""The wall: who is where, the present question, its answers, and the guesses at lessons."""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from urllib.parse import urlsplit, urlunsplit

import streamlit as st

from ...errors import RoomEndedError
from ..server.rooms import Person, Question, Wall, rooms
from ..session.language import tr, tr_message, translator
from ..session.markdown import escaped
from ..shell import title_line
from ..shell.pages import PAGES
from . import answers_file, lesson_results, results, shared_models

SECONDS = 1.5  # from one look at the room to the next: the wall is less than 3 s behind on a busy server


@st.fragment(run_every=SECONDS)
def draw(token: str) -> None:
    """Draw the wall, again and again; it only reads the room."""
    try:
        found = rooms().wall(token)
    except RoomEndedError:
        st.rerun()  # the page shows a note on it
    if found.question is not None:
        _question(token, found, found.question)
    else:
        door(found, "room_door", 340)
    _people(token, found.people)
    shared_models.draw()
    lesson_results.draw(found.lessons)
    if found.lessons or any(one.answers for one in found.asked):
        st.download_button(
            tr("Download all answers (CSV)"),
            partial(answers_file.csv_of, found, translator()[1]),
            f"room-{found.code}.csv",
            "text/csv",
            key="room_csv",
            on_click="ignore",
            help=tr("Without nicknames: each line is one answer."),
        )
    minutes = max(1, round(found.seconds_left / 60))
    st.caption(tr("The room ends automatically in {minutes} min.", minutes=minutes))


def door(found: Wall, key: str, width: int) -> None:
    """Draw what leads into the room: its code, its address, and a QR code `width` pixels wide that needs no typing."""
    parts = urlsplit(title_line.shared_address(st.context.url or ""))
    link = urlunsplit(parts._replace(query=f"room={found.code}-{found.invitation}"))
    with st.container(key=key, horizontal=True, vertical_alignment="center"):
        st.image(title_line.qr_code(link), width=width, alt=tr("QR code that leads into this room"))
        with st.container(width="content"):
            st.metric(tr("Room code"), found.code)
            st.caption(
                tr("Open `{address}` and enter the code, or scan the QR code.", address=f"{parts.netloc}{parts.path}")
            )


def _question(token: str, found: Wall, question: Question) -> None:
    key = f"room_wall_{found.number}"
    st.header(escaped(tr_message(question.text)), anchor=False)
    count = len(found.answers)
    if found.open:
        st.progress(
            min(1.0, count / max(1, len(found.people))),
            tr("{count} of {total} have answered", count=count, total=len(found.people)),
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        if found.open:
            st.button(
                tr("Show the answer now"),
                key="room_show",
                type="primary",
                icon=":material/visibility:",
                on_click=rooms().show,
                args=(token,),
            )
            live = st.toggle(
                tr("Show answers as they arrive"),
                key="room_live",
                help=tr("The answers of others influence people who see them."),
            )
        st.button(tr("Remove the question"), key="room_clear", on_click=rooms().clear, args=(token,))
    if not found.open:
        results.draw(key, question, found.answers, found.regions, True)
    elif live and found.answers:
        results.draw(key, question, found.answers, found.regions, False)
    else:
        results.image(key, question.picture, question.maps == "everybody")
        if question.tells:
            st.markdown(results.class_text(question))


def _people(token: str, people: Sequence[Person]) -> None:
    """Show which page each person has open, with a tick for an answer."""
    st.subheader(tr("People: {count}", count=len(people)), anchor=False)
    places: dict[str, list[str]] = defaultdict(list)
    for one in people:
        places[_place(one)].append(escaped(one.name) + (" ✓" if one.answered else ""))
    for place in sorted(places):
        st.markdown(f"**{place}** ({len(places[place])}): " + ", ".join(places[place]))
    if people:
        with st.popover(tr("Remove a person"), key="room_remove_box"):
            name = st.selectbox(tr("Nickname"), [one.name for one in people], key="room_remove_name")
            if name is not None:
                st.button(
                    tr("Remove the person and all answers"),
                    key="room_remove",
                    on_click=rooms().remove,
                    args=(token, name),
                )


def _place(person: Person) -> str:
    if not person.here:
        return tr("away")
    title = next((tr_message(page.title) for page in PAGES if page.file == person.page), "")
    if person.lesson is None:
        return title
    return tr("{page}, lesson {number}", page=title, number=person.lesson)
