"""`camviz lessons` and `camviz collect`."""

import csv
from pathlib import Path

import pytest

from camviz.teaching import marking
from camviz.teaching.hand_in import HandIn, to_html
from camviz.teaching.lessons import FOLDER, lessons
from tests.cli.test_commands import run_command

LESSON = """
title = "A"
question = "Is it a koala?"
answer = "Yes."
[[guess]]
kind = "number"
prompt = "How many cells has the map?"
expected = 7
tolerance = 0
measure = "cells"
[[view]]
set = { img = "sample:koala" }
[[claim]]
says = "a koala"
measure = "predicted"
equals = "koala"
"""


def test_lessons_command_checks_claims_and_files(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "1-a.toml").write_text(LESSON)
    status, out, _ = run_command(capsys, "lessons", str(tmp_path))
    assert (status, out.splitlines()) == (
        0,
        [
            "1-a.toml: A (5 minutes, 1 guesses)",
            '  holds  predicted = koala  "a koala"',
            '  holds  cells = 7  "How many cells has the map?"',
            "1 lessons, 0 faults",
        ],
    )
    (tmp_path / "1-a.toml").write_text(LESSON.replace('equals = "koala"', 'equals = "wombat"'))
    (tmp_path / "2-b.toml").write_text("title = 3")
    status, out, _ = run_command(capsys, "lessons", str(tmp_path))
    assert status == 1 and '  FAILS  predicted = koala  "a koala"' in out and "2 lessons, 2 faults" in out
    assert 'FAULT  2-b.toml lacks title = "..."' in out
    (tmp_path / "empty").mkdir()
    assert run_command(capsys, "lessons", str(tmp_path / "empty"))[0] == 2


def test_collect_command_writes_a_table_and_a_page(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (lesson,) = [one for one in lessons(FOLDER) if one.number == 4]
    for name, value in (("ann", "A"), ("bo", "B")):
        guess = marking.guess(4, lesson.prompts[0], value, 30, True)
        text = to_html(HandIn(name, "2026-11-27T16:05:00Z", (guess,)), [lesson])
        (tmp_path / f"{name}.html").write_text(text, encoding="utf-8")
    (tmp_path / "other.html").write_text("<p>")
    page = tmp_path / "class.html"
    for _ in range(2):  # the page itself is no file of the class
        status, out, _ = run_command(capsys, "collect", str(tmp_path), "--output", str(page), "--language", "zh")
        assert status == 0 and "2 students, 1 questions" in out
        assert [line.split(":")[1] for line in out.splitlines() if line.startswith("Left out")] == [" other.html"]
    rows = list(csv.DictReader(page.with_suffix(".csv").read_text(encoding="utf-8-sig").splitlines()))
    assert [(row["student"], row["value"], row["correct"]) for row in rows] == [
        ("ann", "A", "True"),
        ("bo", "B", "False"),
    ]
    assert "2 个中有 1 个正确" in page.read_text(encoding="utf-8")
    assert run_command(capsys, "collect", str(tmp_path / "nowhere"))[0] == 2
