"""`camviz lessons FOLDER`: check that lessons can be read, and that their claims hold."""

import argparse
from pathlib import Path

from ..errors import CamvizError, FilesError
from ..explanation.explain import answer
from ..models.local import local_models
from ..teaching.courses import courses
from ..teaching.lessons import FOLDER, Lesson, files, lessons, question_of, read

HELP = "Checks files of lessons, and shows which claims hold on the networks of this machine (exit status 1: not all)."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER, help="default: the lessons that are shipped")


def run(given: argparse.Namespace) -> int:
    """Print a line for each lesson and each of its claims."""
    if not given.folder.is_dir():
        raise FilesError("'{folder}' is not a folder: name the one with the lessons", folder=str(given.folder))
    found = files(given.folder)
    if not found:
        raise FilesError(
            "'{folder}' holds no lesson: expected files such as 07-rather-than.toml", folder=str(given.folder)
        )
    faults = sum(_faults_of(path) for path in found)
    try:
        known = lessons(given.folder)
    except CamvizError as error:
        if not faults:  # otherwise it is about a file that is reported above
            print(f"FAULT  {error}")
            faults = 1
    else:
        faults += _faults_of_courses(known, given.folder)
    print(f"{len(found)} lessons, {faults} faults")
    return 1 if faults else 0


def _faults_of_courses(known: tuple[Lesson, ...], folder: Path) -> int:
    """Print the fault in the courses of a folder, if any, and return the number of faults, 0 or 1."""
    try:
        courses(known, folder)
    except CamvizError as error:
        print(f"FAULT  {error}")
        return 1
    return 0


def _faults_of(path: Path) -> int:
    """Print the claims of a file, and return the number of those that fail; 1 for a file that cannot be read."""
    try:
        lesson = read(path)
        print(f"{path.name}: {lesson.title} ({lesson.minutes} minutes, {len(lesson.prompts)} guesses)", flush=True)
        if lesson.needs and lesson.needs not in local_models():
            print(f"  not checked: its model {lesson.needs} is not on this machine, and Learn leaves the lesson out")
            return 0
        return _failed_claims(lesson)
    except CamvizError as error:
        print(f"FAULT  {error}")
        return 1


def _failed_claims(lesson: Lesson) -> int:
    explanations = [answer(question_of(view)) for view in lesson.heatmaps]
    failed = 0
    for claim in lesson.tested:
        value = claim.value(explanations)
        shown = value if isinstance(value, str) else f"{value:.4g}"
        holds = claim.holds(value)
        failed += not holds
        print(f'{"  holds" if holds else "  FAILS"}  {claim.measure} = {shown}  "{claim.says}"')
    return failed
