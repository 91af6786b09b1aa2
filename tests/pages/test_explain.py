"""The Explain page without a browser: what it says, and what it takes from a link."""

from pathlib import Path

from streamlit.testing.v1 import AppTest

ROOT = Path(__file__).parents[2]


def start(**link: str) -> AppTest:
    app = AppTest.from_file(ROOT / "app.py", default_timeout=60)
    for key, value in link.items():
        app.query_params[key] = value
    return app.run()


def test_opens_on_a_sample_with_its_explanation() -> None:
    app = start()
    assert not app.exception
    assert any("96% sure this is an espresso" in text.value for text in app.markdown)


def test_a_link_sets_everything() -> None:
    app = start(img="sample:macaw", method="layer_cam", layer="blocks.3", target="89")
    assert not app.exception and not app.warning
    assert app.selectbox(key="method").value == "layer_cam"
    assert any("sulphur-crested cockatoo most at layer blocks.3" in text.value for text in app.markdown)


def test_unknown_values_in_a_link_fall_back_with_a_note() -> None:
    app = start(method="nonsense", target="4000", layer="blocks.99")
    assert not app.exception
    assert len(app.warning) == 3
    assert app.selectbox(key="method").value == "grad_cam"
