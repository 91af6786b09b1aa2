"""The result of an edit: a sentence, the guess before it, and the heatmaps before and after with their difference."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from ...explanation.explanation import Explanation
from ...messages import Message
from ...report import Section
from ...stage.look import Look
from ...stage.stage_map import StageMap
from ..inputs.experiment import Experiment
from ..results import explanations
from ..session.language import tr, tr_message
from ..session.markdown import escaped
from ..widgets import stage as stages
from . import edited, guesses
from .edited import Edited


def show(experiment: Experiment, found: Edited) -> None:
    """Show a sentence on what the edit has changed, and whether the guess was right."""
    st.markdown(f"**{escaped(tr_message(edited.sentence(experiment.model, found)))}**")
    guesses.show(st.session_state["guess"], found.outcome)


def in_report(sections: Sequence[Section], experiment: Experiment, found: Edited, guess: str) -> list[Section]:
    """Return the sections of a report with a section on the edit and the guess."""
    said = [edited.sentence(experiment.model, found), *([guesses.verdict(guess, found.outcome)] if guess else [])]
    title = Message("Edit")
    if title not in [one.title for one in sections]:
        return [*sections[:2], Section(title, said), *sections[2:]]
    return [replace(one, text=said) if one.title == title else one for one in sections]


def compare(e: Explanation, look: Look, place: Any) -> None:
    """Show the heatmaps of the untouched and of the edited image and their difference, on one scale."""
    untouched = e.question.replace(edit=None)
    slow = untouched.method.many_passes
    before = explanations.known(untouched) if slow else explanations.compute(untouched)
    if before is None:
        place.caption(tr("To compare the heatmap with that of the untouched image, choose Reset and run the method."))
        return
    size = e.view.shape[0], e.view.shape[1]
    first, second = stages.map_of(before), stages.map_of(e)
    top = max(first.top, second.top)
    shown = (
        (tr("Before"), before, stages.map_of(before, top)),
        (tr("After"), e, stages.map_of(e, top)),
        (tr("Difference (red: higher, blue: lower)"), e, difference(before, e)),
    )
    with place:
        for number, (column, (title, one, values)) in enumerate(zip(st.columns(3), shown, strict=True)):
            with column:
                st.caption(title)
                alt = tr("{title}: heatmap of {label}", title=title, label=tr_message(one.label))
                stages.stage(
                    f"stage_slot_edit_{number}", stages.original_of(one.question), size, values, look, alt, group="edit"
                )


def difference(before: Explanation, after: Explanation) -> StageMap:
    """Return the signed change of a heatmap, at its own resolution."""
    first, second = (
        one.attribution.clip(min=0) if one.attribution.ndim == 2 else np.abs(one.attribution).sum(axis=0)
        for one in (before, after)
    )
    change = (second - first).astype(np.float32)
    top = float(np.abs(change).max())
    return StageMap(change / top if top else change, top, signed=True, cells=stages.map_of(after).cells)
