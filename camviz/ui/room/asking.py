"""The form for a teacher's question: an image, its prediction and heatmap by the current model, who sees what."""

from dataclasses import replace
from typing import get_args

import numpy as np
import streamlit as st
from PIL import Image

from ... import edits
from ...errors import CamvizError
from ...explanation.explanation import Explanation
from ...messages import Message
from ...registry import METHODS
from ...stage.stage_map import StageMap
from ..inputs import image_input
from ..inputs.experiment import Experiment
from ..results import explanations
from ..server.rooms import Picture, Question, Seat, rooms
from ..server.rooms.records import LONGEST_TEXT, Kind, Maps
from ..session.language import error_text, tr, tr_message
from ..widgets import stage as stages

_ASKS = "_room_asks"  # in st.session_state: whether this run asks the question

KINDS = {
    "choice": Message("Choice"),
    "region": Message("Region"),
    "number": Message("Number"),
    "sentence": Message("Sentence"),
}
MAPS = {"nobody": Message("Nobody"), "half": Message("Half, at random"), "everybody": Message("Everybody")}
FIRST_MAPS: dict[str, Maps] = {"choice": "half", "number": "nobody", "sentence": "nobody"}


def draw(seat: Seat) -> None:
    """Draw the form, and ask when its button is clicked."""
    model = st.session_state["experiment"].model
    kinds: tuple[Kind, ...] = get_args(Kind) if model.has_probabilities else ("region", "sentence")
    if st.session_state.get("room_kind") not in kinds:
        st.session_state["room_kind"] = "choice" if model.has_probabilities else "region"
    st.segmented_control(
        tr("Kind of answer"),
        kinds,
        format_func=lambda one: tr_message(KINDS[one]),
        key="room_kind",
        required=True,
    )
    kind: Kind = st.session_state["room_kind"]
    images = image_input.choices()
    image = st.selectbox(
        tr("Image"),
        images,
        format_func=lambda key: images[key].name.rpartition(".")[0] or images[key].name,
        key="room_image",
        help=tr("Your own images, uploaded on Explain, are here too; everybody in the room then sees them."),
    )
    experiment: Experiment = replace(st.session_state["experiment"], image=images[image], target=-1, rival=-1)
    refused = explanations.refusals(experiment)
    methods = [
        one.key
        for one in METHODS.values()
        if one.class_specific and not (one.many_passes or one.pixels or one.key in refused)
    ]
    method = st.selectbox(
        tr("Method"),
        methods,
        methods.index("grad_cam") if "grad_cam" in methods else 0,
        format_func=lambda key: tr_message(METHODS[key].title),
        key="room_method",
        help=tr("The model and the layer are those chosen on Explain."),
    )
    maps: Maps = "nobody"
    if kind != "region":
        maps = st.segmented_control(
            tr("Who sees the heatmap"),
            get_args(Maps),
            format_func=lambda one: tr_message(MAPS[one]),
            key=f"room_maps_{kind}",
            default=FIRST_MAPS[kind],
            required=True,
            help=tr("If half of the class sees it, the answers show whether the heatmap helps."),
        )
    tells = kind in ("region", "sentence") and st.toggle(tr("Show the predicted class"), True, key="room_tells")
    text = st.text_input(
        tr("Question"),
        max_chars=LONGEST_TEXT,
        placeholder=tr_message(first_text(kind, experiment)),
        key="room_text",
        help=tr("If this is empty, the question in gray is asked, in the language of each student."),
    )
    st.button(tr("Ask the class"), key="room_ask", type="primary", disabled=method is None, on_click=_ask_next)
    if st.session_state.pop(_ASKS, False):
        try:
            with st.spinner(tr("Computing the heatmap")):
                rooms().ask(seat.token, question(experiment, kind, method, text, maps, tells))
        except CamvizError as error:
            st.error(error_text(error))


def _ask_next() -> None:
    st.session_state[_ASKS] = True


def first_text(kind: Kind, experiment: Experiment) -> Message:
    """Return the default question of a kind, for a teacher who writes none."""
    if kind == "number":
        return Message("With what probability does the model predict {label}?", label=experiment.predictions[0].label)
    return {
        "choice": Message("Which class does the model predict?"),
        "region": Message("Which part of the image does the prediction depend on?"),
        "sentence": Message("What does the prediction depend on, and how can you tell?"),
    }[kind]


def question(experiment: Experiment, kind: Kind, method: str, text: str, maps: Maps, tells: bool) -> Question:
    """Return the question with its image, heatmap and answer. Raises CamvizError."""
    e = explanations.compute(experiment.question(METHODS[method]))
    best = experiment.predictions
    choices = tuple(sorted(dict.fromkeys(one.label for one in best))) if kind == "choice" else ()
    correct: str | float | None = None
    if kind == "choice":
        correct = best[0].label
    elif kind == "number" and experiment.model.has_probabilities:
        correct = 100 * best[0].probability
    return Question(
        kind=kind,
        text=" ".join(text.split()) or first_text(kind, experiment),
        picture=picture(e, experiment),
        predicted=best[0].label,
        shown=best[0].shown(),
        choices=choices,
        correct=correct,
        maps=maps,
        tells=tells,
    )


def picture(e: Explanation, experiment: Experiment) -> Picture:
    """Return the image of a question with its heatmap."""
    cells = np.asarray(Image.fromarray(e.heatmap).resize((edits.GRID, edits.GRID), Image.Resampling.BOX))
    total = float(cells.sum())
    about = Message(
        "{method} of {label}, {model}", method=METHODS[e.method].title, label=e.label, model=experiment.model.title
    )
    return Picture(
        jpeg=stages.original_of(e.question),
        size=(e.view.shape[0], e.view.shape[1]),
        map=StageMap.of(e.attribution),
        mass=(cells / total).astype(np.float32) if total > 0 else None,
        about=about,
    )
