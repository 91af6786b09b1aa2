"""Learn: how is it made?"""

import streamlit as st

from camviz.registry import METHODS
from camviz.ui import controls, faults, lessons, state, steps
from camviz.ui.chapters import CHAPTERS, GLOSSARY

PARTS = {"lessons": "Lessons", "methods": "How the methods work", "glossary": "Words"}

experiment = controls.experiment()
st.title("How is it made?")
part = state.setting("part", "lessons", PARTS)
st.segmented_control(
    "Part",
    PARTS,
    format_func=PARTS.__getitem__,
    key="part",
    required=True,
    label_visibility="collapsed",
    persist_state="session",
)

if part == "lessons":
    lessons.draw()
elif part == "methods":
    key = state.setting("chapter", "grad_cam", CHAPTERS)
    st.pills(
        "Method",
        CHAPTERS,
        format_func=lambda one: METHODS[one].title,
        key="chapter",
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    chapter = CHAPTERS[key]
    st.header(METHODS[key].title, anchor=False)
    st.markdown(chapter.idea)
    st.latex(chapter.formula)
    st.caption(chapter.symbols)
    st.subheader(f"Step by step, on {experiment.picture.name}", anchor=False)
    steps.draw(key, experiment)
    st.subheader("What can go wrong", anchor=False)
    faults.draw(key, experiment)
    st.subheader("The paper", anchor=False)
    st.markdown(f"{chapter.paper} [Read it]({METHODS[key].paper})")
else:
    for term, meaning in GLOSSARY.items():
        st.markdown(f"**{term}.** {meaning}")
    st.subheader("The papers", anchor=False)
    for key, chapter in CHAPTERS.items():
        st.markdown(f"*{METHODS[key].title}*: {chapter.paper} [Read it]({METHODS[key].paper})")
