"""Images as arrays and tensors: every accepted form decodes to the same pixels."""

import numpy as np
import pytest
import torch
from PIL import Image

from camviz import CamvizError
from camviz.images import decode

PIXELS = np.random.default_rng(0).integers(0, 256, (17, 21, 3), dtype=np.uint8)
GRAY = PIXELS[:, :, 0]
PLANES = PIXELS.transpose(2, 0, 1)
CUT = np.dstack([PIXELS, np.full((17, 21), 255, np.uint8)])


@pytest.mark.parametrize(
    "given",
    [
        PIXELS,
        PIXELS[None],
        PLANES,
        PLANES[None],
        PIXELS.astype(np.int64),
        PIXELS.astype(np.int16),
        PIXELS.astype(np.uint32),
        PIXELS.astype(np.uint16) * 257,
        PIXELS / 255,
        (PIXELS / 255).astype(np.float32),
        (PIXELS / 255).astype(np.float16),
        PIXELS[:, ::-1].copy()[:, ::-1],
        PIXELS.astype(">i4"),
        CUT,
        torch.from_numpy(PIXELS),
        torch.from_numpy(PLANES.copy()),
        torch.from_numpy(PLANES.copy())[None],
        torch.from_numpy(PLANES / 255),
        torch.from_numpy(PLANES / 255).float().requires_grad_(),
        torch.from_numpy(PLANES / 255).to(torch.float32)[None],
    ],
)
def test_array_forms_decode_to_the_same_pixels(given) -> None:
    np.testing.assert_array_equal(np.asarray(decode(given)), PIXELS)


@pytest.mark.parametrize(
    "given",
    [GRAY, GRAY[:, :, None], GRAY[None], GRAY / 255, torch.from_numpy(GRAY.copy()), torch.from_numpy(GRAY / 255)[None]],
)
def test_gray_arrays_are_decoded(given) -> None:
    np.testing.assert_array_equal(np.asarray(decode(given)), np.dstack([GRAY] * 3))


def test_boolean_arrays_are_black_and_white() -> None:
    np.testing.assert_array_equal(np.asarray(decode(GRAY > 100)), np.dstack([(GRAY > 100) * np.uint8(255)] * 3))


def test_bfloat16_image_is_within_one_level() -> None:
    found = np.asarray(decode(torch.from_numpy(PLANES / 255).bfloat16())).astype(int)
    assert abs(found - PIXELS).max() <= 1


def test_transparent_pixels_are_white() -> None:
    clear = CUT.copy()
    clear[:, :, 3] = 0
    assert (np.asarray(decode(clear)) == 255).all()


def test_given_array_is_not_changed() -> None:
    given = PIXELS.copy()
    decode(given).paste("red", (0, 0, 9, 9))
    np.testing.assert_array_equal(given, PIXELS)


FORMS = r"an array must have the shape \(H, W\), .*; got "


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (np.zeros(3), FORMS + r"shape \(3,\), float64"),
        (np.array(5), FORMS + r"shape \(\)"),
        (np.zeros((0, 20, 3)), FORMS),
        (np.zeros((20, 20, 2)), FORMS),
        (np.zeros((20, 20, 5)), FORMS),
        (np.zeros((2, 20, 20, 3)), FORMS),
        (torch.zeros(2, 3, 20, 20), FORMS),
        (torch.zeros(1, 1, 3, 20, 20), FORMS),
        (np.zeros((20, 20, 3), complex), FORMS + ".*complex128"),
        (np.zeros((20, 20), object), FORMS + ".*object"),
        (np.zeros((20, 20), "M8[s]"), FORMS),
        (np.zeros((20, 20), "f4,f4"), FORMS),
        (np.array([["a"] * 20] * 20), FORMS),
        (torch.empty(3, 20, 20, device="meta"), FORMS + "torch.float32, torch.strided, meta"),
        (torch.zeros(3, 20, 20).to_sparse(), FORMS + "torch.float32, torch.sparse_coo, cpu"),
        (torch.zeros(3, 20, 20, dtype=torch.complex64), FORMS),
        (np.full((20, 20, 3), np.nan), "values that are not finite"),
        (np.full((20, 20, 3), np.inf, np.float32), "values that are not finite"),
        (PIXELS.astype(float), "an image of float64 has values of 0 to 1; got 0 to 255: give the image itself"),
        (PIXELS / 255 - 0.5, "got -0.5 to 0.5"),
        (PIXELS.astype(int) - 1, "an image of int64 has values of 0 to 255; got -1 to 254"),
        (PIXELS.astype(np.int32) * 300, "an image of int32 has values of 0 to 255"),
        (np.zeros((8, 20, 3)), "at least 16 pixels on each side; this image has 20 x 8"),
        ([PIXELS], "expected an image as a path, bytes, binary file, PIL image, array or tensor; got list"),
        (None, "got NoneType"),
        (3, "got int"),
        (Image, "got module"),
    ],
)
def test_wrong_arrays_are_refused(given, sentence) -> None:
    with pytest.raises(CamvizError, match=sentence):
        decode(given)
