"""Corruptions: unchanged at strength 0, growing with strength, and predictions along them."""

import numpy as np
import pytest
import scipy.ndimage

from camviz import CamvizError, edits
from tests.models.nets import SIDE, Small, images, load

SMOOTH = scipy.ndimage.gaussian_filter(np.random.default_rng(0).random((48, 48, 3)), (4, 4, 0))
VIEW = np.rint(255 * (SMOOTH - SMOOTH.min()) / np.ptp(SMOOTH)).astype(np.uint8)


@pytest.mark.parametrize("kind", edits.CORRUPTIONS)
def test_corruption_grows_with_its_strength(kind) -> None:
    views = [edits.corrupt(VIEW, kind, strength) for strength in (0, 0.05, 0.2, 0.5, 1.0)]
    assert (views[0] == VIEW).all() and views[0] is not VIEW
    changes = [np.abs(view.astype(int) - VIEW).mean() for view in views]
    assert changes[-1] > 10 and changes[1] < 15 and changes[2] > 0
    assert changes == sorted(changes) or kind in ("rotation", "zoom")
    assert all(view.dtype == np.uint8 and view.shape == VIEW.shape for view in views)
    assert (edits.corrupt(VIEW, kind, 0.5) == views[3]).all()
    assert (edits.corrupt(VIEW, kind, 0.5, seed=1) != views[3]).any() == (kind == "noise")


def test_corruptions_equal_their_definitions() -> None:
    assert abs(edits.corrupt(VIEW, "rotation", 0.5).astype(int) - np.rot90(VIEW)).max() <= 1
    assert abs(edits.corrupt(VIEW, "rotation", 1).astype(int) - VIEW[::-1, ::-1]).max() <= 1
    zoomed = edits.corrupt(VIEW, "zoom", 1).astype(float)  # a cell of 4 x 4 pixels is one of the center
    assert abs(zoomed.reshape(12, 4, 12, 4, 3).mean(axis=(1, 3)) - VIEW[18:30, 18:30])[1:-1, 1:-1].max() < 3
    noise = edits.corrupt(np.full((64, 64, 3), 128, np.uint8), "noise", 0.2).astype(float) - 128
    assert noise.std() == pytest.approx(25.5, rel=0.05) and abs(noise.mean()) < 1
    assert (edits.corrupt(VIEW, "brightness", 0.2) == np.minimum(255, np.rint(VIEW + 38.25))).all()
    black = np.zeros((9, 160, 3), np.uint8)
    for strength, hidden in ((0.4, 8 * 8), (1, 8 * 18)):  # pixels of a row, in periods of 20
        assert (edits.corrupt(black, "stripes", strength) == 128).all(axis=(0, 2)).sum() == hidden
    sharp = np.zeros((72, 72, 3), np.uint8)
    sharp[36, 36] = 255
    assert edits.corrupt(sharp, "blur", 1 / 6)[36, 36, 0] == round(255 / (2 * np.pi))  # a deviation of 1 pixel


@pytest.mark.parametrize("strength", [-0.1, 1.1, float("nan"), "0.5", None, True])
def test_strength_outside_0_to_1_is_refused(strength) -> None:
    with pytest.raises(CamvizError, match="strength"):
        edits.corrupt(VIEW, "blur", strength)
    with pytest.raises(CamvizError, match="did you mean 'rotation'"):
        edits.corrupt(VIEW, "rotate", 0.5)


@pytest.mark.parametrize("kind", ["", "norm", "noise"])
def test_predictions_along_a_corruption_equal_single_predictions(kind) -> None:
    model, (image,) = load(Small(kind)), images(1)
    reports = []
    curve = edits.corruption_curve(model, image, "noise", progress=lambda *done: reports.append(done))
    assert curve.strengths == tuple(step / 10 for step in range(11)) and reports[-1] == (11, 11)
    for view, answers, best in zip(curve.views, curve.answers, curve.predictions, strict=True):
        single = model.predict(view, 4, fit="stretch")
        assert {one.index: one.probability for one in single} == pytest.approx(dict(enumerate(answers)), abs=1e-5)
        assert best[0].index == single[0].index
    assert curve.of_class(2) == tuple(curve.answers[:, 2])
    other = [
        s for s, best in zip(curve.strengths, curve.predictions, strict=True) if best[0] != curve.predictions[0][0]
    ]
    assert curve.breaks_at is None or curve.breaks_at in other


def test_heatmap_moves_with_the_view() -> None:
    heatmap = VIEW[:, :, 0] / 255
    assert abs(edits.moved(heatmap, "rotation", 0.5) - np.rot90(heatmap)).max() < 1e-5
    for kind in edits.CORRUPTIONS:
        if kind in ("rotation", "zoom"):
            gray = np.repeat(VIEW[:, :, :1], 3, axis=2)
            assert abs(255 * edits.moved(heatmap, kind, 0.3) - edits.corrupt(gray, kind, 0.3)[:, :, 0]).max() <= 0.51
        else:
            assert (edits.moved(heatmap, kind, 0.3) == heatmap.astype(np.float32)).all()
    with pytest.raises(CamvizError, match="map has shape"):
        edits.moved(VIEW, "zoom", 0.5)


def test_views_of_another_size_are_refused() -> None:
    with pytest.raises(CamvizError, match="start from model"):
        edits.answers_of(load(Small()), [np.zeros((SIDE, SIDE + 1, 3), np.uint8)])
    with pytest.raises(CamvizError, match="at least one"):
        edits.corruption_curve(load(Small()), images(1)[0], "blur", [])
