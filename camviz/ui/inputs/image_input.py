"""The available images: the samples, and this visitor's uploads."""

from collections.abc import Container
from dataclasses import dataclass
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from PIL import Image

from ...errors import CamvizError
from ...images import DecodedImage, decode_image
from ...runtime.installation import SAMPLES
from ..session import settings
from ..session.language import tr
from . import visitor

FIRST = "sample:coffee"
FORMATS = ["jpg", "jpeg", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif"]
LARGEST_UPLOAD = 20  # MB
KEEP_CLASS = "keep_class"  # the setting that keeps the explained class when another image is chosen
KEPT = 6  # uploaded images of a visitor
KEPT_PIXELS = 40e6  # in all of them together
UPLOADED = "sha:"  # before the digest of an uploaded image, in the URL

_UPLOADED_BY = "_uploaded_by"  # in st.session_state: the image that each uploader shows, by the uploader's key


@dataclass(frozen=True)
class InputImage:
    """An image with its id in the URL: `sample:coffee`, or `sha:` and the start of its digest."""

    id: str
    decoded: DecodedImage
    file: str = ""  # the digest of the dataset's file that it was opened from

    @property
    def name(self) -> str:
        """Return the name of its file."""
        return self.decoded.name

    @property
    def digest(self) -> str:
        """Return the digest of its pixels."""
        return self.decoded.digest

    @property
    def is_uploaded(self) -> bool:
        """Return whether the visitor uploaded the image."""
        return self.id.startswith(UPLOADED)


def choices() -> dict[str, InputImage]:
    """Return the samples, then the visitor's uploads, by id."""
    visitor.use("image", st.session_state.get("img", ""))
    return {**_samples(), **_uploads()}


def check_chosen(found: Container[str]) -> None:
    """Show a note if an uploaded image, requested by the link or the session, is not among `found`."""
    asked, present = settings.asked("img") or "", st.session_state.get("img") or ""
    if asked.startswith(UPLOADED) and asked not in found:
        settings.refuse(
            "img",
            tr("This link refers to a private image that is not stored here. Upload the image to see the same result."),
        )
    elif not asked and present.startswith(UPLOADED) and present not in found:
        settings.note(tr("Your image is no longer stored here. Upload it again."))


def add_upload(name: str, data: bytes, file: str = "") -> str:
    """Add an image to the visitor's uploads and return its id. Raises CamvizError.

    `file` is the digest of the dataset's file that the image comes from.
    """
    image = decode_image(data, name)
    key = f"{UPLOADED}{image.digest[:12]}"
    visitor.hold("image", key, InputImage(key, image, file), 3 * _pixels(image))
    uploads = _uploads()
    while len(uploads) > KEPT or (
        len(uploads) > 1 and sum(_pixels(one.decoded) for one in uploads.values()) > KEPT_PIXELS
    ):
        oldest = next(iter(uploads))
        visitor.remove("image", oldest)
        del uploads[oldest]
    return key


def remove(key: str) -> None:
    """Remove an uploaded image; if it is the current one, choose the first sample."""
    visitor.remove("image", key)
    if st.session_state.get("img") == key:
        choose(FIRST)


def remove_opened(files: Container[str]) -> None:
    """Remove the images that were opened from files of the dataset, except from those of these digests."""
    for image in _uploads().values():
        if image.file and image.file not in files:
            remove(image.id)


def remove_button(image: InputImage) -> None:
    """Draw the button that removes the current image, unless its uploader has one already."""
    shown = {key for widget, key in st.session_state.get(_UPLOADED_BY, {}).items() if st.session_state.get(widget)}
    if image.is_uploaded and image.id not in shown:
        st.button(
            tr("Remove this image"), icon=":material/delete:", key="remove_image", on_click=remove, args=(image.id,)
        )


def upload_limit(megabytes: int) -> int:
    """Return the upload limit in MB: the given one, or the server's if that is lower."""
    return min(megabytes, int(st.get_option("server.maxUploadSize")))


def is_camera_allowed() -> bool:
    """Return whether the browser allows the camera: over https, or on the same machine."""
    url = urlsplit(st.context.url or "")
    return url.scheme == "https" or url.hostname in ("localhost", "127.0.0.1", "::1")


def choose(key: str) -> None:
    """Select an image; the class to explain goes back to the predicted one, unless the visitor keeps it."""
    state = st.session_state
    if key != state.get("img") and not state.get(KEEP_CLASS):
        state["target"] = state["rather_than"] = -1
    if key != state.get("img"):
        state["edit"] = state["guess"] = ""  # it was drawn on the other image
    state["img"] = key


def take(widget: str) -> None:
    """Follow a change of an uploader or the camera: add the image, or remove the one that was removed there.

    An error is kept and shown below it.
    """
    st.session_state["refused"] = None
    uploaded: dict[str, str] = st.session_state.setdefault(_UPLOADED_BY, {})
    before = uploaded.pop(widget, None)
    held: Any = st.session_state.get(widget)
    if held is None:
        if before:
            remove(before)
        return
    try:
        uploaded[widget] = add_upload(held.name, held.getvalue())
        choose(uploaded[widget])
    except CamvizError as error:
        st.session_state["refused"] = held.name, error.message


def thumbnail(image: InputImage) -> bytes:
    """Return a square JPEG of 96 pixels."""
    return _thumbnail(image.digest, image.decoded.pixels)


@st.cache_data(show_spinner=False, max_entries=500)
def _thumbnail(digest: str, _image: Image.Image) -> bytes:
    side = min(_image.size)
    left, top = (_image.width - side) // 2, (_image.height - side) // 2
    buffer = BytesIO()
    _image.resize((96, 96), Image.Resampling.BICUBIC, (left, top, left + side, top + side)).save(
        buffer, "JPEG", quality=80
    )
    return buffer.getvalue()


@st.cache_resource(show_spinner=False)
def _samples() -> dict[str, InputImage]:
    found = {}
    for path in sorted(SAMPLES.glob("*.jpg"), key=lambda path: (path.stem != "coffee", path.stem)):
        found[f"sample:{path.stem}"] = InputImage(f"sample:{path.stem}", decode_image(path))
    return found


def _pixels(image: DecodedImage) -> int:
    return image.pixels.width * image.pixels.height


def _uploads() -> dict[str, InputImage]:
    return visitor.uploads("image")
