"""The pictures to choose from: the samples, and what this visitor has brought along."""

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
FORMATS = ["jpg", "jpeg", "jfif", "png", "webp", "gif", "bmp", "tif", "tiff"]
LARGEST_UPLOAD = 20  # MB
KEPT = 6  # of a visitor's own pictures
KEPT_PIXELS = 40e6  # in all of them together


@dataclass(frozen=True)
class InputImage:
    """A picture under the id that stands in the URL: `sample:coffee`, or `sha:` and the start of its digest."""

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
        """Whether the visitor brought it along."""
        return self.id.startswith("sha:")


def choices() -> dict[str, InputImage]:
    """The samples, then the visitor's own pictures."""
    return {**_samples(), **_own()}


def bring(name: str, data: bytes) -> str:
    """Add a picture to the visitor's own, and return its id. Raises CamvizError."""
    image = decode_image(data, name)
    key = f"sha:{image.digest[:12]}"
    own = _own()
    own.pop(key, None)
    own[key] = InputImage(key, image)
    while len(own) > KEPT or (len(own) > 1 and sum(_pixels(picture) for picture in own.values()) > KEPT_PIXELS):
        own.pop(next(iter(own)))
    return key


def uploadable(megabytes: int) -> int:
    """That many MB of an upload, or what this server takes where it is less."""
    return min(megabytes, int(st.get_option("server.maxUploadSize")))


def camera_is_given() -> bool:
    """Whether a browser gives this page a camera: browsers do so over https, and from their own machine."""
    url = urlsplit(st.context.url or "")
    return url.scheme == "https" or url.hostname in ("localhost", "127.0.0.1", "::1")


def choose(key: str) -> None:
    """Make a picture the present one."""
    st.session_state["img"] = key


def take(widget: str) -> None:
    """Take over what an uploader or the camera holds; a refusal is kept to be shown under it."""
    st.session_state["refused"] = None
    held: Any = st.session_state.get(widget)
    if held is None:
        return
    try:
        choose(bring(held.name, held.getvalue()))
    except CamvizError as error:
        st.session_state["refused"] = held.name, str(error)


def thumbnail(picture: InputImage) -> bytes:
    """A square JPEG of 96 pixels."""
    return _thumbnail(picture.digest, picture.decoded.pixels)


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


def _pixels(picture: InputImage) -> int:
    return picture.decoded.pixels.width * picture.decoded.pixels.height


def _own() -> dict[str, InputImage]:
    own: dict[str, InputImage] = st.session_state.setdefault("own", {})
    return own
