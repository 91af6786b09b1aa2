"""Learn: how is it made?"""

import streamlit as st

from camviz.registry import METHODS
from camviz.ui.learn import failure_modes, lessons, steps
from camviz.ui.learn.chapters import CHAPTERS
from camviz.ui.learn.glossary import GLOSSARY
from camviz.ui.session import settings
from camviz.ui.session.language import said, t
from camviz.ui.session.markdown import escaped
from camviz.ui.shell import pages

PARTS = {"lessons": "Lessons", "methods": "How the methods work", "glossary": "Words"}

experiment = pages.experiment()
st.title(t("How is it made?"))
part = settings.setting("part", "lessons", PARTS)
st.segmented_control(
    t("Part"),
    PARTS,
    format_func=lambda part: t(PARTS[part]),
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
        t("Method"),
        CHAPTERS,
        format_func=lambda one: said(METHODS[one].title),
        key="chapter",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    chapter = CHAPTERS[key]
    st.header(said(METHODS[key].title), anchor=False)
    st.markdown(t(chapter.idea))
    st.latex(chapter.formula)
    st.caption(t(chapter.symbols))
    st.subheader(t("Step by step, on {picture}", picture=escaped(experiment.picture.name)), anchor=False)
    steps.draw(key, experiment)
    st.subheader(t("What can go wrong"), anchor=False)
    failure_modes.draw(key, experiment)
    st.subheader(t("The paper"), anchor=False)
    st.markdown(f"{chapter.paper} [{t('Read it')}]({METHODS[key].paper})")
else:
    for term, meaning in GLOSSARY.items():
        st.markdown(t("**{term}.** {meaning}", term=t(term), meaning=t(meaning)))
    st.header(t("The papers"), anchor=False)
    for key, chapter in CHAPTERS.items():
        st.markdown(f"*{said(METHODS[key].title)}*: {chapter.paper} [{t('Read it')}]({METHODS[key].paper})")
