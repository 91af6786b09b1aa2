"""Learn: lessons, methods step by step, and a glossary."""

import streamlit as st

from camviz.registry import METHODS
from camviz.ui.learn import example, failure_modes, lessons, steps
from camviz.ui.learn.chapters import CHAPTERS
from camviz.ui.learn.glossary import GLOSSARY
from camviz.ui.session import settings
from camviz.ui.session.language import tr, tr_message
from camviz.ui.session.markdown import escaped
from camviz.ui.shell import pages

PARTS = {"lessons": "Lessons", "methods": "How the methods work", "glossary": "Glossary"}

if not settings.is_running():
    pages.experiment()  # runs app.py first
example.follow_link()
part = settings.setting("part", "lessons", PARTS)
st.segmented_control(
    tr("Section"),
    PARTS,
    format_func=lambda part: tr(PARTS[part]),
    key="part",
    required=True,
    label_visibility="collapsed",
    persist_state="session",
)

if part == "lessons":
    lessons.draw()
elif part == "methods":
    key = settings.setting("chapter", "grad_cam", CHAPTERS)
    st.pills(
        tr("Method"),
        CHAPTERS,
        format_func=lambda one: tr_message(METHODS[one].title),
        key="chapter",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    chapter = CHAPTERS[key]
    experiment = example.experiment(chapter) if example.is_chosen() else pages.experiment()
    st.header(tr_message(METHODS[key].title), anchor=False)
    st.markdown(tr(chapter.idea))
    st.latex(chapter.formula)
    st.caption(tr(chapter.symbols))
    st.subheader(tr("Step by step: {image}", image=escaped(experiment.image.name)), anchor=False)
    steps.draw(key, experiment)
    st.subheader(tr("Limitations"), anchor=False)
    failure_modes.draw(key, experiment)
    st.subheader(tr("Paper"), anchor=False)
    st.markdown(f"{chapter.paper} [{tr('Read the paper')}]({METHODS[key].paper})")
else:
    for term, meaning in GLOSSARY.items():
        st.markdown(tr("**{term}.** {meaning}", term=tr(term), meaning=tr(meaning)))
    st.header(tr("Papers"), anchor=False)
    for key, chapter in CHAPTERS.items():
        st.markdown(
            f"*{tr_message(METHODS[key].title)}*: {chapter.paper} [{tr('Read the paper')}]({METHODS[key].paper})"
        )
