"""The image of a chapter: its example, or the current image."""

import streamlit as st

from ...models import DEFAULT_MODEL, available_devices
from ..inputs import image_input, model_input
from ..inputs.experiment import Experiment
from ..session import settings
from ..session.language import tr
from .chapters import Chapter

SOURCES = {"example": "Example image", "current": "Current image"}
EXPERIMENT = {"img", "model", "untrained", "layer", "several", "layers", "target", "rather_than", "fit"}


def follow_link() -> None:
    """Choose the current image if a link to a chapter sets it; call it before the settings of the page are read."""
    by_link = settings.asked("part") is not None and settings.asked("chapter_image") is None
    if by_link and EXPERIMENT & st.query_params.to_dict().keys():
        st.session_state["chapter_image"] = "current"


def is_chosen() -> bool:
    """Draw the choice between the example and the current image, and return whether it is the example."""
    chosen = settings.setting("chapter_image", "example", SOURCES)
    st.segmented_control(
        tr("Image"),
        SOURCES,
        format_func=lambda key: tr(SOURCES[key]),
        key="chapter_image",
        required=True,
        persist_state="session",
        help=tr("Example: an image and a layer on which the method can be seen. Current: your image, model and layer."),
    )
    return bool(chosen == "example")


def experiment(chapter: Chapter) -> Experiment:
    """Return the example of a chapter, on the default model."""
    image = image_input.choices()[f"sample:{chapter.image}"]
    model = model_input.network(DEFAULT_MODEL, "default", available_devices()[0])
    return Experiment(image, model, (chapter.layer,), "crop")
