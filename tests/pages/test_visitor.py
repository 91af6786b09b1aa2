"""Uploads of a visitor: found by the browser's cookie, private, and removed on request."""

import hashlib
import io
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from PIL import Image
from streamlit.testing.v1 import AppTest

from camviz.images import decode_image
from camviz.ui.inputs import image_input, visitor
from camviz.ui.server.holdings import holdings

Start = Callable[..., AppTest]
SAMPLES = Path(__file__).parents[2] / "assets" / "samples"
MISSING = "This link refers to a private image that is not stored here. Upload the image to see the same result."


@pytest.fixture
def browser(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Connect as a browser that sends these cookies."""

    def connect(**cookies: str) -> None:
        monkeypatch.setattr(type(st.context), "cookies", property(lambda self: cookies))

    connect()
    return connect


def photo(name: str = "macaw") -> bytes:
    buffer = io.BytesIO()
    Image.open(SAMPLES / f"{name}.jpg").transpose(Image.Transpose.FLIP_LEFT_RIGHT).resize((256, 256)).save(
        buffer, "PNG"
    )
    return buffer.getvalue()


def upload(app: AppTest, name: str = "macaw") -> str:
    """Upload an image; return its id."""
    app.file_uploader(key="upload").set_value((f"{name}.png", photo(name), "image/png")).run()
    assert app.session_state["img"].startswith("sha:") and not app.exception
    return str(app.session_state["img"])


def shown(app: AppTest) -> str:
    assert not app.exception
    return str(app.session_state["experiment"].image.id)


def own_images(app: AppTest) -> list[str]:
    return list(holdings().of(app.session_state["_visitor"], "image"))


def album(token: str) -> list[Any]:
    return list(holdings().of(token, "files").get("album", ()))


def cookies(app: AppTest) -> list[dict[str, Any]]:
    """Return the data of the component that sets the cookie."""
    protos = (component.proto for component in app.get("bidi_component"))
    return [json.loads(proto.json) for proto in protos if proto.component_name == "camviz_visitor"]


def digest(name: str) -> str:
    return str(decode_image(photo(name)).digest)


def notes(app: AppTest) -> list[str]:
    return [warning.value for warning in app.warning]


def test_new_session_of_the_same_browser_finds_all_uploads(start: Start, browser: Callable[..., None]) -> None:
    first = start()
    assert first.session_state["_visitor"] == "" and not cookies(first)  # nothing to keep
    key = upload(first)
    token = first.session_state["_visitor"]
    assert visitor.TOKEN.fullmatch(token)
    assert cookies(first) == [{"name": "camviz", "token": token}]
    browser(camviz=token)
    again = start("pages/dataset.py", img=key)
    assert shown(again) == key and not notes(again) and again.query_params["img"] == key
    assert own_images(again) == [key] and not cookies(again)  # the browser has it
    again.file_uploader(key="album_upload").set_value([("koala.png", photo("koala"), "image/png")]).run()
    third = start("pages/dataset.py")
    assert shown(third) == "sample:coffee" and own_images(third) == [key]
    assert [photo.name for photo in album(token)] == ["koala.png"]
    assert first.run().session_state["_visitor"] == token and shown(first) == key


def test_digest_without_the_token_shows_no_image(start: Start, browser: Callable[..., None]) -> None:
    key = upload(start())
    for sent in ({}, {"camviz": ""}, {"camviz": "short"}, {"other": "x" * 22}, {"camviz": "A" * 22}):
        browser(**sent)
        stranger = start(img=key)
        assert shown(stranger) == "sample:coffee" and notes(stranger) == [MISSING]
        assert "img" not in stranger.query_params
    stranger.selectbox(key="method").set_value("layer_cam").run()
    assert notes(stranger) == [] and "img" not in stranger.query_params
    compare = start("pages/compare.py", rows="images", columns="methods", **{"rows.images": key})
    assert not compare.exception and key not in compare.session_state["rows.images"]
    recipe = {"model": "efficientnet_lite0", "image": {"file": "x", "sha256": digest("macaw")}, "method": "grad_cam"}
    stranger.file_uploader(key="recipe").set_value(("r.json", json.dumps(recipe).encode(), "application/json")).run()
    assert shown(stranger) == "sample:coffee" and any("which is not here" in error.value for error in stranger.error)
    mine = upload(stranger)  # who has the same image sees the same, and removes only an own copy
    assert mine == key
    stranger.file_uploader(key="upload").set_value([]).run()
    assert own_images(stranger) == [] and len(holdings()._kept["image"]) == 1


def test_token_is_in_no_link_file_or_log(
    start: Start, downloads: dict[str, Any], caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.DEBUG):
        app = start()
        upload(app)
        token = app.session_state["_visitor"]
        assert not app.exception and downloads
        files = [data() if callable(data) else data for data in downloads.values()]
    held = [data if isinstance(data, bytes) else str(data).encode() for data in files]
    assert len(held) > 3 and not any(token.encode() in data for data in held)
    texts = [str(dict(app.query_params)), caplog.text, *capfd.readouterr()]
    assert not any(token in text for text in texts)
    drawn = [element.proto for element in app.main if hasattr(element, "proto")]
    drawn = [proto for proto in drawn if getattr(proto, "component_name", "") != "camviz_visitor"]  # sets the cookie
    assert not any(token in str(proto) for proto in drawn)


def test_removing_an_upload_removes_the_image(start: Start) -> None:
    app = start()
    macaw, koala = upload(app), upload(app, "koala")
    assert own_images(app) == [macaw, koala] and shown(app) == koala
    app.file_uploader(key="upload").set_value([]).run()
    assert own_images(app) == [macaw] and shown(app) == "sample:coffee" and not notes(app)
    app.session_state["img"] = macaw  # whose own chip has been replaced
    app.run().button(key="remove_image").click().run()
    assert own_images(app) == [] and shown(app) == "sample:coffee" and "img" not in app.query_params


def test_removing_a_hidden_image_keeps_the_shown_one(start: Start) -> None:
    app = start()
    upload(app)
    assert "remove_image" not in [button.key for button in app.button]  # the uploader has the button
    app.session_state["img"] = "sample:panda"
    app.run().file_uploader(key="upload").set_value([]).run()
    assert own_images(app) == [] and shown(app) == "sample:panda"
    app.file_uploader(key="upload").set_value(("a.png", b"no image", "image/png")).run()
    app.file_uploader(key="upload").set_value([]).run()
    assert shown(app) == "sample:panda" and not app.error


def test_clearing_a_camera_photo_removes_it(start: Start) -> None:
    app = start()
    app.context["url"] = "https://camviz.example.org/"
    app.run().toggle(key="camera_on").set_value(True).run()
    app.camera_input[0].set_value(("camera.jpg", photo(), "image/jpeg")).run()
    assert own_images(app) == [shown(app)] and cookies(app)[0]["name"] == "__Host-camviz"
    app.camera_input[0].set_value(None).run()
    assert own_images(app) == [] and shown(app) == "sample:coffee"


def test_removing_a_dataset_file_removes_the_opened_image(start: Start) -> None:
    app = start("pages/dataset.py")
    both = [(f"{name}.png", photo(name), "image/png") for name in ("koala", "macaw")]
    app.file_uploader(key="album_upload").set_value(both).run()
    token = app.session_state["_visitor"]
    for name in ("koala", "macaw"):
        data = photo(name)
        key = image_input.InputImage("", decode_image(data)).digest[:12]
        opened = image_input.InputImage(f"sha:{key}", decode_image(data), hashlib.sha256(data).hexdigest())
        holdings().put(token, "image", opened.id, opened, 1)
        app.session_state["img"] = opened.id
    app.run().file_uploader(key="album_upload").set_value(both[:1]).run()
    assert [photo.name for photo in album(token)] == ["koala.png"]
    assert [image.file for image in holdings().of(token, "image").values()] == [album(token)[0].digest]
    assert shown(app) == "sample:coffee"
    app.file_uploader(key="album_upload").set_value([]).run()
    assert album(token) == [] and own_images(app) == []


def test_button_removes_files_uploaded_before_a_reload(start: Start, browser: Callable[..., None]) -> None:
    app = start("pages/dataset.py")
    app.file_uploader(key="album_upload").set_value([("koala.png", photo("koala"), "image/png")]).run()
    assert "remove_album" not in [button.key for button in app.button]
    token = app.session_state["_visitor"]
    browser(camviz=token)
    again = start("pages/dataset.py")
    assert len(album(token)) == 1
    again.button(key="remove_album").click().run()
    assert album(token) == [] and "remove_album" not in [button.key for button in again.button]


def test_dropped_image_shows_a_message_once(start: Start) -> None:
    app = start()
    key = upload(app)
    holdings().remove(app.session_state["_visitor"], "image", key)
    app.run()
    assert shown(app) == "sample:coffee" and notes(app) == ["Your image is no longer stored here. Upload it again."]
    assert notes(app.run()) == []


def test_open_tab_adopts_the_browser_s_token(start: Start, monkeypatch: Any) -> None:
    first, second = start(), start()
    macaw, koala = upload(first), upload(second, "koala")
    known = first.session_state["_visitor"]
    state = {"visitor": {"known": known}, "_visitor": second.session_state["_visitor"]}
    monkeypatch.setattr(visitor.st, "session_state", state)
    for wrong in (None, 5, "", known[:-1], known + "x"):
        visitor.st.session_state["visitor"] = {"known": wrong}
        visitor._adopt()
        assert state["_visitor"] != known
    visitor.st.session_state["visitor"] = {"known": known}
    visitor._adopt()
    assert state["_visitor"] == known and list(holdings().of(known, "image")) == [macaw, koala]
