"""A teacher and two students in one room: three sessions on the same server."""

import base64
import json
import re
from collections.abc import Callable
from typing import Any
from zlib import crc32

import numpy as np
from streamlit.testing.v1 import AppTest

import camviz
from camviz import edits
from camviz.teaching.lessons import lessons
from camviz.ui.inputs import room_models
from camviz.ui.server.rooms import rooms
from camviz.ui.server.store import result_store
from camviz.ui.train import training_set
from camviz.ui.train.runs import run_key
from camviz.ui.widgets.drawing import read_region

Start = Callable[..., AppTest]
PAGE = "pages/room.py"
CHOICES = {
    "A": "chocolate sauce",
    "B": "coffee mug",
    "C": "consommé (clear soup) (ImageNet: consomme)",
    "D": "cup",
    "E": "espresso",
}


def texts(app: AppTest) -> str:
    assert not app.exception
    kinds = (app.markdown, app.caption, app.info, app.header, app.subheader, app.success, app.warning, app.error)
    return "\n".join(str(one.value) for kind in kinds for one in kind)


def components(app: AppTest, name: str) -> list[dict[str, Any]]:
    protos = (component.proto for component in app.get("bidi_component"))
    return [json.loads(proto.json) for proto in protos if proto.component_name == f"camviz_{name}"]


def open_room(start: Start) -> tuple[AppTest, str]:
    teacher = start(PAGE)
    teacher.button(key="room_open").click().run()
    return teacher, str(teacher.metric[0].value)


def enter(start: Start, code: str, name: str, **link: str) -> AppTest:
    student = start(PAGE, **link)
    if not link:
        student.text_input(key="room_code.").set_value(code.lower())
    student.text_input(key="room_name").set_value(name)
    student.button(key="room_enter_now").click().run()
    return student


def test_vote_with_and_without_the_heatmap(start: Start) -> None:
    teacher, code = open_room(start)
    ada = enter(start, code, "Ada *<b>*")
    invitation = next(iter(rooms()._rooms.values())).invitation
    ben = enter(start, code, "Ben", room=f"{code}-{invitation}")
    assert "room" not in ben.query_params and "Wait for a question" in texts(ben)
    assert "**Room** (2): Ada \\*\\<b\\>\\*, Ben" in texts(teacher.run())

    teacher.button(key="room_ask").click().run()
    wall = texts(teacher)
    assert "Which class does the model predict?" in wall and "espresso" not in wall and not components(teacher, "chart")
    seen = []
    for student, answer in ((ada, "espresso"), (ben, "cup")):
        student.run()
        (stage,) = components(student, "stage")
        seen.append(stage["rows"])
        assert student.radio[0].options == [f"{letter} · {label}" for letter, label in sorted(CHOICES.items())]
        student.radio[0].set_value(answer).run()
        assert "Your answer is in." in texts(student) and "The model predicts" not in texts(student)
    assert sorted(seen) == [0, 7]  # the heatmap of layer bn2 by one, no heatmap by the other
    teacher.run()
    assert "Ada \\*\\<b\\>\\* ✓, Ben ✓" in texts(teacher) and not components(teacher, "chart")

    teacher.button(key="room_show").click().run()
    (bars,) = components(teacher, "chart")
    assert {row["name"]: row["value"] for row in bars["rows"] if row["value"]} == {
        next(f"{letter} · {label}" for letter, label in CHOICES.items() if label == name): 1
        for name in ("espresso", "cup")
    }
    assert "The model predicts espresso (" in texts(teacher)
    with_map, without = ("1 of 1, 100%", "0 of 1, 0%") if seen[0] else ("0 of 1, 0%", "1 of 1, 100%")
    assert f"Right with the heatmap: {with_map}" in texts(teacher) and f"Right without it: {without}" in texts(teacher)
    assert re.search(r"95% interval [23]% to 100%", texts(teacher)) and "(95% interval 0% to 98%)" in texts(teacher)
    assert "Your answer was right." in texts(ada.run()) and "Your answer was not right." in texts(ben.run())
    assert len(components(ada, "chart")) == 1

    teacher.text_input(key="room_link_text").set_value("https://evil.example/compare?rows=none&x=1").run()
    teacher.button(key="room_link_send").click().run()
    ben.switch_page("pages/learn.py").run()
    ben.run()  # as the notice does by itself every three seconds
    assert "Your teacher shows a view of the page Compare." in texts(ben)
    assert "**Learn, lesson 1** (1): Ben" in texts(teacher.run())
    ben.button(key="room_follow").click().run()
    assert not ben.exception and ben.title[0].value == "Compare" and "Your teacher" not in texts(ben)

    teacher.button(key="room_end").click().run()
    assert "Open a room" in texts(teacher) and not rooms()._rooms
    assert "This room has ended" in texts(ada.run()) and "Your teacher" not in texts(ben.run())


def test_regions_of_the_class_are_shown_beside_the_heatmap(start: Start) -> None:
    teacher, code = open_room(start)
    ada = enter(start, code, "Ada")
    teacher.segmented_control(key="room_kind").set_value("region").run()
    teacher.button(key="room_ask").click().run()
    (token,) = rooms()._students
    (stage,) = components(ada.run(), "stage")
    assert stage["rows"] == 0 and stage["edit"]["tools"] == ["mark"] and stage["edit"]["cells"] == ""
    assert "The model predicts espresso." in texts(ada)
    mask = np.zeros((56, 56), bool)
    mask[14:42, 14:42] = True
    sent = base64.b64encode(np.packbits(mask).tobytes()).decode()
    assert read_region({"cells": sent}) == edits.pack(mask) and read_region({"cells": ""}) == ""
    for other in (None, 3, {}, {"cells": "?"}, {"cells": sent * 2}, {"cells": 5}):
        assert read_region(other) is None
    rooms().answer(token, 1, edits.pack(mask))
    (stage,) = components(ada.run(), "stage")
    assert stage["edit"]["cells"] == sent
    teacher.button(key="room_show").click().run()
    shown, heat = components(teacher, "stage")
    assert (shown["rows"], shown["high"], heat["rows"]) == (56, "1", 7)
    assert "lie inside a marked region, which covers 25% of the image" in texts(teacher)


def test_trained_model_is_shared_and_guesses_are_shown(start: Start) -> None:
    teacher, code = open_room(start)
    ada, stranger = enter(start, code, "Ada_1"), start(PAGE)
    ada.switch_page("pages/train.py").run()
    ada.button(key="train_share").click().run()
    assert not ada.exception and ada.button(key="train_share").label == f"Shared in the room {code}"
    (shared,) = rooms().shared(next(iter(rooms()._students)))
    name = f"custom:room-{shared.head.digest}"
    del shared
    assert "Models shared in this room: mammal - reptile or bird (Ada1)." in texts(teacher.run())
    for app, inside in ((teacher, True), (stranger, False)):
        app.session_state["model"] = name
        app.switch_page("pages/explain.py").run()
        found = app.session_state["experiment"].model
        assert ("mammal" in found.categories) is inside and bool(app.warning) is not inside
        assert not app.exception
    run = result_store().get(run_key(training_set.example(), camviz.models.shared_model("efficientnet_lite0")))
    assert teacher.session_state["experiment"].model.weights == run.trained.model.weights  # to the last bit
    assert "only people inside can use it" in stranger.warning[0].value

    ada.switch_page("pages/learn.py")
    ada.session_state["lesson"] = 1
    ada.session_state["_regions"] = {(1, 0): (edits.pack(np.eye(56, dtype=bool)), 1)}  # as the browser sends it
    ada.run()
    ada.button(key="lesson.check").click().run()
    teacher.switch_page(PAGE)
    teacher.session_state["lang"] = "zh"
    teacher.run()
    prompt = lessons(language="zh")[0].prompts[0]
    assert prompt.text in texts(teacher) and prompt.key not in texts(teacher)
    teacher.session_state[f"room_guesses_1_region_{crc32(prompt.key.encode())}"] = True
    shown, heat = components(teacher.run(), "stage")
    assert (shown["rows"], shown["high"], heat["rows"]) == (56, "1", 7)

    teacher.button(key="room_end").click().run()
    teacher.switch_page("pages/explain.py").run()
    assert "mammal" not in teacher.session_state["experiment"].model.categories and not room_models._built


def test_wrong_links_and_codes_are_refused(start: Start) -> None:
    teacher, _ = open_room(start)
    teacher.text_input(key="room_link_text").set_value("https://example.org/other").run()
    teacher.button(key="room_link_send").click().run()
    assert "is no link to a page of this dashboard" in teacher.error[0].value
    stranger = enter(start, "AAAA", "Eve")
    assert "There is no room 'AAAA'" in stranger.error[0].value and "Open a room" in texts(stranger)
    assert not components(stranger, "visitor")  # no cookie before there is something to keep
    assert start(PAGE, room="no code").warning
