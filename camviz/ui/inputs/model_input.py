"""The models to choose from: those of every visitor, this visitor's uploads, and those of the room."""

import hashlib
import re
from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import replace
from pathlib import PurePath

import streamlit as st

from ... import models
from ...errors import CamvizError, RecipeError, WeightsError, in_memory
from ...models import Entry, Model, Weights
from ...models.catalog import source_of
from ...models.checkpoints.download import DownloadError
from ...models.checkpoints.saved_names import saved_architecture, saved_class_names
from ...models.checkpoints.weights import kind_of, read_checkpoint
from ...models.class_names import read_class_names
from ..server import queue
from ..session import settings
from ..session.language import error_text, tr, tr_message
from ..session.markdown import escaped
from . import room_models, visitor

FILES = ["pth", "pt", "ckpt", "bin", "safetensors", "tar"]
KEPT = 4  # uploaded models of a visitor
KEPT_TRAINED = 3  # trained models of a visitor
HERE = ("localhost", "127.0.0.1", "[::1]")
CUSTOM = "custom:"  # before the digest of a visitor's model, in the URL
TRAINED = f"{CUSTOM}trained-"  # the same of a model that was trained on the page Train
TRAINED_BYTES = 2**21  # of its new layer and its modules; the other tensors are those of the shared network

NOT_IN_NAMES = re.compile(r"[^\w .-]")

# In st.session_state: whether the button was clicked, the name of the model that was read, and how many were read.
_BEGUN, _UPLOADED, _NUMBER = "_model_upload", "_uploaded_model", "_model_uploads"
_SHOWN = "_shown_model"  # in st.session_state: the model of the last run


def choices() -> dict[str, Entry]:
    """Return the models by name: the visitor's, those of the visitor's room, then those of every visitor."""
    if is_local():
        for fault in models.operator_config().faults:
            settings.note(tr("Not available: {fault}.", fault=escaped(tr_message(fault))))
    found = {**_private_entries(), **{entry.name: entry for entry in models.offered_models()}}
    titles = Counter(entry.title for entry in found.values())  # the browser identifies options by them
    return {
        name: entry if titles[entry.title] == 1 else replace(entry, title=f"{entry.title} · {name}")
        for name, entry in found.items()
    }


def load(name: str, untrained: bool, device: str) -> Model:
    """Return the model of that name, one of `choices`. Raises CamvizError."""
    model = _own().get(name)
    if model is None and (model := room_models.load(name, device)) is None:
        return network(name, "random" if untrained else "default", device)
    if untrained:
        raise CamvizError(
            "an uploaded model cannot have random weights: turn off 'Untrained model', or choose another model than "
            "{name}",
            name=name,
        )
    visitor.use("network", name)
    return model


def chosen(entries: Mapping[str, Entry], untrained: bool, device: str) -> Model:
    """Return the chosen model, or the one shown before if it cannot be loaded; call this before drawing the picker.

    Picker and URL then name the model that is shown, a message says why, and the details are drawn here, collapsed.
    """
    state, default = st.session_state, models.default_model_name()
    if uploaded := state.pop(_UPLOADED, None):
        state["model"] = uploaded
    _check_chosen(entries)
    name = settings.asked("model") or str(state.get("model"))
    if name not in entries:
        name = default
    try:
        model = load(name, untrained and entries[name].source != "custom", device)
    except CamvizError as error:
        before = str(state.get(_SHOWN))
        kept = before if before in entries and before != name else models.DEFAULT_MODEL
        if kept == name:
            raise
        title = entries[kept].title
        still = tr(" Still showing {network}.", network=title)
        instead = tr(" Showing {network} instead.", network=title)
        settings.refuse("model", error_text(error) + (still if kept == before else instead))
        if isinstance(error.__cause__, DownloadError) and is_local():  # paths are not for strangers
            st.expander(tr("Details of the download")).caption(error_text(error.__cause__))
        state["model"] = kept
        model = load(kept, untrained and entries[kept].source != "custom", device)
    state[_SHOWN] = settings.setting("model", default, entries)
    return model


def labels(entries: Mapping[str, Entry]) -> dict[str, str]:
    """Return what the picker shows of each model: its title, and whether it is on this machine already."""
    local = models.local_models()
    return {
        name: tr("{model} · on this machine", model=entry.title) if entry.name in local else entry.title
        for name, entry in entries.items()
    }


def find_custom(name: str, weights: Weights) -> str:
    """Return the key of the custom model with this name and exactly these weights. Raises CamvizError."""
    device = st.session_state.get("device", models.available_devices()[0])
    for entry in (*_private_entries().values(), *models.offered_models()):
        named = entry.source == "custom" and name in (entry.name, entry.title)
        if named and load(entry.name, False, device).weights == weights:
            return entry.name
    raise RecipeError(
        "the model '{name}' of this recipe is not stored here with the same weights: upload it under 'Your own model', "
        "then load the recipe again",
        name=name[:60],
    )


def add_upload(architecture: str, file: str, content: bytes, names: bytes | None, sigmoid: bool, device: str) -> str:
    """Add an uploaded model to those of the visitor, and return its name. Raises CamvizError.

    It is never written to disk, and is found only by uploading the same content. A file from the page Train
    names its architecture and its classes.
    """
    kind = kind_of(content)
    if kind != "state dict":
        raise WeightsError(
            "{file} holds a program ({kind}), which cannot be uploaded, as it could do anything: save the tensors "
            "alone, by torch.save(net.state_dict(), file)",
            file=file,
            kind=kind,
        )
    architecture = saved_architecture(content) or architecture
    source_of(architecture)  # raises for a path, which load_model would open
    model = models.load_model(
        architecture,
        weights=read_checkpoint(content, file),
        device=device,
        head="sigmoid" if sigmoid else None,
        categories=saved_class_names(content) if names is None else read_class_names(names),
    )
    title = own_title(PurePath(file).stem)
    model = models.with_digest(replace(model, name=title, title=title))
    key = CUSTOM + hashlib.sha256(content + repr((architecture, names, sigmoid, title)).encode()).hexdigest()[:12]
    visitor.hold("network", key, model, _bytes(model))
    _drop_oldest([one for one in _own() if not one.startswith(TRAINED)], KEPT)
    return key


def own_title(name: str) -> str:
    """Return the title of a visitor's model of that name."""
    return f"{NOT_IN_NAMES.sub('', name)[:60]} (yours)"


def hold_trained(model: Model) -> str:
    """Add a model that was trained on the page Train, and return its name; the last three are kept.

    It shares all tensors except those of the last layer with the pretrained network, so it takes little memory.
    """
    key = TRAINED + hashlib.sha256(repr(model.key).encode()).hexdigest()[:12]
    if key not in _own():
        visitor.hold("network", key, model, TRAINED_BYTES)
        _drop_oldest([one for one in _own() if one.startswith(TRAINED)], KEPT_TRAINED)
    return key


def _drop_oldest(keys: list[str], most: int) -> None:
    for oldest in keys[:-most]:
        visitor.remove("network", oldest)


def is_upload_allowed() -> bool:
    """Return whether this visitor may upload a model: by the operator's file, else on the server's machine."""
    uploads = models.operator_config().uploads
    return is_local() if uploads is None else uploads


def is_local() -> bool:
    """Return whether this visitor's browser runs on the server's machine, without a proxy in between."""
    headers = {name.lower(): value for name, value in st.context.headers.items()}
    forwarded = {"x-forwarded-for", "x-real-ip", "forwarded"} & headers.keys()
    # DNS rebinding: a foreign page whose name resolves to this machine still sends its own name as the host.
    host = re.sub(r":\d+$", "", headers.get("host", "localhost"))
    here = st.context.ip_address in (None, "::ffff:127.0.0.1")  # as a server on IPv6 sees 127.0.0.1
    return here and not forwarded and host in HERE


def uploader(device: str) -> None:
    """Draw the widgets that upload a model."""
    with st.expander(tr("Your own model")):
        titles = {entry.name: entry.title for entry in models.catalog()}
        chosen = st.selectbox(
            tr("Architecture"),
            titles,
            format_func=titles.__getitem__,
            key="own_architecture",
            help=tr("The architecture of the model; the number of classes is read from the weights."),
        )
        number = st.session_state.setdefault(_NUMBER, 0)  # a new key empties the uploaders and frees their memory
        file = st.file_uploader(
            tr("Weights"),
            FILES,
            key=f"own_weights{number}",
            help=tr(
                "A state dict saved by torch.save(net.state_dict(), file) or as safetensors. Code in the file is never "
                "run."
            )
            + f" {visitor.storage_text()}",
        )
        names = st.file_uploader(
            tr("Class names"),
            ["txt", "json", "jsonl", "csv", "tsv", "yaml", "yml"],
            key=f"own_names{number}",
            max_upload_size=4,
            help=tr("One name per line, or JSON: a list, {index: name} or {name: index}."),
        )
        sigmoid = st.toggle(
            tr("Multi-label model"),
            key="own_sigmoid",
            help=tr("Each class has its own probability (sigmoid); they need not sum to 1."),
        )
        st.button(tr("Use this model"), key="own_use", disabled=file is None, on_click=_begin)
        if (present := st.session_state["model"]) in _own():
            st.button(tr("Remove this model"), key="own_remove", on_click=_remove, args=(present,))
        if st.session_state.get(_BEGUN) and file is not None:  # also after a run that another change has interrupted
            try:
                with st.spinner(tr("Reading the model"), show_time=True), queue.compute_queue().turn(lambda _: None):
                    name = add_upload(
                        chosen, file.name, file.getvalue(), None if names is None else names.getvalue(), sigmoid, device
                    )
            except CamvizError as error:
                st.session_state[_BEGUN] = False
                st.error(error_text(error))
                return
            st.session_state[_BEGUN] = False
            st.session_state[_NUMBER] = number + 1
            st.session_state[_UPLOADED] = name
            st.rerun()


def _begin() -> None:
    st.session_state[_BEGUN] = True


def _remove(name: str) -> None:
    visitor.remove("network", name)
    st.session_state["model"] = models.default_model_name()


def _check_chosen(entries: Container[str]) -> None:
    """Show a note if an uploaded model, requested by the link or the session, is not among these."""
    asked, present = settings.asked("model") or "", st.session_state.get("model") or ""
    if (asked or present).startswith(room_models.PREFIX) and (asked or present) not in entries:
        settings.refuse("model", room_models.missing_text())
    elif asked.startswith(CUSTOM) and asked not in entries:
        settings.refuse(
            "model",
            tr("This link refers to a private model that is not stored here. Upload the model to see the same result."),
        )
    elif not asked and present.startswith(CUSTOM) and present not in entries:
        settings.note(tr("Your model is no longer stored here. Upload it again."))


def _own() -> dict[str, Model]:
    return visitor.uploads("network")


def _private_entries() -> dict[str, Entry]:
    """Return this visitor's own models, and those of the visitor's room."""
    return {key: Entry(key, model.title, "custom") for key, model in _own().items()} | room_models.entries()


def _bytes(model: Model) -> int:
    return sum(tensor.nbytes for tensor in model.net.state_dict().values())


def network(name: str, weights: str, device: str = "cpu") -> Model:
    """Return the network of that name, which all visitors share; show the download of missing weights."""
    place = st.empty()

    def show(done: int, total: int) -> None:
        got, of = f"{done / 1e6:.0f}", f"{total / 1e6:.0f}"
        progress_text = tr("Downloading {network}: {done} of {total} MB", network=name, done=got, total=of)
        place.progress(min(1.0, done / max(1, total)), progress_text)

    try:
        with in_memory():
            return models.shared_model(name, weights, device, show)
    except DownloadError as error:
        titles = {entry.name: entry.title for entry in models.offered_models()}
        raise DownloadError(
            "{network} could not be downloaded: {reason}", network=titles.get(name, name), reason=error.reason
        ) from error
    finally:
        place.empty()
