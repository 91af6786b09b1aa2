"""Masks and fills against plain loops; masks in links; superpixels."""

import base64
import zlib
from itertools import product

import numpy as np
import pytest
import scipy.ndimage
import skimage.segmentation

import camviz
from camviz import CamvizError, edits
from camviz.perturbation.superpixels import lab

RNG = np.random.default_rng(0)
VIEW = RNG.integers(0, 256, (26, 34, 3), dtype=np.uint8)
MASK = RNG.random((5, 7)) < 0.4


def enlarge_by_loop(mask, height, width):
    """Take for each pixel the cell that contains its center."""
    (h, w), big = mask.shape, np.zeros((height, width), bool)
    for i, j in product(range(height), range(width)):
        big[i, j] = mask[int((i + 0.5) * h / height), int((j + 0.5) * w / width)]
    return big


@pytest.mark.parametrize("fill", [*edits.FILLS, VIEW[::-1]], ids=[*edits.FILLS, "paste"])
@pytest.mark.parametrize("mask", [MASK, MASK.astype(int), MASK.astype(np.float32), np.zeros((26, 34), bool)])
def test_only_masked_pixels_change(fill, mask) -> None:
    before = VIEW.copy()
    before.flags.writeable = False
    edited = edits.apply(before, mask, fill)
    hidden = enlarge_by_loop(mask, 26, 34) == 1
    assert edited.dtype == np.uint8 and edited.shape == VIEW.shape and edited is not before
    assert (edited[~hidden] == VIEW[~hidden]).all() and (before == VIEW).all()
    assert (edited[hidden] != VIEW[hidden]).any(axis=1).mean() > 0.9 if hidden.any() else (edited == VIEW).all()
    edited[:] = 0  # a copy, with memory of its own
    assert (before == VIEW).all()


def test_fills_equal_their_definitions() -> None:
    hidden = enlarge_by_loop(MASK, 26, 34)
    assert (edits.apply(VIEW, MASK, "gray")[hidden] == 128).all()
    assert (edits.apply(VIEW, MASK, "mean")[hidden] == np.rint(VIEW.reshape(-1, 3).mean(axis=0))).all()
    assert (edits.apply(VIEW, MASK, VIEW[::-1])[hidden] == VIEW[::-1][hidden]).all()
    smooth = scipy.ndimage.gaussian_filter(VIEW.astype(float), (1.3, 1.3, 0), mode="nearest", radius=(4, 4, 0))
    assert abs(edits.apply(VIEW, MASK, "blur")[hidden] - smooth[hidden]).max() <= 0.51
    one, again, other = (edits.apply(VIEW, MASK, "noise", seed=seed) for seed in (0, 0, 1))
    assert (one == again).all() and (one != other)[hidden].mean() > 0.9
    assert 110 < one[hidden].mean() < 146 and one[hidden].std() > 60


def test_inpainting_continues_a_ramp() -> None:
    ramp = np.zeros((30, 40, 3), np.uint8)
    ramp[:] = (6 * np.arange(40))[None, :, None]
    hole = np.zeros((30, 40), bool)
    hole[8:22, 10:30] = True
    assert (edits.apply(np.where(hole[..., None], 255, ramp).astype(np.uint8), hole, "inpaint") == ramp).all()
    with pytest.raises(CamvizError, match="none of them can be imputed"):
        edits.apply(ramp, np.ones((2, 2), bool), "inpaint")


def test_keep_inverts_the_mask() -> None:
    hidden = enlarge_by_loop(MASK, 26, 34)
    kept = edits.apply(VIEW, edits.inverted(MASK), "gray")
    assert (kept[hidden] == VIEW[hidden]).all() and (kept[~hidden] == 128).all()


def test_mask_survives_enlarging_and_the_grid() -> None:
    mask = RNG.random((56, 56)) < 0.3
    assert (edits.on_grid(edits.enlarged(mask, (240, 224))) == mask).all()
    assert (edits.enlarged(mask, (240, 131)) == enlarge_by_loop(mask, 240, 131)).all()
    half = np.zeros((112, 112), bool)
    half[:, ::2] = True
    assert edits.on_grid(half).all()
    half[::2] = False
    assert not edits.on_grid(half).any()


@pytest.mark.parametrize(
    ("view", "mask", "fill", "says"),
    [
        (VIEW.astype(float), MASK, "blur", "uint8"),
        (VIEW[..., 0], MASK, "blur", "shape \\(26, 34\\)"),
        (VIEW[:0], MASK, "blur", "no pixels"),
        ("view", MASK, "blur", "got str"),
        (VIEW, RNG.random((5, 7)), "blur", "threshold"),
        (VIEW, np.full((5, 7), np.nan), "blur", "got nan"),
        (VIEW, MASK[None], "blur", "shape \\(1, 5, 7\\)"),
        (VIEW, np.zeros((27, 34), bool), "blur", "coarser"),
        (VIEW, "mask", "blur", "a mask is an array"),
        (VIEW, MASK, "grey", "did you mean 'gray'"),
        (VIEW, MASK, VIEW[:-1], r"the view to paste from must have the size \(26, 34\); got \(25, 34\)"),
        (VIEW, MASK, None, "a view is an array"),
    ],
)
def test_wrong_input_is_refused(view, mask, fill, says) -> None:
    with pytest.raises(CamvizError, match=says):
        edits.apply(view, mask, fill)


# ------------------------------------------------------------------------------------------------- masks in links


@pytest.mark.parametrize("share", [0, 0.02, 0.5, 1])
def test_packed_mask_is_unpacked(share) -> None:
    mask = np.random.default_rng(3).random((56, 56)) < share
    text = edits.pack(mask)
    assert (edits.unpack(text) == mask).all() and edits.unpack(text).dtype == bool
    assert len(text) <= 560 and text.replace("-", "a").replace("_", "a").isalnum()


def test_stroke_is_packed_into_few_characters() -> None:
    rows, columns = np.mgrid[:56, :56]
    stroke = ((rows - 20) ** 2 + (columns - 30) ** 2 < 64) | ((rows - 28) ** 2 + (columns - 33) ** 2 < 64)
    assert len(edits.pack(stroke)) < 80


def raw(data: bytes, more: bytes = b"") -> str:
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.urlsafe_b64encode(squeeze.compress(data) + squeeze.flush() + more).decode().rstrip("=")


@pytest.mark.parametrize(
    "text",
    [
        *("", "a", "AAAA", "%%%", "ä" * 20, "a" * 561, None, 5),
        *(raw(b"1" * 391), raw(b"0" * 10**5), raw(b"1" * 392, b"x")),
        edits.pack(MASK.repeat(8, 1).repeat(12, 0)[:56, :56])[:-3],
    ],
)
def test_damaged_mask_text_is_refused(text) -> None:
    with pytest.raises(CamvizError, match="no mask of 56 x 56"):
        edits.unpack(text)


def test_masks_of_another_size_are_not_packed() -> None:
    with pytest.raises(CamvizError, match="on_grid"):
        edits.pack(np.zeros((57, 56), bool))


# ------------------------------------------------------------------------------------------------- superpixels


def test_superpixels_are_connected_and_as_uniform_as_slic(coffee) -> None:
    view = camviz.load_model("efficientnet_lite0").view(coffee)
    found = edits.segments(view)
    count = int(found.max()) + 1
    assert found.shape == view.shape[:2] and 90 <= count <= 140
    assert sorted(np.unique(found)) == list(range(count))
    for number in range(count):
        assert scipy.ndimage.label(found == number)[1] == 1

    def spread(labels):
        colors = lab(view).reshape(-1, 3)
        sums = [np.bincount(labels.ravel(), weights=one) for one in colors.T]
        means = (np.stack(sums) / np.bincount(labels.ravel())).T
        return ((colors - means[labels.ravel()]) ** 2).sum(axis=1).mean()

    peer = skimage.segmentation.slic(view, n_segments=count, compactness=12, start_label=0)
    squares = np.arange(224)[:, None] * 11 // 224 * 11 + np.arange(224) * 11 // 224
    assert spread(found) < 1.1 * spread(peer) < 0.7 * spread(squares)
    assert abs(lab(view) - skimage.color.rgb2lab(view)).max() < 0.1


def test_superpixels_do_not_cross_an_edge() -> None:
    view = np.zeros((40, 60, 3), np.uint8)
    view[:, 27:] = (200, 40, 90)
    found = edits.segments(view, 12)
    assert not set(found[:, :27].ravel()) & set(found[:, 27:].ravel())
    assert edits.segments(view, 1).max() == 0
    for wrong in (0, 601, True, "x"):
        with pytest.raises(CamvizError, match="number of superpixels"):
            edits.segments(view, wrong)
