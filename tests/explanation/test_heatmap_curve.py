"""Heatmaps along a corruption: equal to those of single views, and compared with the moved original heatmap."""

import numpy as np
import pytest
from scipy.stats import spearmanr

import camviz
from camviz import CamvizError, edits
from camviz.render import upsample
from tests.models.nets import Small, images, load


@pytest.mark.parametrize("method", ["grad_cam", "guided_backprop", "occlusion"])
def test_heatmap_curve_equals_single_explanations(method) -> None:
    model, (image,) = load(Small()), images(1)
    e = camviz.explain(model, image, method, target=2)
    curve, done = edits.corruption_curve(model, image, "rotation", (0, 0.5, 1)), []
    found = camviz.heatmap_curve(e, "rotation", (0, 0.5, 1), progress=lambda *given: done.append(given))
    assert done[-1][0] == done[-1][1]
    flat = (lambda values: abs(values).sum(axis=0)) if method == "guided_backprop" else lambda values: values
    for turns, view, one, similarity in zip(
        (0, 1, 2), curve.views, found.explanations, found.similarities, strict=True
    ):
        single = camviz.explain(model, view, method, target=2, fit="stretch")
        assert one.attribution == pytest.approx(single.attribution, abs=1e-5)
        size = e.view.shape[:2]
        before, after = (upsample(flat(each.attribution), size) for each in (e, single))
        expected = spearmanr(np.rot90(before, turns).ravel(), after.ravel()).statistic
        assert similarity == pytest.approx(expected, abs=0.005)
    assert found.similarities[0] == pytest.approx(1, abs=1e-6)
    under = [strength for strength, one in zip(found.strengths, found.similarities, strict=True) if one < 0.5]
    assert found.breaks_at == (under[0] if under else None)
    with pytest.raises(CamvizError, match="heatmap_curve takes an explanation"):
        camviz.heatmap_curve(curve, "rotation")  # type: ignore[arg-type]
