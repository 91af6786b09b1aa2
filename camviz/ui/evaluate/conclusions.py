"""Sentences on what the results of the tests mean."""

from collections.abc import Mapping, Sequence

import numpy as np

from ...evaluation.perturbation_curve import Curve
from ...evaluation.registry import Metric
from ...messages import Message, listed
from ...text import percent

EARLY = 0.1  # the share of pixels at which a curve is described
BETTER = {"low": Message("Lower is better."), "high": Message("Higher is better.")}


def curves(label: str, deletion: Curve, insertion: Curve) -> Message:
    """Describe both curves of a class's probability at 10% of the pixels."""
    whole, gone, there = deletion.values[0], at(deletion, EARLY), at(insertion, EARLY)
    return Message(
        "Deleting the top {share} of the pixels changes the probability of {label} from {before} to {after}. "
        "With only the top {share} inserted it is {insertion}.",
        share=percent(EARLY, 0),
        label=label,
        before=percent(whole, 0),
        after=percent(gone, 0),
        insertion=percent(there, 0),
    )


def against(own: tuple[Curve, Curve], others: Mapping[str, tuple[Curve, Curve]]) -> Message:
    """Compare a method's deletion and insertion areas with those of the controls."""
    lost_deletion = [name for name, (deletion, _) in others.items() if deletion.area <= own[0].area]
    lost_insertion = [name for name, (_, insertion) in others.items() if insertion.area >= own[1].area]
    if not lost_deletion and not lost_insertion:
        return Message("On this image the heatmap beats every control in both tests: it reflects what the model uses.")
    deletion = Message("no better than {names} in deletion", names=listed(lost_deletion or [""]))
    insertion = Message("no better than {names} in insertion", names=listed(lost_insertion or [""]))
    both = Message("{deletion} and {insertion}", deletion=deletion, insertion=insertion)
    return Message(
        "On this image it is {tests}. The controls contain no information about the decision, "
        "so do not read the details of this heatmap as reasons.",
        tests=both if lost_deletion and lost_insertion else deletion if lost_deletion else insertion,
    )


def best(metric: Metric, controls: Mapping[str, float]) -> tuple[str, float]:
    """Return the title and the value of the control with the best value of a metric."""
    return (max if metric.better == "high" else min)(controls.items(), key=lambda one: one[1])


def best_control(metric: Metric, controls: Mapping[str, float], decimals: int = 3) -> Message:
    """Name the control with the best value of a metric, or say that it is pending."""
    if not controls:
        return Message("Best control: pending.")
    title, value = best(metric, controls)
    return Message("Best control: {value} ({title}).", value=f"{value:.{decimals}f}", title=title)


def randomization(correlations: Sequence[float]) -> Message:
    """Describe how a heatmap changes in the randomization test; the first correlation is 1, for trained weights."""
    kept = [abs(value) for value in correlations[1:]]
    mean = sum(kept) / len(kept)
    if mean > 0.8:
        return Message(
            "The heatmap hardly changes although all weights are random: it would look the same for an "
            "untrained model. It shows properties of the image, not of the trained model."
        )
    if kept[0] > 0.9:
        return Message(
            "The heatmap does not change when the last layer is randomized, only when earlier layers are: it "
            "shows what the model detects, not why it predicts this class."
        )
    if kept[-1] > 0.5:
        return Message(
            "The heatmap changes, but much of it remains when all weights are random: part of it would appear "
            "for any model."
        )
    if mean > 0.4:
        return Message(
            "The heatmap changes slowly as the layers are randomized: it depends on the learned weights, "
            "among other things."
        )
    return Message("The heatmap changes as soon as the last layers are randomized: it depends on the learned weights.")


def classes(correlation: float, most_similar: str) -> Message:
    """Describe how similar the heatmaps of other classes are; `most_similar` is the class of the most similar one."""
    if correlation > 0.9:
        return Message(
            "The heatmap is nearly the same for every class: it does not explain this prediction, but shows "
            "what the model responds to in general."
        )
    if correlation > 0.5:
        return Message(
            "The heatmaps of other classes highlight nearly the same places: only the differences are about this class."
        )
    return Message(
        "The heatmaps of most other classes highlight other places: this one is specific to its class. "
        "Most similar: {label}.",
        label=most_similar,
    )


def pointing(share: float) -> Message:
    """Describe the share of the heatmap in the correct quarter."""
    if share < 0.35:
        return Message("The heatmap hardly distinguishes the quarters: 25% is chance level.")
    if share < 0.65:
        return Message("The heatmap prefers the correct quarter, but much of it lies on images of other classes.")
    return Message("Most of the heatmap lies on the image of the explained class.")


def at(curve: Curve, fraction: float) -> float:
    """Return a curve's value at a share of the pixels, linearly interpolated."""
    return float(np.interp(fraction, curve.fractions, curve.values))
