"""The sidebar: image, model, layer, class."""

import streamlit as st

from ... import models
from ...explanation.question import Fusion
from ...models import Model, Prediction
from ...tape import is_compiled
from ..components import browser
from ..inputs import image_input, model_input, visitor
from ..inputs.experiment import Experiment, predict
from ..session import language, settings
from ..session.language import tr, tr_message
from ..session.markdown import escaped

FITS = {"crop": "center crop, as in training", "pad": "whole image, padded", "stretch": "stretched"}
FUSES = {"mean": "mean", "max": "max"}


def sidebar() -> None:
    """Draw the sidebar and store the experiment in the session."""
    with st.sidebar:
        visitor.remember()
        image = _picture()
        model = _model()
        fit = settings.setting("fit", "crop", FITS)
        layers, fusion = _layers(model)
        target, rival = _target(model, predict(model, image.decoded, fit)[0])
        with st.expander(tr("More settings")):
            st.selectbox(
                tr("Fit to the input size"),
                FITS,
                format_func=lambda key: tr(FITS[key]),
                key="fit",
                help=tr("The model takes an image of fixed size; what is cut off or distorted cannot be explained."),
            )
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
        st.segmented_control(
            "Language / 语言",
            language.LANGUAGES,
            format_func=language.LANGUAGES.__getitem__,
            key="lang",
            required=True,
        )
    st.session_state["experiment"] = Experiment(image, model, layers, fit, fusion, target, rival)


def _picture() -> image_input.InputImage:
    st.subheader(tr("Image"))
    found = image_input.choices()
    image_input.check_chosen(found)
    key = settings.setting("img", image_input.FIRST, found)
    items = [
        (image.id, image.name.rpartition(".")[0] or image.name, image_input.thumbnail(image))
        for image in found.values()
    ]
    browser.gallery(tr("Available images"), items, key, image_input.choose)
    st.file_uploader(
        tr("Your own image"),
        type=image_input.FORMATS,
        key="upload",
        max_upload_size=image_input.uploadable(image_input.LARGEST_UPLOAD),
        on_change=image_input.take,
        args=("upload",),
        help=visitor.storage_text(),
    )
    image_input.removal(found[key])
    if image_input.camera_is_given():
        with st.expander(tr("Camera")):
            if st.toggle(tr("Turn on the camera"), key="camera_on"):
                st.camera_input(
                    tr("Camera"),
                    key="camera",
                    on_change=image_input.take,
                    args=("camera",),
                    label_visibility="collapsed",
                )
    if refused := st.session_state.get("refused"):
        st.error(f"{escaped(refused[0])}: {escaped(tr_message(refused[1]))}")
    return found[st.session_state["img"]]


def _model() -> Model:
    st.subheader(
        tr("Model"),
        help=tr("EfficientNet-Lite 0, 1 and 2 are available offline. Other weights are downloaded on first use."),
    )
    entries = model_input.choices()
    picker = st.container()
    untrained = settings.switch("untrained")
    device = settings.setting("device", models.available_devices()[0], models.available_devices())
    model = model_input.chosen(entries, untrained, device)
    picker.selectbox(
        tr("Model"),
        entries,
        format_func=model_input.labels(entries).__getitem__,
        key="model",
        label_visibility="collapsed",
    )
    if model_input.allowed():
        model_input.uploader(device)
    if model.weights.is_random:
        settings.note(
            tr("This model is untrained. Its weights are random, so its heatmaps show nothing that was learned.")
        )
    return model


def _layers(model: Model) -> tuple[tuple[str, ...], Fusion]:
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
    default = model.default_layer if model.default_layer in shown else shown[-1]
    key = settings.setting("layer", default, shown)
    st.subheader(
        tr("Layer"),
        help=tr("Early layers respond to edges, in fine detail; late layers respond to objects, at low resolution."),
    )
    st.selectbox(
        tr("Layer"),
        shown,
        format_func=lambda name: f"{name} · {tr_message(model.layer(name).describe(model.stages))}",
        key="layer",
        label_visibility="collapsed",
    )
    layer = model.layer(key)
    description = tr_message(layer.describe(model.stages))
    description = tr_message(layer.describe(model.stages))
    st.caption(tr("{kind} `{layer}`, {description}", kind=layer.kind, layer=key, description=description))
    st.toggle(tr("Show all layers"), key="all_layers", help=tr("Otherwise only the last layer of each block."))
    several = settings.switch("several")
    st.toggle(
        tr("Fuse several layers"),
        key="several",
        help=tr("Combines the heatmaps of several layers, each scaled to its own maximum."),
    )
    if not several:
        return (str(key),), "mean"
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
        help=tr("Mean: high where most heatmaps are high. Maximum: high where any of them is."),
    )
    return tuple(layers) or (str(key),), fuse


def _target(model: Model, first: Prediction) -> tuple[int, int]:
    st.subheader(tr("Class"), help=tr("The class to explain: one of the classes that this model can predict."))
    classes = range(-1, len(model.categories))
    chosen = settings.setting("target", -1, classes, int)
    rival = settings.setting("rather_than", -1, classes, int)

    def name(index: int) -> str:
        return f"{model.categories[index]} · {index}"

    predicted, none = tr("Predicted: {label}", label=first.label), tr("None")
    st.selectbox(
        tr("Class"),
        classes,
        format_func=lambda index: predicted if index < 0 else name(index),
        key="target",
        label_visibility="collapsed",
    )
    st.selectbox(
        tr("Compare with another class"),
        classes,
        format_func=lambda index: none if index < 0 else name(index),
        key="rather_than",
        help=tr("Explains the difference of two scores: why the first class rather than the second."),
    )
    if model.head == "sigmoid":
        st.caption(tr("Each class has its own probability, so the probabilities need not sum to 1."))
    return chosen, rival


def explain_class(index: int) -> None:
    """Select the class to explain."""
    st.session_state["target"] = index
