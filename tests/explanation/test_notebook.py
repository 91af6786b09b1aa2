"""An explanation in a notebook: the widget holds the stage's data; image and text are the fallback."""

import base64
import dataclasses
import io
import json

import ipywidgets
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from ipywidgets.embed import dependency_state
from PIL import Image

import camviz
from camviz.explanation import notebook
from camviz.inspection.cell_fields import cell_fields
from camviz.stage import component

VIEW = "application/vnd.jupyter.widget-view+json"


@pytest.fixture(scope="module")
def e(lite0, coffee) -> camviz.Explanation:
    return camviz.explain(lite0, coffee, "grad_cam")


def test_widget_holds_map_image_and_receptive_fields(e):
    shown, _ = DisplayFormatter().format(e)
    assert set(shown) == {VIEW, "text/plain", "text/html", "image/png"}
    widget = ipywidgets.widgets.widget._instances[shown[VIEW]["model_id"]]
    data = widget.data
    values = np.frombuffer(base64.b64decode(data["values"]), "<i2").reshape(data["rows"], data["columns"])
    np.testing.assert_allclose(values / 32767 * data["top"], e.attribution.clip(min=0), atol=data["top"] / 65000)
    model = e.question.model
    fields = cell_fields(model.net, model.preprocess(e.question.image), model.module("bn2"), 7, 7)
    assert (data["fields"]["rows"], data["fields"]["size"]) == (fields.rows, fields.size)
    image = Image.open(io.BytesIO(base64.b64decode(data["image"].partition(",")[2])))
    assert image.format == "JPEG" and image.size == (350, 350)  # the photo's own pixels
    assert data["words"]["readout"]["whole"].startswith("Value {value}, {share} of the scale; row {row}")
    assert component.SCRIPT in widget._esm and json.dumps(component.HTML) in widget._esm
    assert (
        len(json.dumps(dependency_state([widget], drop_defaults=False))) < 120_000
    )  # what each map adds to a saved notebook


def test_output_without_widgets_is_an_image_and_a_sentence(e):
    result = dataclasses.replace(e.result, notes=("<i>",))
    shown, _ = DisplayFormatter().format(dataclasses.replace(e, result=result))
    picture = np.asarray(Image.open(io.BytesIO(base64.b64decode(shown["image/png"]))))
    assert picture.shape == (224, 2 * 224 + 8, 3)
    np.testing.assert_array_equal(picture[:, :224], e.view)
    assert shown["text/plain"].startswith("Grad-CAM of espresso (95.7%)")
    assert 'alt="Grad-CAM of espresso over the image"' in shown["text/html"] and "&lt;i&gt;" in shown["text/html"]


def test_html_is_shown_without_anywidget(e, monkeypatch):
    monkeypatch.setattr(notebook, "find_spec", lambda _: None)
    shown, _ = DisplayFormatter().format(e)
    assert set(shown) == {"text/plain", "text/html"} and shown["text/html"] == e._repr_html_()
