"""The sidebar, which is the experiment: picture, model, layer, class."""

import streamlit as st

from ... import models
from ...errors import CamvizError
from ...explanation.question import Fusion
from ...models import Model, Prediction
from ...tape import is_compiled
from ..components import browser
from ..inputs import image_input, model_input
from ..inputs.experiment import Experiment, predict
from ..session import language, settings
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped

FITS = {"crop": "center crop, as the network was trained", "pad": "the whole picture, padded", "stretch": "stretched"}
FUSES = {"mean": "mean", "max": "max"}


def sidebar() -> None:
    """Draw the sidebar and remember what it says."""
    with st.sidebar:
        picture = _picture()
        model = _model()
        fit = settings.setting("fit", "crop", FITS)
        layers, fusion = _layers(model)
        target, rival = _target(model, predict(model, picture.decoded, fit)[0])
        with st.expander(tr("More settings")):
            st.selectbox(
                tr("How the picture meets the network"),
                FITS,
                format_func=lambda key: tr(FITS[key]),
                key="fit",
                help=tr("The network sees a square of fixed size; what is cut off or distorted cannot be explained."),
            )
            st.toggle(
                tr("Untrained network"),
                key="untrained",
                disabled=model.weights.is_custom,
                help=tr("Random weights: what do maps of a network show that has learned nothing?"),
            )
            if len(models.available_devices()) > 1:
                st.selectbox(
                    tr("Computed on"), models.available_devices(), key="device", help=tr("The results are the same.")
                )
        st.segmented_control(
            "Language / 语言",
            language.LANGUAGES,
            format_func=language.LANGUAGES.__getitem__,
            key="lang",
            required=True,
        )
    st.session_state["experiment"] = Experiment(picture, model, layers, fit, fusion, target, rival)


def _picture() -> image_input.InputImage:
    st.subheader(tr("Picture"))
    found = image_input.choices()
    asked = settings.asked("img") or ""
    if asked.startswith("sha:") and asked not in found:
        settings.refuse(
            "img", tr("This link used a picture of its sender's own: load it again to see the same result.")
        )
    key = settings.setting("img", image_input.FIRST, found)
    items = [
        (picture.id, picture.name.rpartition(".")[0] or picture.name, image_input.thumbnail(picture))
        for picture in found.values()
    ]
    browser.gallery(tr("Pictures to choose from"), items, key, image_input.choose)
    st.file_uploader(
        tr("Your own picture"),
        type=image_input.FORMATS,
        key="upload",
        max_upload_size=image_input.uploadable(image_input.LARGEST_UPLOAD),
        on_change=image_input.take,
        args=("upload",),
        help=tr("It stays in this server's memory while you are here, and is never stored."),
    )
    if image_input.camera_is_given():
        with st.expander(tr("Camera")):
            if st.toggle(tr("Switch the camera on"), key="camera_on"):
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
        tr("Network"),
        help=tr(
            "The EfficientNet-Lites lie on this machine; the others' weights are fetched when they are first used."
        ),
    )
    model_input.taken_over()
    entries = model_input.choices()
    asked = settings.asked("model") or ""
    if asked.startswith(model_input.CUSTOM) and asked not in entries:
        settings.refuse(
            "model", tr("This link used a network of its sender's own: bring it along to see the same result.")
        )
    name = settings.setting("model", models.default_model_name(), entries)
    untrained = settings.switch("untrained") and entries[name].source != "custom"
    device = settings.setting("device", models.available_devices()[0], models.available_devices())

    st.selectbox(
        tr("Network"),
        entries,
        format_func=lambda key: entries[key].title,
        key="model",
        label_visibility="collapsed",
    )
    if model_input.allowed():
        model_input.uploader(device)
    if untrained:
        settings.note(
            tr("This network is untrained: its weights are random, so no map of it shows anything that was learned.")
        )
    try:
        return model_input.load(name, untrained, device)
    except CamvizError as error:
        settings.note(error_text(error) + tr(" Shown meanwhile: {network}.", network=models.DEFAULT_MODEL))
        return model_input.network(models.DEFAULT_MODEL, "default", device)


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
            tr(
                "This network shows no layers of feature maps: TorchScript hides them. "
                "Methods that need one are not for it."
            )
            if is_compiled(model.net)
            else tr("This network shows no layers of feature maps. Methods that need one are not for it.")
        )
        return (), "mean"
    default = model.default_layer if model.default_layer in shown else shown[-1]
    key = settings.setting("layer", default, shown)
    st.subheader(tr("Layer"), help=tr("Early layers see edges in fine detail, late ones see objects, coarsely."))
    st.selectbox(
        tr("Layer"),
        shown,
        format_func=lambda name: f"{name} · {tr_message(model.layer(name).describe(model.stages))}",
        key="layer",
        label_visibility="collapsed",
    )
    layer = model.layer(key)
    told = tr_message(layer.describe(model.stages))
    st.caption(tr("{kind} `{layer}`, {told}", kind=layer.kind, layer=key, told=told))
    st.toggle(tr("Offer every layer"), key="all_layers", help=tr("Otherwise only where a block of layers ends."))
    several = settings.switch("several")
    st.toggle(
        tr("Fuse several layers"),
        key="several",
        help=tr("The maps of several layers as one, each scaled to its maximum."),
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
        help=tr("Late layers add the place, early ones the detail."),
    )
    fuse: Fusion = settings.setting("fuse", "mean", FUSES)
    st.segmented_control(
        tr("Fused by"),
        FUSES,
        format_func=lambda key: tr(FUSES[key]),
        key="fuse",
        required=True,
        persist_state="session",
        help=tr("Mean: bright where most maps are. Maximum: bright where one of them is."),
    )
    return tuple(layers) or (str(key),), fuse


def _target(model: Model, first: Prediction) -> tuple[int, int]:
    st.subheader(tr("Class"), help=tr("What is explained: one of the answers that this network can give."))
    classes = range(-1, len(model.categories))
    chosen = settings.setting("target", -1, classes, int)
    rival = settings.setting("rather_than", -1, classes, int)

    def name(index: int) -> str:
        return f"{model.categories[index]} · {index}"

    predicted, none = tr("the predicted one: {label}", label=first.label), tr("(no other class)")
    st.selectbox(
        tr("Class"),
        classes,
        format_func=lambda index: predicted if index < 0 else name(index),
        key="target",
        label_visibility="collapsed",
    )
    st.selectbox(
        tr("rather than"),
        classes,
        format_func=lambda index: none if index < 0 else name(index),
        key="rather_than",
        help=tr("Explains why the network says the one rather than the other: the difference of their scores."),
    )
    if model.head == "sigmoid":
        st.caption(tr("Each class is asked by itself, so the probabilities need not sum up to 1."))
    return chosen, rival


def explain_class(index: int) -> None:
    """Make a class the one that is explained."""
    st.session_state["target"] = index
