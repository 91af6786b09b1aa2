"""Edit: what it replaces, in a question and in a recipe."""

import json
import shutil

import numpy as np
import pytest
from PIL import Image

import camviz
from camviz import CamvizError, edits
from camviz.explanation import recipe
from camviz.explanation.explain import ask

MASK = np.zeros((56, 56), bool)
MASK[20:40, 10:30] = True
TEXT = edits.pack(MASK)
SAMPLES = "assets/samples/{}.jpg"


@pytest.mark.parametrize(
    ("edit", "mask", "fill"),
    [
        ({"mask": TEXT}, MASK, "blur"),
        ({"mask": TEXT, "fill": "gray", "keep": True}, ~MASK, "gray"),
        ({"mask": TEXT, "paste": SAMPLES.format("macaw")}, MASK, None),
    ],
)
def test_edited_explanation_equals_that_of_the_edited_view(lite0, edit, mask, fill, tmp_path, monkeypatch) -> None:
    e = camviz.explain(lite0, SAMPLES.format("koala"), "grad_cam", target="koala", edit=edit)
    view = lite0.view(SAMPLES.format("koala"))
    expected = edits.apply(view, mask, lite0.view(SAMPLES.format("macaw")) if fill is None else fill)
    assert (e.view == expected).all() and (e.view != view).any()
    direct = camviz.explain(lite0, Image.fromarray(expected), "grad_cam", target="koala", fit="stretch")
    assert (e.attribution == direct.attribution).all() and e.probability == direct.probability
    assert e.question.key != e.question.replace(edit=None).key
    for name in ("koala", "macaw"):
        shutil.copy(SAMPLES.format(name), tmp_path)
    monkeypatch.chdir(tmp_path)
    data = json.loads(recipe.recipe_json(e.question, "koala.jpg"))
    again = camviz.explain(**{**data, "model": lite0})
    assert (again.attribution == e.attribution).all() and again.question.key == e.question.key
    names: dict[str, object] = {}
    code = recipe.snippet(e.question, "koala.jpg").replace("camviz.load_model('efficientnet_lite0')", "lite0")
    exec(code, {"lite0": lite0}, names)
    assert (names["explanation"].attribution == e.attribution).all()  # type: ignore[attr-defined]
    large = e.question.original_view(896)
    assert large.shape[0] > 224 and (large != e.question.replace(edit=None).original_view(896)).any(axis=2).mean() < 0.9


def test_edit_describes_itself() -> None:
    found = edits.Edit(TEXT, "gray", keep=True)
    assert (
        found.share == pytest.approx(1 - MASK.mean())
        and str(edits.describe(found)) == "87% of the image replaced (gray)"
    )
    assert edits.Edit(TEXT).key == edits.Edit(TEXT, "blur").key != edits.Edit(TEXT, keep=True).key


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        ({"mask": "???"}, "is no mask"),
        ({"mask": TEXT, "fill": "blurr"}, "did you mean 'blur'"),
        ({"mask": TEXT, "color": 3}, "an edit is a camviz.edits.Edit"),
        ({"mask": TEXT, "keep": 1}, "keep must be True or False"),
        ({"mask": TEXT, "seed": 0.5}, "seed must be a whole number"),
        (TEXT, "an edit is a camviz.edits.Edit"),
    ],
)
def test_wrong_edit_is_refused(lite0, edit, says) -> None:
    with pytest.raises(CamvizError, match=says):
        ask(lite0, SAMPLES.format("koala"), edit=edit)


def test_tried_windows_equal_single_predictions(lite0) -> None:
    windows = [(10, 4, 30, 24), (20, 14, 40, 34), (0, 0, 56, 56)]
    assert edits.unpack_windows(edits.pack_windows(windows)) == tuple(windows)
    found = edits.try_windows(lite0, SAMPLES.format("koala"), windows, "koala", fill="gray")
    view, index = lite0.view(SAMPLES.format("koala")), lite0.class_index("koala")
    before = edits.answers_of(lite0, [view])[0][index]
    total, count = np.zeros((56, 56)), np.zeros((56, 56))
    for (left, top, right, bottom), change in zip(windows, found.changes, strict=True):
        hidden = view.copy()
        hidden[4 * top : 4 * bottom, 4 * left : 4 * right] = 128
        assert change == pytest.approx(edits.answers_of(lite0, [hidden])[0][index] - before, abs=1e-5)
        total[top:bottom, left:right] += change
        count[top:bottom, left:right] += 1
    np.testing.assert_allclose(found.map, total / count)
    assert np.isnan(edits.TriedWindows(((1, 2, 3, 4),), np.array([0.5]), 0).map).sum() == 56 * 56 - 4


@pytest.mark.parametrize(
    "windows", [[], [(0, 0, 57, 4)], [(4, 0, 4, 4)], [(0.5, 0, 4, 4)], [(0, 0, 4)], 3, [(0, 0, 1, 1)] * 201]
)
def test_wrong_windows_are_refused(windows) -> None:
    with pytest.raises(CamvizError, match="window"):
        edits.pack_windows(windows)


@pytest.mark.parametrize("text", ["", "xx", edits.pack(MASK), None, "A" * 2000])
def test_wrong_window_texts_are_refused(text) -> None:
    with pytest.raises(CamvizError, match="holds no windows"):
        edits.unpack_windows(text)
