"""Receptive fields of cells: measured once for a layer, then taken from the cache."""

import threading
from concurrent.futures import ThreadPoolExecutor

import torch

import camviz
from camviz.inspection.receptive_field import receptive_field
from camviz.inspection.summary import blank
from camviz.ui.server import singletons
from camviz.ui.widgets import stage
from tests.methods.nets import Modules, build


def test_receptive_fields_are_measured_once_per_layer(monkeypatch):
    singletons.clear_singletons()
    model = camviz.load_model(build(Modules, dtype=torch.float32), name="tiny", input_size=(32, 40))
    (layer, *_) = [layer.name for layer in model.layers if layer.height > 2]
    height, width = model.layer(layer).height, model.layer(layer).width
    corners = [(0, 0), (height - 1, width - 1), (height // 2, 1)]
    plain = [receptive_field(model.net, blank(model), model.module(layer), *corner) for corner in corners]
    first = stage.receptive_field_of(model, layer, *corners[0])
    monkeypatch.setattr(model.net, "forward", None)  # nothing is measured from here on
    assert [first, *(stage.receptive_field_of(model, layer, *corner) for corner in corners[1:])] == plain


def test_threads_measure_a_layer_once(monkeypatch):
    singletons.clear_singletons()
    model = camviz.load_model(build(Modules, dtype=torch.float32), name="tiny", input_size=(32, 40))
    (layer, *_) = [layer.name for layer in model.layers if layer.height > 2]
    calls, measured, together = [], stage.Cells.measured, threading.Barrier(8)

    def counted(*given):
        calls.append(given)
        return measured(*given)

    def visit(_):
        together.wait()
        return stage.receptive_field_of(model, layer, 0, 0)

    monkeypatch.setattr(stage.Cells, "measured", counted)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(visit, range(8)))) == len(calls) == 1
