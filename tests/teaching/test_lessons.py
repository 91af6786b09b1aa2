"""Lessons: each claim of an answer holds on the embedded networks; the format of the files."""

import shutil

import numpy as np
import pytest

import camviz
from camviz.errors import CamvizError
from camviz.explanation.explain import answer
from camviz.models.checkpoints import packaged
from camviz.scores import contrast
from camviz.teaching.claims import MEASURES, Claim
from camviz.teaching.courses import courses
from camviz.teaching.guesses import KINDS
from camviz.teaching.lessons import FOLDER, FORMER_PAGES, PAGES, SAMPLES, View, files, lessons, question_of, read
from camviz.ui.learn.chapters import CHAPTERS
from camviz.ui.shell.pages import file_of

LESSONS = {f"{lesson.number}": lesson for lesson in lessons()}
EXPLAINED = {}  # what several lessons show, computed once


def explained(view):
    question = question_of(view)
    if question.key not in EXPLAINED:
        EXPLAINED[question.key] = answer(question)
    return EXPLAINED[question.key]


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_claims_of_lessons_hold(lesson):
    explanations = [explained(view) for view in lesson.heatmaps]
    measured = [(claim, claim.value(explanations)) for claim in lesson.tested]
    assert [(claim.says, value) for claim, value in measured if not claim.holds(value)] == []


@pytest.mark.parametrize("lesson", LESSONS.values(), ids=LESSONS)
def test_claims_quote_the_lesson_and_cover_its_heatmaps(lesson):
    text = f"{lesson.question} {lesson.answer}"
    assert [claim.says for claim in lesson.claims if claim.says not in text] == []
    on_own_scale = {number for number, view in enumerate(lesson.heatmaps, 1) if not view.scale}
    assert {number for claim in lesson.claims for number in claim.of} == on_own_scale


def test_lessons_are_numbered_and_ask_for_a_guess():
    assert [lesson.number for lesson in LESSONS.values()] == list(range(1, len(LESSONS) + 1))
    assert [lesson.number for lesson in LESSONS.values() if not lesson.prompts] == []
    assert {prompt.kind for lesson in LESSONS.values() for prompt in lesson.prompts} == set(KINDS)
    assert [lesson.number for lesson in LESSONS.values() if lesson.exercise and not lesson.links] == []


def test_courses_take_36_to_45_minutes_and_cover_every_lesson():
    found = courses(tuple(LESSONS.values()))
    minutes = [sum(LESSONS[f"{number}"].minutes for number in course.lessons) for course in found[:4]]
    assert len(found) == 5 and all(36 <= total <= 45 for total in minutes), minutes
    assert {number for course in found for number in course.lessons} == {lesson.number for lesson in LESSONS.values()}
    assert [int(number) for number, lesson in LESSONS.items() if lesson.exercise] == list(found[4].lessons)


def test_claims_that_do_not_hold_are_detected():
    claim = Claim("", "share", box=(0, 0, 1, 0.5), over=0.6)
    assert claim.holds(0.61) and not claim.holds(0.6)
    assert not Claim("", "share", under=0.6).holds(0.6)
    assert not Claim("", "share", over=0.1).holds(np.nan)
    named = Claim("", "predicted", equals="koala")
    assert named.holds("koala") and not named.holds("cab")


def test_measures_of_claims_equal_their_definitions(lite0):
    e = camviz.explain(lite0, SAMPLES / "koala.jpg")
    other = camviz.explain(lite0, SAMPLES / "koala.jpg", target="cab")
    heat = e.heatmap
    assert Claim("", "share", box=(0, 0, 1, 0.5)).value([e]) == pytest.approx(heat[:, :112].sum() / heat.sum())
    row, column = np.unravel_index(heat.argmax(), heat.shape)
    around = ((row - 1) / 224, (column - 1) / 224, (row + 2) / 224, (column + 2) / 224)
    assert Claim("", "strongest_in", box=around).value([e]) == 1
    assert Claim("", "strongest_in", box=(0, 0, 1, (column - 1) / 224)).value([e]) == 0
    assert Claim("", "peak_ratio", (2, 1)).value([e, other]) == other.attribution.max() / e.attribution.max()
    assert Claim("", "correlation", (1, 1)).value([e]) == pytest.approx(1)
    assert Claim("", "class_names", word="koala").value([e]) == 1
    assert Claim("", "predicted").value([other]) == "koala" and Claim("", "explained").value([other]) == "cab"
    assert Claim("", "cells").value([e]) == 7 and Claim("", "sum").value([e]) == e.attribution.sum()
    used = {claim.measure for lesson in LESSONS.values() for claim in lesson.claims}
    assert used == set(MEASURES)


def test_view_is_converted_to_its_question():
    question = question_of(
        View(
            "",
            "explain",
            {"img": "sample:cat", "method": "occlusion", "target": "5", "rather_than": "7", "occlusion.size": "40"},
        )
    )
    assert question.image.name == "cat.jpg" and question.method.key == "occlusion"
    assert question.score == contrast(5, 7) and question.settings["size"] == 40
    untrained = question_of(View("", "explain", {"untrained": "1", "layer": "blocks.1"}))
    assert untrained.model.weights.is_random and untrained.layers == ("blocks.1",) and untrained.score is None
    for image in ("sample:../lessons/x", "sample:nothing", "/etc/passwd"):
        with pytest.raises(CamvizError, match="is not one of the sample images"):
            question_of(View("", "explain", {"img": image}))


def test_every_link_of_a_lesson_is_valid(start) -> None:
    shown = [view for lesson in LESSONS.values() for view in lesson.links or lesson.heatmaps[-1:]]
    chapters = [view for view in shown if view.page == "learn"]
    assert {view.settings["chapter"] for view in chapters} <= CHAPTERS.keys()  # one is opened: they are slow
    views = [view for view in shown if view not in chapters[1:]]
    for view in views:
        app = start("" if view.page == "explain" else file_of(view.page), **view.settings)
        assert not app.exception and not app.error, view.label
        assert [w.value for w in app.warning if "Unknown" in w.value] == [], view.label
        for key, value in view.settings.items():
            found = app.session_state[key]
            expected = value.split(",") if isinstance(found, list) else value
            assert found == expected or str(found) == value or (found is True and value == "1"), (view.label, key)


def test_lesson_without_its_model_is_left_out(monkeypatch, tmp_path) -> None:
    assert LESSONS["15"].needs == "mobilenet_v2"
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(packaged, "PACKAGES", {})
    assert [lesson.number for lesson in lessons()] == [number for number in range(1, 24) if number != 15]
    assert [number for course in courses(lessons()) for number in course.lessons if number == 15] == []
    (tmp_path / "1-a.toml").write_text('title = "A"\nquestion = "B?"\nanswer = "C"\nneeds = "mobilnet_v2"\n[[view]]\n')
    with pytest.raises(CamvizError, match="did you mean 'mobilenet_v2'"):
        read(tmp_path / "1-a.toml")


LESSON = 'title = "A"\nquestion = "B?"\nanswer = "C"\n[[view]]\n'
GUESS = LESSON + '[[guess]]\nprompt = "D?"\n'


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("first.toml", "", "must be like 07-rather-than.toml"),
        ("1-a.toml", "title = ", "is not a TOML file"),
        ("1-a.toml", 'title = "A"\nquestion = "B?"', "lacks answer"),
        ("1-a.toml", 'title = "A"\nquestion = "B?"\nanswer = "C"', "lacks a [[view]]"),
        ("1-a.toml", 'title = "A"\nquestion = "B?"\nanswer = "C"\n[[view]]\npage = "home"', "no page 'home'"),
        ("1-a.toml", 'title = "A"\nquestion = "B?"\nanswer = "C"\n[[view]]\nset = {"a b" = 1}', "'a b' is not"),
        ("1-a.toml", 'title = "A"\nquestion = "B?"\nanswer = "C"\n[[view]]\n[[claim]]\nsays = "C"', "needs says and"),
        (
            "1-a.toml",
            LESSON + '[[claim]]\nsays = "C"\nmeasure = "sum"\nof = [2]',
            "a heatmap that the lesson does not have",
        ),
        ("1-a.toml", "minutes = 0\n" + LESSON, "minutes must be a whole number of 1 to 45; got 0"),
        ("1-a.toml", LESSON + '[[guess]]\nkind = "region"', "needs kind and prompt"),
        ("1-a.toml", GUESS + 'kind = "region"\nview = 2', "there is no view 2"),
        ("1-a.toml", GUESS + 'kind = "choice"\noptions = ["A", "A"]', "2 to 6 different ones"),
        ("1-a.toml", GUESS + 'kind = "choice"\noptions = ["A", "B"]\nright = 3', "the number of the right one"),
        ("1-a.toml", GUESS + 'kind = "number"\nexpected = 3', "needs expected and tolerance"),
        ("1-a.toml", GUESS + 'kind = "sentence"\nright = 1', "of the kind sentence has no right; it has kind, prompt"),
    ],
)
def test_wrong_lesson_files_are_refused_with_a_reason(tmp_path, name, text, sentence):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(CamvizError) as raised:
        read(path)
    assert sentence in str(raised.value) and name in str(raised.value)


def test_duplicate_lesson_numbers_are_refused(tmp_path):
    first = files(FOLDER)[0]
    shutil.copy(first, tmp_path / "03-a.toml")
    shutil.copy(first, tmp_path / "03-b.toml")
    with pytest.raises(CamvizError, match="two lessons have the number 3"):
        lessons(tmp_path)


def test_lessons_can_link_to_every_page(tmp_path):
    pages = sorted([*(path.stem.lstrip("_") for path in (FOLDER.parents[1] / "pages").glob("*.py")), *FORMER_PAGES])
    assert sorted(PAGES) == pages and {"dataset", "gallery"} < set(pages)
    assert all((FOLDER.parents[1] / file_of(page)).is_file() for page in pages)
    for page in pages:
        (tmp_path / "01-a.toml").write_text(
            f'title = "a"\nquestion = "b"\nanswer = "c"\n[[view]]\npage = "{page}"\n', encoding="utf-8"
        )
        assert read(tmp_path / "01-a.toml").views[0].page == page
    pages = sorted(set(pages) - set(FORMER_PAGES))
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    assert f"# {', '.join(pages[:-1])} or {pages[-1]}" in readme
