"""Links to the documentation, if it is built."""

from pathlib import Path

import pytest

from camviz import documentation
from camviz.errors import ImageError
from camviz.ui.session.language import error_text


@pytest.mark.parametrize("built", [True, False])
def test_method_and_errors_link_to_their_pages(start, tmp_path: Path, monkeypatch, built: bool) -> None:
    site = tmp_path / "site"
    site.mkdir()
    if built:
        (site / "index.html").touch()
    monkeypatch.setattr(documentation, "FOLDER", site)
    app = start(method="layer_cam")
    (line,) = [one.value for one in app.caption if "**Layer-CAM.**" in one.value]
    assert line.endswith("[Documentation](docs/reference/methods/layer_cam.html)") == built
    assert "[Paper](https://ieeexplore.ieee.org/document/9462463)" in line
    link = " [image-unreadable](docs/reference/errors.html#image-unreadable)" if built else ""
    assert error_text(ImageError("it is empty")) == "It is empty." + link
