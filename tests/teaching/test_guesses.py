"""Guesses: validation, marking, the hand-in file of a student, and the results of a class."""

import csv
import io
import json
import re
from dataclasses import replace

import numpy as np
import pytest

import camviz
from camviz import edits
from camviz.errors import CamvizError
from camviz.explanation.explain import answer
from camviz.teaching import marking
from camviz.teaching.collecting import collect
from camviz.teaching.guesses import Guess
from camviz.teaching.hand_in import HandIn, links_of, read_hand_in, region_image, to_html
from camviz.teaching.lessons import lessons, question_of

LESSONS = lessons()
CUP_REGION = np.zeros((56, 56), bool)
CUP_REGION[2:34, 8:42] = True
HOSTILE = '<img src=x onerror=alert(1)></script><script>alert("1")</script>'
MADE = "2026-11-27T16:05:00Z"


def prompt(lesson: int):
    return LESSONS[lesson - 1].prompts[0]


@pytest.fixture(scope="module")
def espresso():
    return answer(question_of(LESSONS[0].heatmaps[0]))


def region(mask, e=None) -> Guess:
    return marking.guess(1, prompt(1), edits.pack(mask), 12.5, False, e)


def test_region_score_is_mass_minus_area(espresso):
    fit = marking.overlap(CUP_REGION, espresso)
    inside = espresso.heatmap[8:136, 32:168].sum(dtype=float)  # 4 pixels a cell
    assert fit.mass == pytest.approx(inside / espresso.heatmap.sum(dtype=float), abs=1e-5)
    assert fit.area == 32 * 34 / 56**2 and fit.score == fit.mass - fit.area > 0.3
    assert region(CUP_REGION, espresso).score == fit.score and region(CUP_REGION, espresso).correct is None
    assert marking.overlap(np.ones((56, 56), bool), espresso).score == pytest.approx(0, abs=1e-6)
    assert marking.overlap(~CUP_REGION, espresso).score == pytest.approx(-fit.score, abs=1e-5)
    pixels = replace(espresso, result=replace(espresso.result, attribution=np.ones((3, 224, 224), np.float32)))
    assert marking.overlap(CUP_REGION, pixels).score == pytest.approx(0, abs=1e-6)


def test_region_alone_equals_the_edit_that_keeps_it(espresso, lite0):
    alone = marking.alone(edits.pack(CUP_REGION), espresso.view)
    assert np.array_equal(alone, edits.apply(espresso.view, ~CUP_REGION, "blur"))
    assert np.array_equal(alone[8:136, 32:168], espresso.view[8:136, 32:168])
    assert lite0.predict(alone, 1, "stretch")[0].label == "espresso"


def test_choices_and_numbers_are_marked():
    assert marking.mark(prompt(4), "A") == (True, 1) and marking.mark(prompt(4), "B") == (False, 0)
    assert marking.mark(prompt(10), 13.3) == (True, 1) and marking.mark(prompt(10), 13.4) == (False, 0)
    assert marking.mark(prompt(7), "The toes.") == (None, None)
    for number, value in (
        (4, "C"),
        (4, ""),
        (10, "x"),
        (10, float("nan")),
        (7, " "),
        (1, edits.pack(~CUP_REGION & CUP_REGION)),
    ):
        with pytest.raises(CamvizError):
            marking.mark(prompt(number), value)


def test_guess_survives_json_and_other_data_is_refused():
    guess = region(CUP_REGION)
    assert Guess.from_json(json.loads(json.dumps(guess.to_json()))) == guess
    for change in (
        {"lesson": 1.5},
        {"lesson": 10**400},
        {"kind": "essay"},
        {"kind": ["region"]},
        {"value": "A" * 600},
        {"score": float("nan")},
        {"score": 2},
        {"correct": 1},
        {"seconds": -1},
        {"with_map": "yes"},
        {"question": "a" * 1001},
        {"question": "a\x00"},
        {"more": 1},
    ):
        with pytest.raises(CamvizError):
            Guess.from_json(guess.to_json() | change)
    for data in (None, [], "guess", {"lesson": 1}):
        with pytest.raises(CamvizError, match="a guess is an object"):
            Guess.from_json(data)


def hand_in(student: str, *guesses: Guess, links: tuple[str, ...] = ()) -> HandIn:
    return HandIn(student, MADE, guesses, links)


def test_hand_in_file_is_read_back_and_escaped(tmp_path, espresso):
    sentence = marking.guess(7, prompt(7), HOSTILE, 3, True)
    work = hand_in(
        HOSTILE[:80],
        region(CUP_REGION, espresso),
        sentence,
        links=links_of(f"https://a.org/?x=1&y=2\n\njavascript:alert(1)\n{HOSTILE}"),
    )
    html = to_html(work, LESSONS, {0: region_image(espresso.view, CUP_REGION)})
    path = tmp_path / "one.html"
    path.write_text(html, encoding="utf-8")
    assert read_hand_in(path) == work
    assert re.findall(r"<script[^>]*>", html) == ['<script type="application/json" id="camviz-hand-in">']
    assert "<img src=x" not in html and html.count("</script>") == 1
    assert re.findall(r'href="([^"]*)"', html) == ["https://a.org/?x=1&amp;y=2"]
    assert LESSONS[0].title in html and "data:image/jpeg;base64," in html


def test_class_results_are_collected_and_marked_again(tmp_path, espresso):
    left = np.roll(CUP_REGION, -8, axis=1)
    cheat = replace(marking.guess(4, prompt(4), "B", 60, True), correct=True, score=1.0)
    works = {
        "ann": hand_in(
            "Ann",
            region(CUP_REGION),
            marking.guess(4, prompt(4), "A", 30, True),
            marking.guess(10, prompt(10), 12.5, 9, True),
            links=("https://a.org/explain?x=1",),
        ),
        "sub/bo": hand_in("Bo", region(left), cheat, marking.guess(10, prompt(10), 11.5, 9, True)),
        "formula": hand_in(
            "=1+1", marking.guess(7, prompt(7), "Its toes.", 5, True), replace(cheat, lesson=4, question="Other?")
        ),
    }
    for name, work in works.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.html").write_text(to_html(work, LESSONS), encoding="utf-8")
    (tmp_path / "again.html").write_text(to_html(works["ann"], LESSONS), encoding="utf-8")
    found = collect(tmp_path, LESSONS)
    assert [work.student for _, work in found.files] == ["Ann", "=1+1", "Bo"]
    where, vote, sentence, number = (next(q for q in found.questions if q.lesson.number == n) for n in (1, 4, 7, 10))
    scores = [marking.overlap(mask, espresso).score for mask in (CUP_REGION, left)]
    assert [guess.score for guess in where.guesses.values()] == scores
    assert where.summary.values["score"] == f"{np.mean(scores):.2f}" and len(where.images) == 2
    assert [(v.answer, v.count, v.percent, v.right) for v in vote.votes] == [("A", 1, 50, True), ("B", 1, 50, False)]
    assert str(vote.summary) == "1 of 2 are right."
    assert sentence.sentences == (("=1+1", "Its toes."),)
    assert str(number.summary) == "1 of 2 are right (expected: 12.8); the median is 12 (11.5 to 12.5)."
    assert [sentence.split(":")[0] for sentence in found.refused[:1]] == ["ann.html"]
    assert str(found.refused[1]) == "1 guesses are at questions that are not in these lessons"
    rows = list(csv.DictReader(io.StringIO(found.to_csv())))
    assert len(rows) == 7 and {row["student"] for row in rows} == {"Ann", "Bo", "'=1+1"}
    assert [row["correct"] for row in rows if row["lesson"] == "4"] == ["True", "False"]
    html = found.to_html()
    assert '<b>Ann</b>: <a href="https://a.org/explain?x=1"' in html
    assert html.count("data:image/jpeg") == 2 and "Its toes." in html and "<script" not in html


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("<p>Homework</p>", "holds no hand-in"),
        (b"\xff\xfe\x00", "damaged"),
        ("DATA:{", "damaged"),
        ("DATA:" + "[" * 200_000, "damaged"),
        ("DATA:" + "9" * 10_000, "damaged"),
        ('DATA:{"kind": "other"}', "not a hand-in of CamViz"),
        ("WORK:format=2", "update CamViz"),
        ("WORK:guesses=5", "no list"),
        ("WORK:guesses=[{}]", "a guess is an object"),
        ("WORK:student=7", "no text"),
        ('WORK:student=""', "a name has 1 to 80"),
        ('WORK:made="today"', "a time must look"),
        ("WORK:links=[1]", "a link has 1 to 2000"),
        ("WORK:links=" + json.dumps(["a"] * 51), "at most 200 guesses and 50 links"),
        (b"x" * 2_000_001, "larger than 2 MB"),
    ],
    ids=range(15),
)
def test_other_files_are_left_out_with_a_reason(tmp_path, content, sentence):
    good = hand_in("Ann", marking.guess(4, prompt(4), "A", 30, True))
    if isinstance(content, str):
        data = content.removeprefix("DATA:")
        if content.startswith("WORK:"):
            name, value = content.removeprefix("WORK:").split("=", 1)
            data = json.dumps(good.to_json() | {name: json.loads(value)})
        if data != content:
            content = f'<script type="application/json" id="camviz-hand-in">{data}</script>'
        content = content.encode()
    (tmp_path / "ann.html").write_text(to_html(good, LESSONS), encoding="utf-8")
    (tmp_path / "<b>.html").write_bytes(content)
    found = collect(tmp_path, LESSONS)
    assert len(found.files) == 1 and len(found.refused) == 1
    assert found.refused[0].startswith("<b>.html: ") and sentence in found.refused[0]
    assert "<b>" not in found.to_html().replace("<b>Ann</b>", "")
    (tmp_path / "ann.html").unlink()
    with pytest.raises(CamvizError, match="holds no file that a student has handed in"):
        collect(tmp_path, LESSONS)


def test_guess_that_fits_no_question_is_refused(tmp_path):
    wrong = replace(marking.guess(4, prompt(4), "A", 30, True), value="Z")
    other = replace(marking.guess(7, prompt(7), "a", 30, True), lesson=4, question=prompt(4).key)
    for name, guess in (("a", wrong), ("b", other), ("c", marking.guess(4, prompt(4), "A", 30, True))):
        (tmp_path / f"{name}.html").write_text(to_html(hand_in(name, guess), LESSONS), encoding="utf-8")
    assert list(map(str, collect(tmp_path, LESSONS).refused)) == [
        "a.html: choose one of the answers: A, B",
        "b.html: a guess is of the kind sentence, but its question asks for a choice",
    ]


def test_only_the_border_of_a_region_is_drawn(espresso):
    drawn = np.asarray(camviz.images.decode_image(region_image(espresso.view, CUP_REGION)).pixels).astype(int)
    assert np.abs(drawn[8, 30:140] - (255, 176, 0)).max() < 60
    small = np.asarray(camviz.images.decode_image(region_image(espresso.view, np.zeros((56, 56), bool))).pixels).astype(
        int
    )
    assert np.abs(drawn - small)[20:100, 50:130].max() < 60
