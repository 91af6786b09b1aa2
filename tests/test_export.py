import ast
import io
import json
import re
import zipfile
from types import SimpleNamespace
from typing import Annotated

import numpy as np
import pytest
import torch
from PIL import Image

import camviz
from camviz import encode, export, render, scores, text
from camviz.errors import CamvizError
from camviz.explanation import recipe
from camviz.explanation.explanation import Explanation, Result
from camviz.explanation.question import Question
from camviz.models import Weights
from camviz.registry import METHODS, Method, Range, knobs_of

MUG = scores.logit(504)
RANDOM = np.random.default_rng(0)
VIEW = RANDOM.integers(0, 256, (16, 24, 3), dtype=np.uint8)


def explanation(score=MUG, settings=None, layers=("blocks.6",), fit="crop", probability=0.25, **model):
    """Return an explanation with given settings and an invented map."""
    named = {
        "name": "efficientnet_lite0",
        "weights": Weights("default", "imagenet"),
        "categories": ["coffee mug"] * 1000,
        **model,
    }
    question = Question(
        model=SimpleNamespace(head="softmax", unit="", has_probabilities=True, **named),
        image=SimpleNamespace(digest="ab" * 32),
        method=METHODS["toy_cam"],
        settings={"samples": 50, "fast": False} if settings is None else settings,
        layers=layers,
        score=score,
        fit=fit,
    )
    attribution = np.arange(-6, 6, dtype=np.float32).reshape(3, 4)
    return Explanation(question, Result(attribution, VIEW, probability, 0.5, 1, 1, ("café",)))


@pytest.fixture(autouse=True)
def toy_method(monkeypatch):
    def toy_cam(net, x, score, layer, *, samples: Annotated[int, Range(1, 99)] = 50, fast: bool = False):
        """Only here for its knobs."""

    toy = Method("toy_cam", "Toy", "", toy_cam, knobs_of(toy_cam), "cam", "required")
    monkeypatch.setitem(METHODS, "toy_cam", toy)


def decode(content):
    return Image.open(io.BytesIO(content))


def test_png_is_lossless_and_jpeg_nearly():
    np.testing.assert_array_equal(np.asarray(decode(encode.png(VIEW))), VIEW)
    smooth = render.colorize(np.linspace(0, 1, 64 * 64, dtype=np.float32).reshape(64, 64))
    picture = decode(encode.jpeg(smooth))
    assert picture.format == "JPEG"
    assert np.abs(np.asarray(picture).astype(int) - smooth).mean() < 3
    striped = np.tile(np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8), (16, 8, 1))  # color changes at every pixel
    assert np.abs(np.asarray(decode(encode.jpeg(striped))).astype(int) - striped).mean() < 20
    assert len(encode.jpeg(VIEW, quality=30)) < len(encode.jpeg(VIEW, quality=95))
    for bad in (VIEW[:, :, 0], VIEW / 255, np.zeros((4, 4, 4), np.uint8)):
        with pytest.raises(CamvizError, match="uint8 of shape"):
            encode.png(bad)


def test_npz_contains_the_raw_map_and_its_settings():
    e = explanation()
    archive = np.load(io.BytesIO(export.npz(e)))  # no pickle needed
    np.testing.assert_array_equal(archive["attribution"], e.attribution)
    np.testing.assert_array_equal(archive["heatmap"], e.heatmap)
    np.testing.assert_array_equal(archive["view"], e.view)
    assert json.loads(str(archive["settings"])) == recipe.settings(e)


def test_settings_contain_all_that_reproduces_the_map():
    settings = json.loads(recipe.settings_json(explanation()))
    assert settings == {
        "camviz": camviz.__version__,
        "torch": torch.__version__,
        "image_sha256": "ab" * 32,
        "fit": "crop",
        "fuse": None,
        "edit": None,
        "model": "efficientnet_lite0",
        "weights": "imagenet",
        "method": "toy_cam",
        "layer": "blocks.6",
        "target": 504,
        "label": "coffee mug",
        "score": "logit(c=504)",
        "probability": 0.25,
        "knobs": {"samples": 50, "fast": False},
        "seconds": 0.5,
        "forward_passes": 1,
        "backward_passes": 1,
        "notes": ["café"],
    }
    assert "NaN" not in recipe.settings_json(explanation(probability=float("nan")))


def calls(code):
    compile(code, "snippet", "exec")
    return {
        ast.unparse(node.func): (
            [ast.unparse(argument) for argument in node.args],
            {keyword.arg: ast.unparse(keyword.value) for keyword in node.keywords},
        )
        for node in ast.walk(ast.parse(code))
        if isinstance(node, ast.Call)
    }


def test_snippet_contains_only_settings_that_differ_from_the_default():
    code = recipe.snippet(explanation().question, "mug.jpg")
    assert len([line for line in code.splitlines() if line]) == 5
    found = calls(code)
    assert found["camviz.load_model"] == (["'efficientnet_lite0'"], {})
    arguments = ["model", "'mug.jpg'", "'toy_cam'"]
    assert found["camviz.explain"] == (arguments, {"target": "504", "layer": "'blocks.6'"})


def test_snippet_contains_every_setting():
    random = Weights("random")
    e = explanation(scores.contrast(281, 282), {"samples": 7, "fast": False}, (), "pad", weights=random)
    name = 'my "best"\nmug\'s.jpg'
    found = calls(recipe.snippet(e.question, name))
    assert found["camviz.load_model"] == (["'efficientnet_lite0'"], {"weights": "'random'"})
    assert found["camviz.explain"] == (
        ["model", repr(name), "'toy_cam'"],
        {"target": "camviz.scores.contrast(281, 282)", "fit": "'pad'", "samples": "7"},
    )


@pytest.mark.parametrize(
    ("weights", "call"),
    [
        (Weights("default", "IMAGENET1K_V1"), (["'resnet18'"], {})),
        (Weights("default", "a1.in1k"), (["'resnet18'"], {})),
        (Weights("random"), (["'resnet18'"], {"weights": "'random'"})),
        (Weights("file", "runs/mine.pth"), (["'resnet18'"], {"weights": "'runs/mine.pth'"})),
        (Weights("file", "checkpoint"), (["'resnet18'"], {"weights": "'checkpoint'"})),
        (Weights("file", "random"), (["'resnet18'"], {"weights": "'./random'"})),
        (Weights("program", "runs/net.pt2"), (["'runs/net.pt2'"], {})),
        (Weights("custom", "1a2b3c4d"), (["network"], {"name": "'resnet18'"})),
    ],
)
def test_snippet_names_weights_only_if_load_model_needs_them(weights, call):
    code = recipe.snippet(explanation(name="resnet18", weights=weights).question, "a.jpg")
    assert calls(code)["camviz.load_model"] == call


@pytest.mark.parametrize(
    ("score", "target"),
    [
        (scores.probability(3), "camviz.scores.probability(3)"),
        (scores.logit(504), "504"),
        (scores.contrast(1, 2), "camviz.scores.contrast(1, 2)"),
    ],
)
def test_snippet_writes_scores_as_python(score, target):
    assert calls(recipe.snippet(explanation(score).question, "a.jpg"))["camviz.explain"][1]["target"] == target


@pytest.mark.parametrize("score", [lambda values: values[:, 0], max])
def test_snippet_refuses_a_score_that_it_cannot_write(score):
    with pytest.raises(CamvizError, match="your own score"):
        recipe.snippet(explanation(score).question, "a.jpg")


@pytest.mark.parametrize(
    ("parts", "name"),
    [
        (("Café au lait", "grad_cam", "blocks.6"), "cafe-au-lait-grad_cam-blocks-6"),
        (("../../etc/passwd",), "etc-passwd"),
        (("猫", ""), "camviz"),
        (("x" * 100, "grad_cam"), "x" * 55 + "-grad_cam"),
    ],
)
def test_file_names_are_safe(parts, name):
    assert text.file_name(*parts) == name


def test_file_names_never_exceed_the_limit():
    for parts in ([], ["a-"] * 80, ["..."], ["word " * 30] * 5):
        assert re.fullmatch(r"[a-z0-9_-]{1,64}", text.file_name(*parts))


def test_wrap_fits_every_line_and_loses_no_text():
    text = "Guided Grad-CAM at features.18.conv_of_a_long_name, " + "W" * 60
    lines = encode.wrap(text, 120, 16)
    assert all(encode._font(16).getlength(line) <= 120 for line in lines)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    short = encode.wrap(text, 120, 16, lines=2)
    assert short[0] == lines[0] and len(short) == 2 and short[1].endswith("…")
    assert encode._font(16).getlength(short[1]) <= 120
    assert encode.wrap("", 120, 16) == []


def test_contact_sheet_has_no_overlap():
    side, gap = encode.CELL, encode.GAP
    red, blue = np.full((side, side, 3), (200, 0, 0), np.uint8), np.full((30, 60, 3), (0, 0, 200), np.uint8)
    columns = ["Grad-CAM " * 20, "b"]
    tiles = [red, "no ReLU " * 99, blue, red]
    sheet = encode.contact_sheet(tiles, 2, title="Title", row_labels=["row " * 40, "r" * 90], column_labels=columns)
    np.testing.assert_array_equal(np.asarray(decode(encode.png(sheet))), sheet)
    grid = sheet.astype(int)
    reds = np.argwhere((grid == (200, 0, 0)).all(axis=2))
    top, left = reds.min(axis=0)
    assert (reds.max(axis=0) - (top, left) == 2 * side + gap - 1).all()
    np.testing.assert_array_equal(grid[top : top + side, left : left + side], red)
    np.testing.assert_array_equal(grid[top + side + gap :, left + side + gap :][:side, :side], red)
    # An image of 2:1 fills half of its square, in the middle, on white.
    second = grid[top + side + gap :, left:][:side, :side]
    blues = np.argwhere((second == (0, 0, 200)).all(axis=2))
    assert (blues.min(axis=0), blues.max(axis=0)) == (pytest.approx((56, 0)), pytest.approx((167, 223)))
    # Text stays out of the gutters: between the columns, between the rows, beside the row labels, at the rim.
    assert (grid[top:, left - gap : left] == 255).all()
    assert (grid[:, left + side : left + side + gap][top - 60 :] == 255).all()
    assert (grid[top + side : top + side + gap] == 255).all()
    assert (grid[:16] == 255).all() and (grid[:, -16:] == 255).all()
    # The missing cell is pale, with dark text in it and a clear rim.
    missing = grid[top : top + side, left + side + gap :][:, :side]
    assert (missing[:8] == missing[0, 0]).all() and (missing[:, :8] == missing[0, 0]).all()
    assert missing.min() < 120


def test_contact_sheet_with_captions_and_a_missing_image():
    red = np.full((224, 224, 3), (200, 0, 0), np.uint8)
    sheet = encode.contact_sheet([red, "no ReLU", red], 2, ["one", "two", "three"])
    cell, gap, margin, caption = encode.CELL, encode.GAP, encode.MARGIN, encode.CAPTION
    assert sheet.shape == (2 * margin + 2 * (cell + caption), 2 * margin + 2 * cell + gap, 3)
    np.testing.assert_array_equal(sheet[margin : margin + cell, margin : margin + cell], red)
    second = sheet[margin : margin + cell, margin + cell + gap :][:, :cell]
    assert (second[:8] == second[0, 0]).all() and second.min() < 120  # pale, with dark text
    below = sheet[margin + cell : margin + cell + caption, margin : margin + cell]
    assert below.min() < 120 and (sheet[margin + cell + caption :, margin + cell + gap :] == 255).all()
    assert (encode.contact_sheet(["not computed"], 1) != encode.contact_sheet(["no ReLU"], 1)).any()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"column_labels": ["a", "b", "c"]}, "cannot have 0 row labels, 3 column labels"),
        ({"row_labels": ["a", "b"]}, "1 rows, 2 columns and 2 images cannot have 2 row"),
        ({"captions": ["a"]}, "and 1 captions"),
    ],
)
def test_contact_sheet_refuses_a_wrong_number_of_labels(labels, message):
    with pytest.raises(CamvizError, match=message):
        encode.contact_sheet(["", ""], 2, **labels)


def test_montage_places_images_row_by_row():
    images = np.arange(3 * 2 * 4 * 3, dtype=np.uint8).reshape(3, 2, 4, 3)
    whole = encode.montage(list(images), columns=2, gap=1)
    assert whole.shape == (2 + 1 + 2, 4 + 1 + 4, 3)
    for image, (top, left) in zip(images, ((0, 0), (0, 5), (3, 0)), strict=True):
        np.testing.assert_array_equal(whole[top : top + 2, left : left + 4], image)
    assert (whole[2] == 255).all() and (whole[:, 4] == 255).all() and (whole[3:, 5:] == 255).all()
    np.testing.assert_array_equal(encode.montage(list(images[:2]), columns=2), np.concatenate(list(images[:2]), axis=1))


def test_zip_names_are_safe_and_unique():
    settings = {"cells": [1, 2]}
    files = {"../Café.png": b"1", "cafe.PNG": b"2", "settings.json": b"3", "plain": b"4"}
    content = export.grid_zip(files, settings)
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert archive.namelist() == ["cafe.png", "cafe-2.png", "settings-2.json", "plain", "settings.json"]
    assert [archive.read(name) for name in archive.namelist()[:4]] == [b"1", b"2", b"3", b"4"]
    assert json.loads(archive.read("settings.json")) == settings
    assert content == export.grid_zip(files, settings)
