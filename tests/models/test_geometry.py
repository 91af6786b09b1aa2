"""Geometry: the view equals the network's input, and the crop is that of the weights' own transform."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
import torchvision.models as tv
from PIL import Image
from timm.data import create_transform
from torchvision.transforms import CenterCrop, Compose, Resize

import camviz
from camviz.models.geometry import Geometry
from camviz.models.sources import find_source

SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
SIZES = [(640, 427), (37, 211), (301, 57), (16, 16), (640, 641), (223, 1001), (999, 333)]


def sample_images() -> list[Image.Image]:
    photo = Image.open(SAMPLES / "macaw.jpg").convert("RGB")
    return [photo, *(photo.resize(size) for size in SIZES)]


def timm_transform(name: str) -> Compose:
    config = timm.get_pretrained_cfg(name)
    keys = ("input_size", "interpolation", "crop_pct", "crop_mode")
    return Compose(create_transform(**{key: getattr(config, key) for key in keys}).transforms[:2])


def torchvision_transform(name: str) -> Compose:
    preset = tv.get_model_weights(name).DEFAULT.transforms()
    return Compose([Resize(preset.resize_size, preset.interpolation), CenterCrop(preset.crop_size)])


@pytest.mark.parametrize(
    ("name", "transform"),
    [
        *((f"efficientnet_lite{n}", timm_transform(f"tf_efficientnet_lite{n}")) for n in (0, 1, 2)),
        *((name, torchvision_transform(name)) for name in ("alexnet", "resnet50", "inception_v3", "efficientnet_b0")),
        ("timm/resnet50.a1_in1k", timm_transform("resnet50.a1_in1k")),
        ("timm/dm_nfnet_f0.dm_in1k", timm_transform("dm_nfnet_f0.dm_in1k")),  # squeezed, then cropped
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_crop_equals_the_transform_of_the_weights(name: str, transform: Compose) -> None:
    geometry = find_source(name).geometry
    for picture in sample_images():
        np.testing.assert_array_equal(geometry.apply(picture), transform(picture), err_msg=str(picture.size))


def test_crop_to_a_rectangle_equals_timm() -> None:
    transform = Compose(create_transform(input_size=(3, 96, 50), interpolation="bicubic", crop_pct=0.9).transforms[:2])
    for picture in sample_images():
        np.testing.assert_array_equal(Geometry((96, 50), (106, 55), "bicubic").apply(picture), transform(picture))


@pytest.mark.parametrize("upright", [True, False])
def test_extreme_shapes_are_cropped_before_resizing(upright: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    # Far from black and white: what is cut off there depends on which side Pillow resizes first.
    noise = np.random.default_rng(0).integers(96, 160, (100_000, 16, 3), dtype=np.uint8)
    pixels = noise if upright else noise.transpose(1, 0, 2)
    middle = noise[49_968:50_032] if upright else pixels[:, 49_968:50_032]
    height, width = middle.shape[:2]
    # 256 / 16 = 16 times larger, so the middle of the whole is the middle of its enlarged middle.
    large = Image.fromarray(np.ascontiguousarray(middle)).resize((16 * width, 16 * height), Image.Resampling.BICUBIC)
    left, top = (16 * width - 224) // 2, (16 * height - 224) // 2
    expected = np.asarray(large.crop((left, top, left + 224, top + 224))).astype(int)

    made: list[tuple[int, int]] = []
    resize = Image.Image.resize

    def record_size(image: Image.Image, size: tuple[int, int], *arguments: Any, **settings: Any) -> Image.Image:
        made.append(size)
        return resize(image, size, *arguments, **settings)

    monkeypatch.setattr(Image.Image, "resize", record_size)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    seen = np.asarray(Geometry((224, 224), (256, 256), "bicubic").apply(picture)).astype(int)
    assert made == [(224, 224)]  # the whole, 256 x 1600000, would take 1.6 GB
    assert np.abs(seen - expected).max() <= 2


def test_crop_box_in_the_original_image() -> None:
    geometry = Geometry((224, 224), (256, 256))
    # 640 x 480 becomes 341 x 256, cropped at (58, 16).
    assert geometry.box(640, 480) == pytest.approx((58 * 640 / 341, 30, 282 * 640 / 341, 450))
    assert geometry.box(480, 640) == pytest.approx((30, 58 * 640 / 341, 450, 282 * 640 / 341))
    assert geometry.box(640, 480, "pad") == geometry.box(640, 480, "stretch") == (0, 0, 640, 480)


def test_pad_keeps_the_whole_image(lite0: camviz.Model) -> None:
    photo = Image.open(SAMPLES / "macaw.jpg").convert("RGB").resize((400, 200))
    view = lite0.view(photo, fit="pad")
    np.testing.assert_array_equal(view[56:168], photo.resize((224, 112), Image.Resampling.BICUBIC))
    assert (view[:56] == 128).all()
    assert (view[168:] == 128).all()
    outside = lite0.preprocess(photo, fit="pad")[:, :, :56]
    assert outside.abs().max() <= 0.5 / 255 / 0.5 + 1e-6  # half a gray level from zero


def test_stretch_resizes_both_sides(lite0: camviz.Model) -> None:
    photo = Image.open(SAMPLES / "macaw.jpg").convert("RGB").resize((400, 200))
    np.testing.assert_array_equal(lite0.view(photo, "stretch"), photo.resize((224, 224), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("fit", ["crop", "pad", "stretch"])
def test_input_is_the_view_normalized(lite0: camviz.Model, coffee: Path, fit: str) -> None:
    view = lite0.view(coffee, fit)
    assert (view.dtype, view.shape) == (np.uint8, (224, 224, 3))
    expected = (torch.from_numpy(view).permute(2, 0, 1).float() / 255 - 0.5) / 0.5
    assert torch.equal(lite0.preprocess(coffee, fit), expected[None])


def test_path_bytes_and_image_give_the_same_view(lite0: camviz.Model, coffee: Path) -> None:
    expected = lite0.view(coffee)
    with Image.open(coffee) as image:
        np.testing.assert_array_equal(lite0.view(image), expected)
    np.testing.assert_array_equal(lite0.view(coffee.read_bytes()), expected)


def test_wrong_fit_and_size_are_refused() -> None:
    with pytest.raises(camviz.CamvizError, match="fit 'crops' is not in crop, pad, stretch; did you mean 'crop'"):
        Geometry((224, 224), (256, 256)).apply(Image.new("RGB", (32, 32)), "crops")  # type: ignore[arg-type]
    with pytest.raises(camviz.CamvizError, match=r"of 8 to 4096; got \(4, 224\)"):
        Geometry((4, 224), (256, 256))
