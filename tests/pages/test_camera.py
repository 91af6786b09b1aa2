"""The camera is offered where a browser allows it: over https and on the local machine."""

import pytest

from camviz.ui.inputs import image_input


@pytest.mark.parametrize(
    ("url", "given"),
    [
        ("https://camviz.example.org/compare", True),
        ("http://localhost:8501/", True),
        ("http://127.0.0.1:8501", True),
        ("http://[::1]:8501/", True),
        ("http://camviz.example.org", False),
        ("http://localhost.example.org/", False),
        ("http://192.168.1.5:8501", False),
    ],
)
def test_camera_is_available_on_secure_addresses(url: str, given: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_input, "st", type("", (), {"context": type("", (), {"url": url})}))
    assert image_input.camera_is_given() is given


def test_camera_is_offered_only_on_secure_addresses(start) -> None:
    app = start()
    assert not [toggle for toggle in app.toggle if toggle.key == "camera_on"]  # nobody knows where this one runs
    app.context["url"] = "https://camviz.example.org/"
    app.run()
    app.toggle(key="camera_on").set_value(True).run()
    assert len(app.camera_input) == 1 and not app.exception
    app.context["url"] = "http://camviz.example.org/"
    assert not app.run().camera_input and not app.exception
