"""The pages of the dashboard, and access to the current experiment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from ...messages import Message
from ..inputs.experiment import Experiment
from ..session import settings
from ..session.language import tr_message

FOLDER = Path(__file__).parents[3] / "pages"

IMAGE, MODEL, CLASS, LAYER = "image", "model", "class", "layer"
ALL = frozenset({IMAGE, MODEL, CLASS, LAYER})


@dataclass(frozen=True)
class Page:
    """A page: its file, its title, an icon, one sentence on its use, and the parts of the experiment that act on it."""

    file: str
    title: str
    icon: str
    sentence: str
    uses: frozenset[str] = ALL

    @property
    def path(self) -> str:
        """Return the page's path in the URL; "" of the first page."""
        return "" if self is PAGES[0] else self.file

    def entry(self) -> Any:
        """Return the page as st.navigation takes it."""
        return st.Page(
            FOLDER / f"{self.file}.py", title=tr_message(self.title), icon=self.icon, default=self is PAGES[0]
        )


PAGES = (
    Page(
        "explain",
        Message("Explain"),
        ":material/visibility:",
        Message("CamViz shows which parts of an image a convolutional network's prediction depends on."),
    ),
    Page(
        "compare",
        Message("Compare"),
        ":material/grid_view:",
        Message("Compare heatmaps side by side: of several methods, layers, models, classes or images."),
    ),
    Page(
        "layers",
        Message("Layers"),
        ":material/layers:",
        Message("Explore the layers of the model, their feature maps and the first filters."),
        frozenset({IMAGE, MODEL, LAYER}),
    ),
    Page(
        "evaluate",
        Message("Evaluate"),
        ":material/fact_check:",
        Message(
            "Test how faithful a heatmap is. A heatmap can look convincing and be wrong: each test can disprove it, "
            "none can prove it."
        ),
    ),
    Page(
        "dataset",
        Message("Dataset"),
        ":material/photo_library:",
        Message(
            "Explain many images with one method. One heatmap can mislead; many show what the model usually "
            "responds to."
        ),
        frozenset({MODEL, CLASS, LAYER}),
    ),
    Page(
        "learn",
        Message("Learn"),
        ":material/school:",
        Message("Work through lessons, follow each method step by step, and look up terms."),
        frozenset({IMAGE, MODEL}),
    ),
    Page(
        "dream",
        Message("Dream"),
        ":material/auto_awesome:",
        Message(
            "Feature visualization: start from noise or from the image, and change it step by step until a channel, a "
            "layer or a class responds as strongly as possible."
        ),
    ),
)


# Links to a former page open the page of this file, with these settings besides those of the link.
FORMER: dict[str, tuple[str, dict[str, str]]] = {"gallery": ("dataset", {})}


def navigate() -> tuple[Page, Any]:
    """Draw the navigation; return the current page, and the same as Streamlit's page that can be run."""
    former = [st.Page(_opened, url_path=path, title=path, visibility="hidden") for path in FORMER]
    current = st.navigation([*(page.entry() for page in PAGES), *former], position="top")
    if current.url_path in FORMER:
        file, given = FORMER[current.url_path]
        settings.follow("link", {**given, **st.query_params.to_dict()})
        st.switch_page(FOLDER / f"{file}.py")
    page = next(page for page in PAGES if page.path == current.url_path)
    st.set_page_config(page_title=f"{tr_message(page.title)} · CamViz")
    return page, current


def _opened() -> None:
    """Stand for a former page, which is never drawn."""


def tabs() -> None:
    """Draw the links to all pages that narrow screens show at their lower edge."""
    with st.container(key="tabs", horizontal=True):
        for page in PAGES:
            st.page_link(FOLDER / f"{page.file}.py", label=tr_message(page.title))


def open_button(file: str, label: str, given: Mapping[str, str]) -> None:
    """Draw a button that opens another page with these settings, as a link would write them."""
    if st.button(label, key=f"open.{file}"):
        settings.follow("link", dict(given))
        st.switch_page(FOLDER / f"{file}.py")


def experiment() -> Experiment:
    """Return the current experiment."""
    if not settings.is_running():
        # Until st.navigation has been called once, Streamlit's older page discovery runs a linked page without
        # app.py.
        st.navigation([page.entry() for page in PAGES], position="hidden")
        st.rerun()
    present: Experiment = st.session_state["experiment"]
    return present
