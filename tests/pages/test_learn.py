"""The Learn page without a browser: lessons, every chapter with its steps and its weakness, and the words."""

import re

import numpy as np
import pytest

import camviz
from camviz import scores
from camviz.evaluation.metrics.randomization import randomization
from camviz.evaluation.rank_correlation import rank_correlation
from camviz.methods.grad_cam import grad_cam
from camviz.methods.guided_backprop import guided_backprop
from camviz.teaching.lessons import FOLDER, lessons
from camviz.ui.learn.chapters import CHAPTERS
from camviz.ui.learn.glossary import GLOSSARY

SAMPLES = FOLDER.parent / "samples"


def text(app) -> str:
    return "\n".join(element.value for element in [*app.markdown, *app.caption, *app.info, *app.error])


def test_the_lessons_are_cards_with_links(start) -> None:
    app = start("pages/learn.py")
    assert not app.exception
    links = [element.proto for element in app.get("link_button")]
    assert len(links) == sum(len(lesson.views) for lesson in lessons())
    assert links[0].url == "./?img=sample:coffee&method=grad_cam"
    assert any(link.url.startswith("./compare?img=sample:macaw&rows=classes") for link in links)
    assert [one.value for one in app.header if one.value[0].isdigit()] == [
        f"{lesson.number}. {lesson.title}" for lesson in lessons()
    ]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_is_drawn_from_the_present_picture(start, chapter) -> None:
    app = start("pages/learn.py", part="methods", chapter=chapter, layer="blocks.0")
    for button in ("steps.score_cam.start", f"fault.{chapter}.start", f"randomization.{chapter}.start"):
        if any(one.key == button for one in app.button):
            app.button(key=button).click().run()
    assert not app.exception and not app.error, text(app)
    assert CHAPTERS[chapter].idea in text(app) and CHAPTERS[chapter].paper in text(app)
    assert re.search(r" passes: \d+, \d", text(app))
    assert [latex.value for latex in app.latex] == [f"$$\n{CHAPTERS[chapter].formula}\n$$"]


def test_a_method_that_cannot_be_used_shows_why(start) -> None:
    app = start("pages/learn.py", part="methods", chapter="guided_backprop", model="efficientnet_b0", untrained="1")
    assert not app.exception and "this network has none" in text(app)


def test_the_glossary(start) -> None:
    app = start("pages/learn.py", part="glossary")
    for term, meaning in GLOSSARY.items():
        assert f"**{term}.** {meaning}" in text(app)


def test_a_demonstration_shows_the_rank_correlation_of_its_heatmaps(start) -> None:
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
