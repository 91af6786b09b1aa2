"""The networks to choose from: those that everybody is offered, this visitor's own, and those of the room."""

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
KEPT = 4  # of the networks that a visitor has uploaded
KEPT_TRAINED = 3  # of those that a visitor has trained here
HERE = ("localhost", "127.0.0.1", "[::1]")
CUSTOM = "custom:"  # before the digest of a network that a visitor brought, in the URL
TRAINED = f"{CUSTOM}trained-"  # the same of a network that a visitor trained here
TRAINED_BYTES = 2**21  # of its new layer and its modules; the other tensors are those of the shared network

NO_NAME = re.compile(r"[^\w .-]")

_BEGUN, _BROUGHT = "_bring", "_network"  # in st.session_state: that the button was clicked, and what came of it
_SHOWN = "_shown_model"  # in st.session_state: the model of the last run


def choices() -> dict[str, Entry]:
    """By name: this visitor's own, those of the visitor's room, then those of everybody."""
    if at_this_machine():
        for fault in models.operator_config().faults:
            settings.note(tr("Not available: {fault}.", fault=escaped(tr_message(fault))))
    found = {**_private_entries(), **{entry.name: entry for entry in models.offered_models()}}
    titles = Counter(entry.title for entry in found.values())  # by which the browser tells them apart
    return {
        name: entry if titles[entry.title] == 1 else replace(entry, title=f"{entry.title} · {name}")
        for name, entry in found.items()
    }


def load(name: str, untrained: bool, device: str) -> Model:
    """The network of that name, out of `choices`. Raises CamvizError."""
    model = _own().get(name)
    if model is None and (model := room_models.load(name, device)) is None:
        return network(name, "random" if untrained else "default", device)
    if untrained:
        raise CamvizError("random weights are for networks of the catalog")
    visitor.use("network", name)
    return model


def chosen(entries: Mapping[str, Entry], untrained: bool, device: str) -> Model:
    """Return the chosen model, or the one shown before if it cannot be loaded; call this before drawing the picker.

    Picker and URL then name the model that is shown, a message says why, and the details are drawn here, collapsed.
    """
    state, default = st.session_state, models.default_model_name()
    if brought := state.pop(_BROUGHT, None):
        state["model"] = brought
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
        if isinstance(error.__cause__, DownloadError) and at_this_machine():  # paths are not for strangers
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


def same(name: str, weights: Weights) -> str:
    """The key of the network here that is of that name and has these very weights of its own. Raises CamvizError."""
    device = st.session_state.get("device", models.available_devices()[0])
    for entry in (*_private_entries().values(), *models.offered_models()):
        named = entry.source == "custom" and name in (entry.name, entry.title)
        if named and load(entry.name, False, device).weights == weights:
            return entry.name
    raise RecipeError(
        "this recipe is of a network of somebody's own, '{name}', which is not here with the same "
        "weights: bring it along, and then the recipe again",
        name=name[:60],
    )


def bring(architecture: str, file: str, content: bytes, names: bytes | None, sigmoid: bool, device: str) -> str:
    """Add a network to this visitor's own, and return its name. Raises CamvizError.

    It is never written to disk, and is found only by uploading the same content. A file from the page Train
    names its architecture and its classes.
    """
    kind = kind_of(content)
    if kind != "state dict":
        raise WeightsError(
            "{file} holds a program ({kind}), which could do anything and is not taken from a "
            "browser: save the tensors alone, by torch.save(net.state_dict(), file)",
            file=file,
            kind=kind,
        )
    architecture = saved_architecture(content) or architecture
    source_of(architecture)  # else a path that is no name of the catalog would be opened
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
    """Return the title of a visitor's own network of that name."""
    return f"{NO_NAME.sub('', name)[:60]} (yours)"


def hold_trained(model: Model) -> str:
    """Add a network that was trained on the page to this visitor's own, and return its name; the last three are kept.

    Its tensors, but for the last layer, are those of the shared network, so that it takes little memory.
    """
    key = TRAINED + hashlib.sha256(repr(model.key).encode()).hexdigest()[:12]
    if key not in _own():
        visitor.hold("network", key, model, TRAINED_BYTES)
        _drop_oldest([one for one in _own() if one.startswith(TRAINED)], KEPT_TRAINED)
    return key


def _drop_oldest(keys: list[str], most: int) -> None:
    for oldest in keys[:-most]:
        visitor.remove("network", oldest)


def allowed() -> bool:
    """Whether this visitor may bring a network: as the operator's file says, else who sits at this very machine."""
    uploads = models.operator_config().uploads
    return at_this_machine() if uploads is None else uploads


def at_this_machine() -> bool:
    """Whether this visitor's browser runs here: no other address or name, and no proxy that it came through."""
    headers = {name.lower(): value for name, value in st.context.headers.items()}
    passed_on = {"x-forwarded-for", "x-real-ip", "forwarded"} & headers.keys()
    # A page of somebody else's, whose name was made to lead to this machine, still says its own name.
    host = re.sub(r":\d+$", "", headers.get("host", "localhost"))
    here = st.context.ip_address in (None, "::ffff:127.0.0.1")  # as a server on IPv6 sees 127.0.0.1
    return here and not passed_on and host in HERE


def uploader(device: str) -> None:
    """The widgets with which a visitor brings a network along."""
    with st.expander(tr("Your own model")):
        titles = {entry.name: entry.title for entry in models.catalog()}
        chosen = st.selectbox(
            tr("Architecture"),
            titles,
            format_func=titles.__getitem__,
            key="own_architecture",
            help=tr("The architecture of the model; the number of classes is read from the weights."),
        )
        number = st.session_state.setdefault("_brought", 0)  # a new key empties the uploaders and frees their memory
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
        if st.session_state.get(_BEGUN) and file is not None:  # stays where another change interrupts the reading
            try:
                with st.spinner(tr("Reading the model"), show_time=True), queue.compute_queue().turn(lambda _: None):
                    name = bring(
                        chosen, file.name, file.getvalue(), None if names is None else names.getvalue(), sigmoid, device
                    )
            except CamvizError as error:
                st.session_state[_BEGUN] = False
                st.error(error_text(error))
                return
            st.session_state[_BEGUN] = False
            st.session_state["_brought"] = number + 1
            st.session_state[_BROUGHT] = name
            st.rerun()


def _begin() -> None:
    st.session_state[_BEGUN] = True


def _remove(name: str) -> None:
    visitor.remove("network", name)
    st.session_state["model"] = models.default_model_name()


def _check_chosen(entries: Container[str]) -> None:
    """Say why an uploaded model that the link or the session asks for is not among these."""
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
    """The network of that name, one copy for everybody; missing weights are fetched with a progress bar."""
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
