"""The experiment on every page that uses it: the images, and a row with model, class, layer and their settings."""

from typing import Any

import streamlit as st

from ... import models
from ...explanation.question import Fusion
from ...models import Model
from ...tape import is_compiled
from ..components import browser
from ..inputs import image_input, model_input, visitor
from ..inputs.experiment import Experiment, predict
from ..inputs.opening_layer import opening_layer
from ..session import settings
from ..session.language import tr, tr_classes, tr_message
from ..session.markdown import escaped
from .pages import CLASS, IMAGE, LAYER, MODEL, Page

FITS = {"crop": "Center crop, as in training", "pad": "Whole image, padded", "stretch": "Stretched"}
FUSES = {"mean": "Mean", "max": "Maximum", "product": "Product"}

Place = Any  # a container, or None if the page does not use that part


def draw(page: Page) -> None:
    """Draw the parts of the experiment that act on this page, and store the experiment in the session."""
    visitor.remember()
    image = _image(IMAGE in page.uses)
    places: dict[str, Place] = dict.fromkeys((MODEL, CLASS, LAYER))
    more: Place = None
    if page.uses - {IMAGE}:
        with st.container(key="experiment_row", horizontal=True, vertical_alignment="center", gap="small"):
            places |= {part: st.container(key=f"{part}_box") for part in places if part in page.uses}
            more = st.popover(tr("Settings"), key="settings", icon=":material/tune:")
    model = _model(places[MODEL], more)
    fit = _fit(more)
    opening = "" if page.opens_deep else opening_layer(model, image.decoded, fit)
    layers, fusion = _layers(model, places[LAYER], more, opening or model.default_layer)
    follows = LAYER in page.uses and page.opens_deep and model.default_layer in layers
    first = predict(model, image.decoded, fit, map_follows=follows)[0]
    predicted = (
        tr("Predicted: {label}", label=first.label) if IMAGE in page.uses else tr("Predicted class of each image")
    )
    target, rival = _target(model, predicted, places[CLASS], more)
    st.session_state["experiment"] = Experiment(image, model, layers, fit, fusion, target, rival)


def explain_class(index: int) -> None:
    """Select the class to explain."""
    st.session_state["target"] = index


def _image(drawn: bool) -> image_input.InputImage:
    found = image_input.choices()
    image_input.check_chosen(found)
    key = settings.setting("img", image_input.FIRST, found)
    if drawn:
        items = [
            (image.id, image.name.rpartition(".")[0] or image.name, image_input.thumbnail(image))
            for image in found.values()
        ]
        with st.container(key="image_strip", horizontal=True, vertical_alignment="center", gap="small"):
            with st.popover(tr("Your image"), key="own_image", icon=":material/add_photo_alternate:"):
                _upload()
                image_input.remove_button(found[key])
            browser.gallery(tr("Available images"), items, key, image_input.choose)
        if refused := st.session_state.get("refused"):
            st.error(f"{escaped(refused[0])}: {escaped(tr_message(refused[1]))}")
    return found[st.session_state["img"]]


def _upload() -> None:
    st.file_uploader(
        tr("Your own image"),
        type=image_input.FORMATS,
        key="upload",
        max_upload_size=image_input.upload_limit(image_input.LARGEST_UPLOAD),
        on_change=image_input.take,
        args=("upload",),
        help=visitor.storage_text(),
    )
    if image_input.is_camera_allowed() and st.toggle(tr("Turn on the camera"), key="camera_on"):
        st.camera_input(
            tr("Camera"), key="camera", on_change=image_input.take, args=("camera",), label_visibility="collapsed"
        )


def _model(place: Place, more: Place) -> Model:
    entries = model_input.choices()
    untrained = settings.switch("untrained")
    device = settings.setting("device", models.available_devices()[0], models.available_devices())
    model = model_input.chosen(entries, untrained, device)
    if place is not None:
        place.selectbox(
            tr("Model"),
            entries,
            format_func=model_input.labels(entries).__getitem__,
            key="model",
            help=tr("EfficientNet-Lite 0, 1 and 2 are available offline. Other weights are downloaded on first use."),
        )
    if more is not None:
        with more:
            st.toggle(
                tr("Untrained model"),
                key="untrained",
                disabled=model.weights.is_custom,
                help=tr("Replaces the weights by random ones, to see what a heatmap shows if nothing was learned."),
            )
            if len(models.available_devices()) > 1:
                st.selectbox(
                    tr("Device"),
                    models.available_devices(),
                    key="device",
                    help=tr("All devices give the same results."),
                )
            if model_input.is_upload_allowed():
                model_input.uploader(device)
    if model.weights.is_random:
        settings.note(
            tr("This model is untrained. Its weights are random, so its heatmaps show nothing that was learned.")
        )
    return model


def _fit(more: Place) -> Any:
    fit = settings.setting("fit", "crop", FITS)
    if more is not None:
        more.selectbox(
            tr("Fit to the input size"),
            FITS,
            format_func=lambda key: tr(FITS[key]),
            key="fit",
            help=tr("The model takes an image of fixed size; what is cut off or distorted cannot be explained."),
        )
    return fit


def _layers(model: Model, place: Place, more: Place, opening: str) -> tuple[tuple[str, ...], Fusion]:
    short = [layer.name for layer in model.layers if layer.main]
    every = settings.switch("all_layers")
    names = [layer.name for layer in model.layers]
    asked = settings.asked("layer") or st.session_state.get("layer")
    if asked in names and asked not in short:
        every = st.session_state["all_layers"] = True
    shown = names if every else short
    if not shown:
        st.info(
            tr("TorchScript hides the layers of this model, so methods that need a layer cannot be used.")
            if is_compiled(model.net)
            else tr("This model has no layer with feature maps, so methods that need a layer cannot be used.")
        )
        return (), "mean"
    default = opening if opening in shown else shown[-1]
    key = str(settings.setting("layer", default, shown))
    if place is None:
        return (key,), "mean"
    place.selectbox(
        tr("Layer"),
        shown,
        format_func=lambda name: f"{name} · {tr_message(model.layer(name).describe(model.stages))}",
        key="layer",
        help=tr("Early layers respond to edges, in fine detail; late layers respond to objects, at low resolution."),
    )
    with more:
        st.toggle(
            tr("Show all layers"), key="all_layers", help=tr("Otherwise only the last layer of each block is listed.")
        )
        several = settings.switch("several")
        st.toggle(
            tr("Fuse several layers"),
            key="several",
            help=tr("Combines the heatmaps of several layers, each scaled to its own maximum."),
        )
        return _fused(key, shown) if several else ((key,), "mean")


def _fused(key: str, shown: list[str]) -> tuple[tuple[str, ...], Fusion]:
    layers = settings.many("layers", [key], shown)
    st.multiselect(
        tr("Layers to fuse"),
        shown,
        key="layers",
        placeholder=tr("Choose options"),
        persist_state="session",
        help=tr("Late layers give the location, early layers the detail."),
    )
    fuse: Fusion = settings.setting("fuse", "mean", FUSES)
    st.segmented_control(
        tr("Fusion"),
        FUSES,
        format_func=lambda key: tr(FUSES[key]),
        key="fuse",
        required=True,
        persist_state="session",
        help=tr(
            "Mean: high where most heatmaps are high. Maximum: high where any of them is. Product: high where all of "
            "them are."
        ),
    )
    return tuple(layers) or (key,), fuse


def _target(model: Model, predicted: str, place: Place, more: Place) -> tuple[int, int]:
    classes = range(-1, len(model.categories))
    chosen = settings.setting("target", -1, classes, int)
    rival = settings.setting("rather_than", -1, classes, int)
    settings.switch(image_input.KEEP_CLASS)
    if place is None:
        return chosen, rival

    none, labels = tr("None"), tr_classes(model.categories)
    names = [f"{label} · {index}" for index, label in enumerate(labels)]
    place.selectbox(
        tr("Class"),
        classes,
        format_func=lambda index: predicted if index < 0 else names[index],
        key="target",
        help=tr("The class to explain: one of the classes that this model can predict."),
    )
    with more:
        st.selectbox(
            tr("Compare with another class"),
            classes,
            format_func=lambda index: none if index < 0 else names[index],
            key="rather_than",
            help=tr("Explains the difference of two scores: why the first class rather than the second."),
        )
        st.toggle(
            tr("Keep the class for the next image"),
            key=image_input.KEEP_CLASS,
            help=tr("Otherwise another image is explained for the class that the model predicts for it."),
        )
    return chosen, rival
