"""Sentences on the results of the page Perturb: pure functions of their numbers."""

from collections.abc import Sequence

from ...adversarial import Attack
from ...explanation.heatmap_curve import BROKEN
from ...messages import Message
from ...models import Prediction

ONE_IMAGE = Message(
    "One image shows one case. A heatmap can stay the same while the prediction changes, and the reverse; neither says "
    "which of them is right."
)
ONE_MODEL = Message(
    "The attack knows the weights of this model; the same image may not fool another one. If no attack succeeds, that "
    "does not prove that none can."
)


def predictions(along: Sequence[Sequence[Prediction]], explained: Sequence[Prediction]) -> Message:
    """Return at which level another class is predicted than for the untouched image."""
    first, last = along[0][0], len(along) - 1
    if len(along[0]) == 1:  # one answer, as of a regression
        return Message(
            "The output goes from {before} to {after} at level {level}.",
            before=explained[0].shown(0),
            after=explained[-1].shown(0),
            level=last,
        )
    changed = [level for level, best in enumerate(along) if best[0].index != first.index]
    if not changed:
        return Message(
            "The prediction stays {label} at every level; at level {level} with {share}.",
            label=first.label,
            level=last,
            share=along[last][0].shown(0),
        )
    level = changed[0]
    new = along[level][0]
    template = (
        Message("The prediction changes from level {level} on: {label}, {share}.")
        if changed == list(range(level, last + 1))
        else Message(
            "The prediction changes at level {level}: {label}, {share}. At some higher levels it is {first} again."
        )
    )
    return Message(template, level=level, label=new.label, share=new.shown(0), first=first.label)


def heatmaps(similarities: Sequence[float], empty: Sequence[bool]) -> Message:
    """Return at which level the heatmap is no longer similar to that of the untouched image, or is empty."""
    level = next((level for level, one in enumerate(similarities) if one < BROKEN), None)
    if level is None:
        return Message(
            "The heatmap stays similar to that of the untouched image: {least} or more at every level.",
            least=f"{min(similarities):.2f}",
        )
    if empty[level]:
        return Message("At level {level} the heatmap is empty: no positive evidence for the class.", level=level)
    return Message(
        "The similarity of the heatmap first falls below {broken} at level {level}, to {similarity}.",
        broken=BROKEN,
        level=level,
        similarity=f"{similarities[level]:.2f}",
    )


def size(found: Attack) -> Message:
    """Return the size of the allowed change."""
    if found.norm == "linf":
        return Message("A change of at most {levels}/255 per pixel", levels=round(255 * found.epsilon))
    return Message("A change of L2 norm {epsilon}", epsilon=f"{found.epsilon:g}")


def attack(found: Attack, wanted: str = "") -> Message:
    """Return what an attack achieved; `wanted` is the label of its target."""
    before, after = found.before[0], found.after[0]
    values = {
        "size": size(found),
        "before": before.label,
        "share": before.shown(0),
        "after": after.label,
        "after_share": after.shown(0),
        "wanted": wanted,
    }
    if found.success:
        return Message("{size} turns {before} ({share}) into {after} ({after_share}).", **values)
    if wanted and before.index != after.index:
        return Message("{size} turns {before} ({share}) into {after} ({after_share}), but not into {wanted}.", **values)
    return Message(
        "No such change was found within epsilon: the model still predicts {after} ({after_share} instead of {share}). "
        "Raise epsilon or the number of steps.",
        **values,
    )


def control(found: Attack, noise: Attack) -> Message:
    """Return what noise of the same size does."""
    after = noise.after[0]
    if not noise.success:
        return Message(
            "Random noise of the same size leaves it at {label} ({share}).", label=after.label, share=after.shown(0)
        )
    return Message(
        "Random noise of the same size changes it too, to {label} ({share}): the prediction was undecided.",
        label=after.label,
        share=after.shown(0),
    )
