"""The geometry of preprocessing: resize and crop an image to the input size, for computing and for display alike."""

from dataclasses import dataclass
from typing import Literal, get_args

from PIL import Image

from ..errors import PreprocessingError, choice
from ..messages import Message

Fit = Literal["crop", "pad", "stretch"]
Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]

SMALLEST_SIDE, LARGEST_SIDE = 8, 4096
AFFORDABLE = 1 << 22  # pixels of a resized image, 12 MB: 64 times as long as wide at 256


@dataclass(frozen=True)
class Geometry:
    """The input's size, and the grid that the weights' own transform resizes to before its center crop.

    `size` and `grid` are (height, width). With `keep_ratio` the image covers the grid and keeps its aspect ratio;
    without it, both sides are resized to the grid.
    """

    size: tuple[int, int]
    grid: tuple[int, int]
    interpolation: Interpolation = "bilinear"
    keep_ratio: bool = True

    def __post_init__(self) -> None:
        whole = all(isinstance(side, int) for side in self.size)
        if len(self.size) != 2 or not whole or not SMALLEST_SIDE <= min(self.size) <= max(self.size) <= LARGEST_SIDE:
            span = Message("{low} to {high}", low=SMALLEST_SIDE, high=LARGEST_SIDE)
            raise PreprocessingError(
                "the input size must be (height, width), whole numbers of {span}; got {size}", span=span, size=self.size
            )

    def box(self, width: int, height: int, fit: Fit = "crop") -> tuple[float, float, float, float]:
        """Return the part of an image that the network sees: (left, top, right, bottom) in pixels of the image."""
        if check_fit(fit) != "crop":
            return 0, 0, width, height
        rows, columns = self._resized(width, height)
        top, left = _offset(rows, self.size[0]), _offset(columns, self.size[1])
        bottom, right = top + self.size[0], left + self.size[1]
        return left * width / columns, top * height / rows, right * width / columns, bottom * height / rows

    def apply(self, image: Image.Image, fit: Fit = "crop", fill: tuple[int, int, int] = (0, 0, 0)) -> Image.Image:
        """Return `image` (RGB) at the input's size. `fit="pad"` fills the rest with the color `fill`."""
        height, width = self.size
        resample = Image.Resampling[self.interpolation.upper()]
        rows, columns = self._resized(*image.size)
        if check_fit(fit) == "crop" and rows * columns <= AFFORDABLE:
            left, top = _offset(columns, width), _offset(rows, height)
            return image.resize((columns, rows), resample).crop((left, top, left + width, top + height))
        if fit != "pad":
            # Resized as a whole, a 16 x 100000 image would have 1.6 million rows.
            return image.resize((width, height), resample, box=self.box(*image.size, fit))
        scale = min(width / image.width, height / image.height)
        inner = max(1, round(image.width * scale)), max(1, round(image.height * scale))
        canvas = Image.new("RGB", (width, height), fill)
        canvas.paste(image.resize(inner, resample), ((width - inner[0]) // 2, (height - inner[1]) // 2))
        return canvas

    def _resized(self, width: int, height: int) -> tuple[int, int]:
        """Return rows and columns of the whole resized image, rounded as by torchvision and timm."""
        rows, columns = self.grid
        if not self.keep_ratio:
            return rows, columns
        if rows != columns:
            ratio = min(height / rows, width / columns)
            return max(self.size[0], round(height / ratio)), max(self.size[1], round(width / ratio))
        short, long = sorted((width, height))
        stretched = int(rows * long / short)
        return (rows, stretched) if height <= width else (stretched, rows)


def _offset(whole: int, part: int) -> int:
    return round((whole - part) / 2)


def check_fit(fit: object) -> Fit:
    """Return `fit`. Raises CamvizError if it is not one of the three."""
    return choice(fit, get_args(Fit), Message("fit"))  # type: ignore[return-value]
