"""Pinned heatmaps: from Explain to Compare, also by a link."""

from collections.abc import Callable

from streamlit.testing.v1 import AppTest

from camviz.ui.compare import axes
from camviz.ui.inputs import pins

Start = Callable[..., AppTest]
FIRST = "sample:koala~efficientnet_lite0~bn2~105~grad_cam"
SECOND = "sample:koala~efficientnet_lite0~blocks.4~106~layer_cam"


def test_two_views_are_pinned_and_compared(start: Start, monkeypatch) -> None:
    chosen = []
    original = axes.choose
    monkeypatch.setattr(axes, "choose", lambda experiment: chosen.append(original(experiment)) or chosen[-1])
    app = start(img="sample:koala")
    app.button(key="pin").click().run()
    assert app.query_params["pins"] == FIRST and app.button(key="pin").label == "Unpin"
    for key, value in (("method", "layer_cam"), ("layer", "blocks.4"), ("target", 106)):
        app.selectbox(key=key).set_value(value).run()
    assert app.button(key="pin").label == "Pin"
    app.button(key="pin").click().run()
    assert app.query_params["pins"] == f"{FIRST},{SECOND}"
    assert app.button(key="compare_pins").label == "Compare 2 pins"
    app = start("pages/compare.py", columns="pins", rows="none", pins=app.query_params["pins"])
    assert not app.exception and not app.error
    (cells,) = chosen[-1].cells
    questions = [(q.method.key, q.layers, q.class_index, q.image.name) for q in cells]
    assert questions == [
        ("grad_cam", ("bn2",), 105, "koala.jpg"),
        ("layer_cam", ("blocks.4",), 106, "koala.jpg"),
    ]
    assert chosen[-1].links == [[pins.Pin.parse(FIRST).settings, pins.Pin.parse(SECOND).settings]]


def test_invalid_pins_of_a_link_are_dropped(start: Start) -> None:
    hostile = (
        "a~b~c~1~d",
        "sample:koala~../../etc~bn2~105~grad_cam",
        "x",
        "~~~~",
        "sample:koala~efficientnet_lite0~bn2~-1~rise",
    )
    app = start(pins=",".join((SECOND, *hostile)))
    assert not app.exception and app.session_state["pins"] == [SECOND]
    assert app.query_params["pins"] == SECOND
    app = start(
        "pages/compare.py", columns="pins", rows="none", pins=f"{FIRST},sample:koala~efficientnet_lite0~nowhere~1~cam"
    )
    assert not app.exception and len(app.error) == 1 and app.error[0].value.startswith("Layer 'nowhere' is not in")


def test_oldest_of_too_many_pins_is_dropped(start: Start) -> None:
    every = [f"sample:koala~efficientnet_lite0~bn2~{index}~grad_cam" for index in range(8)]
    app = start(img="sample:koala", pins=",".join(every))
    app.button(key="pin").click().run()
    assert app.session_state["pins"] == [*every[1:], FIRST]
    app.button(key="pin").click().run()
    assert app.session_state["pins"] == every[1:]
