"""The available images: the samples, and this visitor's uploads."""

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from PIL import Image

from ...errors import CamvizError
from ...images import DecodedImage, decode_image

SAMPLES = Path(__file__).parents[3] / "assets" / "samples"
FIRST = "sample:coffee"
FORMATS = ["jpg", "jpeg", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif"]
LARGEST_UPLOAD = 20  # MB
KEEP_CLASS = "keep_class"  # the setting that keeps the explained class when another image is chosen
KEPT = 6  # of a visitor's own images
KEPT_PIXELS = 40e6  # in all of them together


@dataclass(frozen=True)
class InputImage:
    """An image with its id in the URL: `sample:coffee`, or `sha:` and the start of its digest."""

    id: str
    decoded: DecodedImage

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.decoded.name

    @property
    def digest(self) -> str:
        """The digest of its pixels."""
        return self.decoded.digest

    @property
    def own(self) -> bool:
        """Return whether the visitor uploaded the image."""
        return self.id.startswith("sha:")


def choices() -> dict[str, InputImage]:
    """Return the samples, then the visitor's uploads, by id."""
    return {**_samples(), **_own()}


def bring(name: str, data: bytes) -> str:
    """Add an image to the visitor's uploads and return its id. Raises CamvizError."""
    image = decode_image(data, name)
    key = f"sha:{image.digest[:12]}"
    own = _own()
    own.pop(key, None)
    own[key] = InputImage(key, image)
    while len(own) > KEPT or (len(own) > 1 and sum(_pixels(picture) for picture in own.values()) > KEPT_PIXELS):
        own.pop(next(iter(own)))
    return key


def uploadable(megabytes: int) -> int:
    """Return the upload limit in MB: the given one, or the server's if that is lower."""
    return min(megabytes, int(st.get_option("server.maxUploadSize")))


def camera_is_given() -> bool:
    """Return whether the browser allows the camera: over https, or on the same machine."""
    url = urlsplit(st.context.url or "")
    return url.scheme == "https" or url.hostname in ("localhost", "127.0.0.1", "::1")


def choose(key: str) -> None:
    """Select an image; the class to explain goes back to the predicted one, unless the visitor keeps it."""
    state = st.session_state
    if key != state.get("img") and not state.get(KEEP_CLASS):
        state["target"] = state["rather_than"] = -1
    state["img"] = key


def take(widget: str) -> None:
    """Add the image of an uploader or the camera; an error is kept and shown below it."""
    st.session_state["refused"] = None
    held: Any = st.session_state.get(widget)
    if held is None:
        return
    try:
        choose(bring(held.name, held.getvalue()))
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


def _pixels(image: InputImage) -> int:
    return image.decoded.pixels.width * image.decoded.pixels.height


def _own() -> dict[str, InputImage]:
    own: dict[str, InputImage] = st.session_state.setdefault("own", {})
    return own
