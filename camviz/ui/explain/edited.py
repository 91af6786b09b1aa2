"""The answers of a model to an edited image and to the untouched one."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ... import edits
from ...errors import CamvizError
from ...images import DecodedImage
from ...messages import Message
from ...models import Model
from ..inputs.experiment import Experiment
from ..server.forward_batches import forward_batches
from ..server.store import result_store
from . import guesses

Answers = NDArray[np.float64]  # of all classes, (K,)
Translate = Callable[[str], str]

NEW_CLASSES = 2  # the most probable classes after an edit, which are shown too


@dataclass(frozen=True, eq=False)
class Edited:
    """An edit, the explained class, and the answers (K,) to the untouched image and to the edited one."""

    edit: edits.Edit
    chosen: int
    before: Answers
    after: Answers

    @property
    def outcome(self) -> str:
        """Return what happened, a key of the answers to the guess."""
        same = bool(self.before.argmax() == self.after.argmax())
        return guesses.outcome(same, float(self.before[self.chosen]), float(self.after[self.chosen]))


def answers_to(model: Model, view: NDArray[np.uint8]) -> Answers:
    """Return the answers of a model to a view, (K,): in one batch with the other visitors' requests."""
    scores = forward_batches().scores(model, model.normalize(np.ascontiguousarray(view)))
    with torch.no_grad():
        found: Answers = model.probabilities(scores)[0].double().cpu().numpy()
    return found


def kept_answers(experiment: Experiment, edit: edits.Edit) -> Answers:
    """Return the answers to the edited image of an experiment; computed once."""
    model, fit = experiment.model, experiment.fit
    return result_store().once(
        ("edited", experiment.key, edit.key),
        lambda: answers_to(model, edit.apply(experiment.view, lambda other: model.view(other, fit))),
    )


def rows(
    model: Model, shown: Sequence[int], chosen: int, before: Answers, after: Answers, label: Translate
) -> list[dict[str, Any]]:
    """Return the bars of the shown classes and of the most probable ones after the edit, with their change."""
    best = np.argsort(-after, kind="stable")[:NEW_CLASSES]
    found = []
    for index in (*shown, *(int(one) for one in best if one not in shown)):
        one = model.prediction(index, float(after[index]))
        has_share = not isnan(one.probability)
        found.append(
            {
                "id": index,
                "label": label(one.label),
                "value": one.shown(),
                "share": one.probability if has_share else 0.0,
                "before": float(before[index]) if has_share else 0.0,
                "change": _change(float(after[index] - before[index]), has_share),
                "chosen": index == chosen,
            }
        )
    return found


def summary(model: Model, chosen: int, before: Answers, after: Answers) -> Message:
    """Return the new answer for the explained class and its change, in one line."""
    change = float(after[chosen] - before[chosen])
    return Message(
        "{label}: {after} ({change})",
        label=model.categories[chosen],
        after=model.prediction(chosen, float(after[chosen])).shown(),
        change=_change(change, model.has_probabilities) or "±0",
    )


def sentence(model: Model, found: Edited) -> Message:
    """Return a sentence on what an edit has changed."""
    chosen, before, after = found.chosen, found.before, found.after
    first, now = int(before.argmax()), int(after.argmax())
    values: dict[str, Any] = {
        "edit": edits.describe(found.edit),
        "label": model.categories[chosen],
        "before": model.prediction(chosen, float(before[chosen])).shown(0),
        "after": model.prediction(chosen, float(after[chosen])).shown(0),
        "first": model.categories[first],
        "now": model.categories[now],
        "share": model.prediction(now, float(after[now])).shown(0),
    }
    if first == now or len(before) == 1:
        return Message("{edit}: {label} goes from {before} to {after}; the prediction is still {first}.", **values)
    return Message("{edit}: {label} goes from {before} to {after}; the model now predicts {now} ({share}).", **values)


def read_request(given: Mapping[str, Any], find_image: Callable[[str], DecodedImage | None]) -> edits.Edit | None:
    """Return the edit that a browser asks about; None if nothing is edited. Raises CamvizError."""
    mask, tool = edits.from_bits(given.get("cells")), given.get("tool")
    if not mask.any():
        return None
    if tool not in edits.TOOLS:
        raise CamvizError("a tool is one of {known}; got {given}", known=", ".join(edits.TOOLS), given=repr(tool)[:30])
    pasted = find_image(str(given.get("paste"))) if tool == "paste" else None
    if tool == "paste" and pasted is None:
        raise CamvizError(
            "the image to paste, '{name}', is not stored here: choose another one", name=str(given.get("paste"))[:60]
        )
    fill = "blur" if pasted else given.get("fill")
    return edits.Edit(edits.pack(mask), fill, keep=tool == "keep", pasted=pasted)  # type: ignore[arg-type]


def _change(change: float, is_share: bool) -> str:
    text = f"{100 * abs(change):.0f}" if is_share else f"{abs(change):.3g}"
    return ("+" if change > 0 else "\N{MINUS SIGN}") + text if abs(change) >= (0.005 if is_share else 1e-9) else ""
