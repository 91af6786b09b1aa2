"""The pages of the dashboard, and access to the current experiment."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

import streamlit as st

from ...messages import Message
from ...runtime.installation import PAGES as FOLDER
from ..inputs.experiment import Experiment
from ..session import settings
from ..session.language import tr_message

IMAGE, MODEL, CLASS, LAYER = "image", "model", "class", "layer"
ALL = frozenset({IMAGE, MODEL, CLASS, LAYER})

_FORMER_LINKS = "_former_links"  # in st.session_state: the links to former pages that this session has opened


@dataclass(frozen=True)
class Page:
    """A page: its file, its title, an icon, one sentence on its use, and the parts of the experiment that act on it.

    It opens at the last layer or, without `opens_deep`, at the last one whose feature maps can be told apart.
    """

    file: str
    title: str
    icon: str
    sentence: str
    uses: frozenset[str] = ALL
    opens_deep: bool = True

    @property
    def path(self) -> str:
        """Return the page's path in the URL; "" of the first page."""
        return "" if self is PAGES[0] else self.file.lstrip("_")

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
        "_inspect",  # a file named inspect.py would hide the standard library's module from the other files beside it
        Message("Inspect"),
        ":material/layers:",
        Message(
            "Look inside the model: its feature maps, what each channel responds to, and the heatmaps of each layer."
        ),
        opens_deep=False,
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
        "perturb",
        Message("Perturb"),
        ":material/blur_on:",
        Message("Change the image, and watch what happens to the predictions and to the heatmap."),
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
        "train",
        Message("Train"),
        ":material/model_training:",
        Message(
            "Train a model on your own classes, with a few images of each, and see what its predictions depend on."
        ),
        frozenset(),
    ),
    Page(
        "learn",
        Message("Learn"),
        ":material/school:",
        Message("Work through lessons, follow each method step by step, and look up terms."),
        frozenset(),
    ),
    Page(
        "room",
        Message("Room"),
        ":material/groups:",
        Message("A teacher asks, a class answers: guesses, votes and the model's prediction side by side."),
        frozenset(),
    ),
)


def navigate() -> tuple[Page, Any]:
    """Draw the navigation; return the current page, and the same as Streamlit's page that can be run."""
    former = [st.Page(opened, url_path=path, title=path, visibility="hidden") for path, (_, opened) in FORMER.items()]
    current = st.navigation([*(page.entry() for page in PAGES), *former], position="top")
    path = FORMER[current.url_path][0] if current.url_path in FORMER else current.url_path
    page = next(page for page in PAGES if page.path == path)
    st.set_page_config(page_title=f"{tr_message(page.title)} · CamViz")
    return page, current


def _open_dataset() -> None:
    _open("dataset", {})


def _open_layers() -> None:
    _open("_inspect", _channel({}))


def _open_dream() -> None:
    _open("_inspect", {"inside": "visualization", **_channel({"activation_maximization.channel": "0"})})


def _channel(first: Mapping[str, str]) -> dict[str, str]:
    """Return the defaults of the former pages that a link to a channel left out: the last layer, the first channel."""
    if any(key in ("layer", "map", "maps") or key.endswith(".channel") for key in st.query_params):
        return {"layer": experiment().model.default_layer, **first}
    return {}


def _open(file: str, given: Mapping[str, str]) -> None:
    """Open the successor of a former page with the settings of the link.

    The browser keeps the former address in its history, so Back from the successor leads here, and one step further.
    """
    link = st.query_params.to_dict()
    now = {**given, **link}
    opened = st.session_state.setdefault(_FORMER_LINKS, [])
    if link in opened:
        settings.keep_link()
        opened.append(link)
        # With the number each script differs from the last one, so the browser runs it.
        st.html(f"<script>history.back() // {len(opened)}</script>", unsafe_allow_javascript=True)
        return
    opened += [link, now]  # Streamlit writes the settings under the former address first
    go(file, now)


# Former pages: the path of the successor, and what opens it.
FORMER = {
    "gallery": ("dataset", _open_dataset),
    "layers": ("inspect", _open_layers),
    "dream": ("inspect", _open_dream),
}


def file_of(name: str) -> str:
    """Return the file of a page, or of the successor of a former one, by its name in a lesson."""
    path = FORMER[name][0] if name in FORMER else name
    return next(f"pages/{page.file}.py" for page in PAGES if path in (page.file, page.path))


def tabs() -> None:
    """Draw the links to all pages that narrow screens show at their lower edge."""
    with st.container(key="tabs", horizontal=True):
        for page in PAGES:
            st.page_link(FOLDER / f"{page.file}.py", label=tr_message(page.title))


def open_button(key: str, file: str, label: str, given: Mapping[str, str]) -> None:
    """Draw a button that opens another page with these settings, as a link would write them."""
    if st.button(label, key=key):
        go(file, {**settings.used(), **given})


def go(file: str, link: Mapping[str, str]) -> NoReturn:
    """Open a page at once under the address that its settings will write: one step of the browser's history."""
    settings.follow("link", dict(link))
    st.switch_page(FOLDER / f"{file}.py", query_params=link)


def experiment() -> Experiment:
    """Return the current experiment."""
    if not settings.is_running():
        # Until st.navigation has been called once, Streamlit's older page discovery runs a linked page without
        # app.py.
        st.navigation([page.entry() for page in PAGES], position="hidden")
        st.rerun()
    current: Experiment = st.session_state["experiment"]
    return current
