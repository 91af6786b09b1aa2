"""The Learn page without a browser: lessons, chapters and the glossary; test_chinese_pages.py draws every chapter."""

import base64
import json
import re

import numpy as np
import pytest

import camviz
from camviz import edits, scores
from camviz.evaluation.metrics.randomization import randomization
from camviz.evaluation.rank_correlation import rank_correlation
from camviz.methods.grad_cam import grad_cam
from camviz.methods.guided_backprop import guided_backprop
from camviz.teaching import marking
from camviz.teaching.hand_in import read_hand_in
from camviz.teaching.lessons import FOLDER, lessons
from camviz.ui.inputs import membership
from camviz.ui.learn import lessons as lesson_page
from camviz.ui.learn.glossary import GLOSSARY
from camviz.ui.server.rooms import rooms

SAMPLES = FOLDER.parent / "samples"


def text(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.error])


def components(app, name: str) -> list[dict]:
    """Return the data of the components of that name."""
    protos = [element.proto for element in app.get("bidi_component")]
    return [json.loads(proto.json) for proto in protos if proto.component_name == f"camviz_{name}"]


def stages(app) -> list[dict]:
    """Return the data of each stage of the page."""
    return components(app, "stage")


def test_lesson_opens_with_question_and_heatmaps_but_no_answer(start) -> None:
    app = start("pages/learn.py", lesson="7")
    lesson = lessons()[6]
    assert not app.exception and not app.error
    assert app.header[0].value == f"7. {lesson.title}" and lesson.question in text(app)
    assert app.selectbox(key="lesson").label == f"Lesson 7 of {len(lessons())}"
    assert lesson.answer not in text(app) and not app.success
    first, second = stages(app)
    assert first["alt"] == "Agama rather than chameleon: heatmap of agama lizard rather than chameleon over the image"
    assert first["group"] == second["group"] and first["values"] != second["values"]
    app.button(key="lesson.answer").click().run()
    assert app.success[0].value == lesson.answer and "agama lizard rather than chameleon 37.6%" in text(app)
    app.button(key="lesson.next").click().run()
    assert app.header[0].value.startswith("8. ") and not app.success
    app.button(key="lesson.previous").click().run()
    assert app.header[0].value.startswith("7. ") and app.success


def test_heatmaps_of_the_answer_are_hidden_at_first(start) -> None:
    app = start("pages/learn.py", lesson="3")
    assert stages(app) == [] and "shown with the answer" in text(app)
    app.button(key="lesson.answer").click().run()
    macaw, own, same = stages(app)
    assert macaw["top"] == same["top"] > 10 * own["top"] and own["high"] != macaw["high"]
    strongest = [np.frombuffer(base64.b64decode(data["values"]), "<i2").max() / 32767 for data in (macaw, own, same)]
    assert strongest[:2] == [1, 1] and strongest[2] == pytest.approx(own["top"] / macaw["top"], abs=1e-4)


def test_blind_lesson_does_not_label_its_heatmaps(start) -> None:
    app = start("pages/learn.py", lesson="4")
    a, b = stages(app)
    assert (a["top"], b["top"], a["high"], b["high"]) == (1, 1, "1", "1")
    assert a["alt"] == b["alt"].replace("Heatmap B", "Heatmap A") and not app.warning
    assert "untrained" not in text(app).replace("untrained model?", "") and "%" not in text(app)
    assert not [button for button in app.button if button.label == "Open in Explain"]
    app.button(key="lesson.answer").click().run()
    assert [("untrained" in caption.value) for caption in app.caption if "lynx" in caption.value] == [True, False]


def test_guess_is_checked_and_handed_in(start, downloads, tmp_path) -> None:
    app = start("pages/learn.py", lesson="1", course="first_maps")
    (stage,) = stages(app)
    assert app.selectbox(key="lesson").label == "Lesson 1 of 5" and "5 lessons, 45 minutes." in text(app)
    assert stage["rows"] == 0 and stage["edit"]["tools"] == ["look", "mark"] and "address" not in stage["edit"]
    app.button(key="lesson.check").click().run()
    assert [one.value for one in app.warning] == ["Mark a region of the image first."] and not app.success
    region = np.zeros((56, 56), bool)
    region[2:34, 8:42] = True
    app.session_state["_regions"] = {(1, 0): (edits.pack(region), 1)}  # as regions.draw keeps what the browser sends
    app.button(key="lesson.check").click().run()
    assert not app.exception and app.success[0].value == lessons()[0].answer
    e = camviz.explain("efficientnet_lite0", SAMPLES / "coffee.jpg", "grad_cam")
    fit, model = marking.overlap(region, e), e.question.model
    alone = model.predict(edits.apply(e.view, ~region, "blur"), 1, "stretch")[0]
    found = text(app).replace("\\", "")
    assert f"holds {fit.mass:.0%} of the heatmap on 35% of the image: {fit.mass / fit.area:.1f} times" in found
    assert f"everything else blurred: **espresso, {alone.shown(0)}**" in found
    assert stages(app)[0]["edit"]["tools"] == ["look"] and stages(app)[0]["rows"] == 7
    app.session_state["lesson"] = 8
    app.run()
    app.radio(key="guess.8.0").set_value("The image is blurred or dark").run()
    app.button(key="lesson.check").click().run()
    assert "You chose: The image is blurred or dark. Right is: No class of the model is a moose" in [
        one.value for one in app.warning
    ]
    app.button(key="lesson.answer").click().run()  # hidden again: a second guess would know the answer
    assert not [one for one in app.button if one.key == "lesson.check"]
    app.text_input(key="hand_in_name").set_value("Ann <b>").run()
    (tmp_path / "ann.html").write_text(downloads["Download the file to hand in"](), encoding="utf-8")
    work = read_hand_in(tmp_path / "ann.html")
    assert (work.student, [guess.lesson for guess in work.guesses]) == ("Ann <b>", [1, 8])
    where, vote = work.guesses
    assert where.value == edits.pack(region) and where.score == fit.score and not where.with_map
    assert (vote.value, vote.correct, vote.score, vote.with_map) == ("The image is blurred or dark", False, 0, True)
    assert all(0 <= guess.seconds < 600 for guess in work.guesses)


def test_reload_and_second_tab_keep_the_guesses(start, downloads, tmp_path) -> None:
    first = start("pages/learn.py", lesson="8")
    assert first.session_state["_visitor"] == "" and not components(first, "visitor")  # there is nothing to keep yet
    first.radio(key="guess.8.0").set_value("The image is blurred or dark").run()
    first.button(key="lesson.check").click().run()
    token = first.session_state["_visitor"]
    assert components(first, "visitor") == [{"name": "camviz", "token": token}]  # the browser sends it from now on
    first.text_input(key="hand_in_name").set_value("Ann").run()

    tab, stranger = start("pages/learn.py", lesson="8"), start("pages/learn.py", lesson="8")
    tab.session_state["_visitor"] = token  # as the cookie says
    tab.run()
    assert "no longer counts" not in text(tab) and not [one for one in tab.button if one.key == "lesson.check"]
    assert tab.text_input(key="hand_in_name").value == "Ann"
    tab.session_state["lesson"] = 7
    tab.run()
    tab.text_area(key="guess.7.0").set_value("its scales")
    tab.button(key="lesson.check").click().run()
    first.run()
    (tmp_path / "ann.html").write_text(downloads["Download the file to hand in"](), encoding="utf-8")
    work = read_hand_in(tmp_path / "ann.html")
    assert (work.student, [(guess.lesson, guess.value) for guess in work.guesses]) == (
        "Ann",
        [(7, "its scales"), (8, "The image is blurred or dark")],
    )
    stranger.session_state["_visitor"] = "x" * 22
    assert not [one for one in stranger.run().expander if one.label.startswith("Hand in")]


def test_exercise_links_tools_and_checks_a_number(start, monkeypatch) -> None:
    teacher = rooms().open()
    student = rooms().enter(rooms().wall(teacher.token).code, "Ada", "ada")
    monkeypatch.setattr(membership, "seat", lambda: student)
    app = start("pages/learn.py", lesson="18", course="layers")
    assert [one.label for one in app.button if str(one.key).startswith("lesson.link")] == [
        "Both in Compare",
        "Grad-CAM, step by step",
    ]
    app.radio(key="guess.18.0").set_value(lessons()[17].prompts[0].keys[0])
    app.number_input(key="guess.18.1").set_value(0.9)
    app.button(key="lesson.check").click().run()
    assert not app.exception
    assert [one.value for one in app.success][1:] == ["Right: They are equal but for one factor"]
    assert [one.value for one in app.warning] == ["You have 0.9; expected is 1, give or take 0.005: 0.1 away."]
    answers = rooms().wall(teacher.token).lessons  # the room has both guesses
    assert [(one.lesson, [answer.value for answer in one.answers]) for one in answers] == [
        (18, [lessons()[17].prompts[0].keys[0]]),
        (18, [0.9]),
    ]


def test_heatmap_of_a_lesson_opens_in_explain(start, monkeypatch) -> None:
    opened = []
    monkeypatch.setattr(lesson_page.st, "switch_page", opened.append)
    monkeypatch.setattr(lesson_page.settings, "follow", lambda who, link: opened.append((who, link)))
    app = start("pages/learn.py", lesson="7")
    app.button(key="lesson.open.1").click().run()
    assert not app.exception and opened[1] == "pages/explain.py"
    assert opened[0] == (
        "link",
        {
            "img": "sample:chameleon",
            "model": "efficientnet_lite0",
            "untrained": "0",
            "layer": "bn2",
            "several": "0",
            "method": "grad_cam",
            "target": "47",
            "rather_than": "42",
            "fit": "crop",
        },
    )


def test_chapter_opens_with_its_example_or_the_current_image(start) -> None:
    app = start("pages/learn.py", part="methods", chapter="deconvnet")
    assert not app.exception and not app.error
    assert "Step by step: lemurs.jpg" in [one.value for one in app.subheader]
    assert "feature map 11 of layer blocks.0" in text(app)
    app.session_state["chapter_image"] = "current"
    app.run()
    assert "Step by step: coffee.jpg" in [one.value for one in app.subheader] and "of layer bn2" in text(app)


def test_link_with_an_image_opens_a_chapter_with_this_image(start) -> None:
    app = start("pages/learn.py", part="methods", chapter="lrp", img="sample:koala")
    assert "Step by step: koala.jpg" in [one.value for one in app.subheader]
    assert app.session_state["chapter_image"] == "current"


def test_chapter_notes_that_grad_cam_equals_cam_for_constant_gradients(start) -> None:
    app = start("pages/learn.py", part="methods", chapter="grad_cam")
    assert "Here Grad-CAM equals CAM." in text(app)
    maps = [camviz.explain("efficientnet_lite0", SAMPLES / "coffee.jpg", method) for method in ("grad_cam", "cam")]
    assert rank_correlation(*(e.attribution for e in maps)) > 0.9999
    app = start("pages/learn.py", part="methods", chapter="grad_cam", layer="blocks.6")
    assert "Here Grad-CAM equals CAM." not in text(app)


def test_unsuitable_method_names_the_reason(start) -> None:
    app = start("pages/learn.py", part="methods", chapter="guided_backprop", model="efficientnet_b0", untrained="1")
    assert not app.exception and "this network has none" in text(app)


def test_glossary_lists_every_term(start) -> None:
    app = start("pages/learn.py", part="glossary")
    for term, meaning in GLOSSARY.items():
        assert f"**{term}.** {meaning}" in text(app)


def test_demonstration_shows_the_rank_correlation_of_its_heatmaps(start) -> None:
    app = start("pages/learn.py", part="methods", chapter="guided_backprop")
    (found,) = [caption.value for caption in app.caption if caption.value.startswith("Guided backpropagation, for")]
    model = camviz.load_model("efficientnet_lite0")
    x = model.preprocess(SAMPLES / "coffee.jpg")
    least = int(model.net(x)[0].argmin())
    maps = [
        np.abs(camviz.explain(model, SAMPLES / "coffee.jpg", "guided_backprop", target=target).attribution).sum(axis=0)
        for target in (None, least)
    ]
    assert f"for {model.categories[least]}: rank correlation with the first {rank_correlation(*maps):.2f};" in found


def test_guided_backpropagation_hardly_changes_under_randomization(start, lite0) -> None:
    app = start("pages/learn.py", part="methods", chapter="guided_backprop", img="sample:koala")
    if any(one.key == "randomization.guided_backprop.start" for one in app.button):
        app.button(key="randomization.guided_backprop.start").click().run()
    assert not app.exception and not app.error, text(app)
    x, score = lite0.preprocess(SAMPLES / "koala.jpg"), scores.logit(105)
    guided = randomization(lite0.net, x, lambda net, x: guided_backprop(net, x, score), stages=4)
    cam = randomization(lite0.net, x, lambda net, x: grad_cam(net, x, score, net.get_submodule("bn2")), stages=4)
    shown = [float(r) for r in re.findall(r"\br = (-?[\d.]+), SSIM", text(app))]
    assert shown == [round(r, 2) for r in (*guided.correlations[1:], *cam.correlations[1:])]
    assert min(guided.correlations[:4]) > 0.5 > max(abs(r) for r in cam.correlations[2:])
    assert float(guided) > 2 * float(cam)
