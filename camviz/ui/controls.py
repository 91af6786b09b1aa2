"""The sidebar, which is the experiment: picture, model, layer, class; and the widgets of a method's settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from .. import models
from ..errors import CamvizError
from ..explanation import Fuse
from ..models import Model, Prediction
from ..models.geometry import Fit
from ..registry import FAMILIES, METHODS, Knob, Method
from ..scores import Score, contrast, logit
from ..tape import is_compiled
from . import browser, cache, networks, pictures, state

PAGES = sorted((Path(__file__).parents[2] / "pages").glob("*.py"))
FITS = {"crop": "centre crop, as the network was trained", "pad": "the whole picture, padded", "stretch": "stretched"}


@dataclass(frozen=True)
class Experiment:
    """What the sidebar says: everything but the method."""

    picture: pictures.Picture
    model: Model
    layer: str
    fit: Fit
    fuse: Fuse = "mean"
    target: int = -1  # -1: the predicted class
    rival: int = -1  # -1: none

    @property
    def predictions(self) -> tuple[Prediction, ...]:
        """The five best classes, best first."""
        return predict(self.model, self.picture, self.fit)

    @property
    def score(self) -> Score:
        """What is explained."""
        index = self.predictions[0].index if self.target < 0 else self.target
        return logit(index) if self.rival in (-1, index) else contrast(index, self.rival)


def experiment() -> Experiment:
    """The present experiment, for pages."""
    if not state.is_running():
        # A server's first visitor runs a linked page without app.py, by Streamlit's older page discovery, until
        # st.navigation has been called once.
        st.navigation([st.Page(page, default=page.stem == "explain") for page in PAGES], position="hidden")
        st.rerun()
    present: Experiment = st.session_state["experiment"]
    return present


def sidebar() -> None:
    """Draw the sidebar and remember what it says."""
    with st.sidebar:
        picture = _picture()
        model = _model()
        fit = state.setting("fit", "crop", FITS)
        layer, fuse = _layer(model)
        target, rival = _target(model, predict(model, picture, fit)[0])
        with st.expander("More settings"):
            st.selectbox("How the picture meets the network", FITS, format_func=FITS.__getitem__, key="fit")
            st.toggle(
                "Untrained network",
                key="untrained",
                disabled=models.is_own(model.weights),
                help="Random weights: what do maps of a network show that has learnt nothing?",
            )
            if len(models.devices()) > 1:
                st.selectbox("Computed on", models.devices(), key="device")
    st.session_state["experiment"] = Experiment(picture, model, layer, fit, fuse, target, rival)


def predict(model: Model, picture: pictures.Picture, fit: Fit) -> tuple[Prediction, ...]:
    """The five best classes, computed once for a picture."""
    return _predict((model.name, model.weights), picture.digest, fit, model, picture)


@st.cache_data(show_spinner=False, max_entries=2000)
def _predict(network: Any, digest: str, fit: Fit, _model: Model, _picture: pictures.Picture) -> tuple[Prediction, ...]:
    with cache.turns().turn(lambda _: None):
        return _model.predict(_picture.image, 5, fit)


def _picture() -> pictures.Picture:
    st.subheader("Picture")
    found = pictures.choices()
    asked = state.asked("img") or ""
    if asked.startswith("sha:") and asked not in found:
        state.refuse("img", "This link used a picture of its sender's own: load it again to see the same result.")
    key = state.setting("img", pictures.FIRST, found)
    items = [
        (picture.id, picture.name.rpartition(".")[0] or picture.name, pictures.thumbnail(picture))
        for picture in found.values()
    ]
    browser.gallery("Pictures to choose from", items, key, pictures.choose)
    st.file_uploader(
        "Your own picture",
        type=pictures.FORMATS,
        key="upload",
        max_upload_size=pictures.LARGEST_UPLOAD,
        on_change=pictures.take,
        args=("upload",),
        help="It stays in this server's memory while you are here, and is never stored.",
    )
    with st.expander("Camera"):
        if st.toggle("Switch the camera on", key="camera_on"):
            st.camera_input(
                "Camera", key="camera", on_change=pictures.take, args=("camera",), label_visibility="collapsed"
            )
    if refused := st.session_state.get("refused"):
        st.error(refused)
    return found[st.session_state["img"]]


def _model() -> Model:
    st.subheader("Network")
    networks.taken_over()
    entries = networks.choices()
    asked = state.asked("model") or ""
    if asked.startswith(networks.OWN) and asked not in entries:
        state.refuse("model", "This link used a network of its sender's own: bring it along to see the same result.")
    name = state.setting("model", models.standard(), entries)
    untrained = state.switch("untrained") and entries[name].source != "own"
    device = state.setting("device", models.devices()[0], models.devices())

    st.selectbox(
        "Network",
        entries,
        format_func=lambda key: entries[key].title,
        key="model",
        label_visibility="collapsed",
        help="The EfficientNet-Lites lie on this machine; the others' weights are fetched when they are first used.",
    )
    if networks.allowed():
        networks.uploader(device)
    if untrained:
        state.note("This network is untrained: its weights are random, so no map of it shows anything that was learnt.")
    try:
        return networks.load(name, untrained, device)
    except CamvizError as error:
        state.note(f"{str(error)[:1].upper()}{str(error)[1:]}. Shown meanwhile: {models.STANDARD}.")
        return cache.network(models.STANDARD, "default", device)


def _layer(model: Model) -> tuple[str, Fuse]:
    short = [layer.name for layer in model.layers if layer.main]
    every = state.switch("all_layers")
    names = [layer.name for layer in model.layers]
    asked = state.asked("layer") or st.session_state.get("layer")
    if asked in names and asked not in short:
        every = st.session_state["all_layers"] = True
    shown = names if every else short
    if not shown:
        hidden = ": TorchScript hides them" if is_compiled(model.net) else ""
        st.info(f"This network shows no layers of feature maps{hidden}. Methods that need one are not for it.")
        return "", "mean"
    default = model.default_layer if model.default_layer in shown else shown[-1]
    key = state.setting("layer", default, shown)
    st.subheader("Layer")
    st.selectbox(
        "Layer",
        shown,
        format_func=lambda name: f"{name} · {model.layer(name).describe(model.stages)}",
        key="layer",
        label_visibility="collapsed",
        help="Early layers see edges in fine detail, late ones see objects, coarsely.",
    )
    st.caption(f"{model.layer(key).kind} `{key}`, {model.layer(key).describe(model.stages)}")
    st.toggle("Offer every layer", key="all_layers")
    several = state.switch("several")
    st.toggle(
        "Fuse several layers", key="several", help="The maps of several layers as one, each scaled to its maximum."
    )
    if not several:
        return str(key), "mean"
    layers = state.many("layers", [key], shown)
    st.multiselect("Layers to fuse", shown, key="layers", persist_state="session")
    fuse: Fuse = state.setting("fuse", "mean", ("mean", "max"))
    st.segmented_control("Fused by", ("mean", "max"), key="fuse", required=True, persist_state="session")
    return ",".join(layers) or str(key), fuse


def _target(model: Model, first: Prediction) -> tuple[int, int]:
    st.subheader("Class")
    classes = range(-1, len(model.categories))
    chosen = state.setting("target", -1, classes, int)
    rival = state.setting("rather_than", -1, classes, int)

    def name(index: int) -> str:
        return f"{model.categories[index]} · {index}"

    st.selectbox(
        "Class",
        classes,
        format_func=lambda index: f"the predicted one: {first.label}" if index < 0 else name(index),
        key="target",
        label_visibility="collapsed",
    )
    st.selectbox(
        "rather than",
        classes,
        format_func=lambda index: "(no other class)" if index < 0 else name(index),
        key="rather_than",
        help="Explains why the network says the one rather than the other: the difference of their scores.",
    )
    if model.head == "sigmoid":
        st.caption("Each class is asked by itself, so the probabilities need not sum up to 1.")
    return chosen, rival


def explain_class(index: int) -> None:
    """Make a class the one that is explained."""
    st.session_state["target"] = index


def method_picker() -> Method:
    """A picker of all methods, with what the chosen one does."""
    key = state.setting("method", "grad_cam", METHODS)
    keys = [method.key for methods in by_family().values() for method in methods]
    st.selectbox("Method", keys, format_func=lambda key: METHODS[key].title, key="method", persist_state="session")
    found = METHODS[key]
    cost = "many passes" if found.many_passes else "one or two passes"
    st.caption(f"{found.tooltip} *{FAMILIES[found.family].capitalize()}; {cost}.* [Paper]({found.paper})")
    return found


def by_family() -> dict[str, list[Method]]:
    """All methods by the title of their family, in the order of the pickers."""
    ordered = sorted(METHODS.values(), key=lambda method: method.title)
    return {title: [method for method in ordered if method.family == family] for family, title in FAMILIES.items()}


def method_menu(refusals: Mapping[str, str]) -> None:
    """All methods by family, with what they show and cost; those that cannot be used here are disabled, with why."""
    with st.popover("All methods by family"):
        st.caption(":material/bolt: one or two passes · :material/hourglass_top: many passes")
        for title, methods in by_family().items():
            st.markdown(f"**{title.capitalize()}**")
            row = st.container(horizontal=True)
            for method in methods:
                reason = refusals.get(method.key)
                row.button(
                    method.title,
                    key=f"menu.{method.key}",
                    icon=":material/hourglass_top:" if method.many_passes else ":material/bolt:",
                    help=f"Not here: {reason}." if reason else method.tooltip,
                    disabled=reason is not None,
                    on_click=choose_method,
                    args=(method.key,),
                )


def choose_method(key: str) -> None:
    """Make a method the present one."""
    st.session_state["method"] = key


def knobs(method: Method) -> dict[str, Any]:
    """The method's settings as widgets, derived from its signature."""
    if not method.knobs:
        return {}
    with st.expander(f"Settings of {method.title}"):
        return {name: _knob(f"{method.key}.{name}", knob) for name, knob in method.knobs.items()}


def _knob(key: str, knob: Knob) -> Any:
    label = knob.name.replace("_", " ").capitalize()
    if knob.choices:
        state.setting(key, knob.default, knob.choices)
        st.segmented_control(label, knob.choices, key=key, help=knob.help, required=True, persist_state="session")
    elif knob.type is bool:
        state.setting(key, knob.default, (False, True), state.truth, lambda value: str(int(value)))
        st.toggle(label, key=key, help=knob.help, persist_state="session")
    else:
        span = state.Span(knob.range.low if knob.range else -1e9, knob.range.high if knob.range else 1e9, knob.optional)
        state.setting(key, knob.default, span, knob.type)
        low, high = knob.type(span.low), knob.type(span.high)
        if knob.optional:
            st.number_input(
                label, low, high, value=None, key=key, help=knob.help, placeholder="none", persist_state="session"
            )
        else:
            step = knob.type(knob.range.step) if knob.range and knob.range.step else None
            st.slider(label, low, high, step=step, key=key, help=knob.help, persist_state="session")
    return st.session_state[key]
