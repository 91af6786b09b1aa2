"""What the results of the tests mean, in plain words."""

from collections.abc import Mapping, Sequence

import numpy as np

from ...evaluation.perturbation_curve import Curve
from ...text import percent

EARLY = 0.1  # the share of pixels at which a curve is read out


def curves(label: str, deletion: Curve, insertion: Curve) -> str:
    """Both curves of a class's probability, read out where only a tenth of the pixels has been changed."""
    whole, gone, there = deletion.values[0], at(deletion, EARLY), at(insertion, EARLY)
    return (
        f"Without the hottest {percent(EARLY, 0)} of the pixels the probability of {label} goes from {percent(whole)} "
        f"to {percent(gone)}. "
        f"With nothing but the hottest {percent(EARLY, 0)} of them sharp it is {percent(there)}."
    )


def against(own: tuple[Curve, Curve], others: Mapping[str, tuple[Curve, Curve]]) -> str:
    """How a method's deletion and insertion stand against those of the controls, by their areas."""
    lost_deletion = [name for name, (deletion, _) in others.items() if deletion.area <= own[0].area]
    lost_insertion = [name for name, (_, insertion) in others.items() if insertion.area >= own[1].area]
    if not lost_deletion and not lost_insertion:
        return "On this picture the map beats every control in both: it knows something of what the network uses."
    parts = [
        f"in {test} it does no better than {listed(names)}"
        for test, names in (("deletion", lost_deletion), ("insertion", lost_insertion))
        if names
    ]
    return (
        f"On this picture {' and '.join(parts)}. Controls know nothing of the network's reasons, "
        "so do not take the details of this map for them."
    )


def forgetting(correlations: Sequence[float]) -> str:
    """What the curve of a network that forgets says of the map; the first value is the trained network's own, 1."""
    kept = [abs(value) for value in correlations[1:]]
    mean = sum(kept) / len(kept)
    if mean > 0.8:
        return (
            "This map hardly notices that the network has forgotten everything: it would look the same for a network "
            "that has learned nothing. What it shows is in the picture, not in what was learned."
        )
    if kept[0] > 0.9:
        return (
            "This map does not notice that the network has forgotten its classes (the last layer), and changes only as "
            "deeper layers forget: it shows what the network sees, not why it says this class."
        )
    if kept[-1] > 0.5:
        return (
            "The map changes while the network forgets, but much of it is still there at the end: "
            "part of what it shows would be shown for any network."
        )
    if mean > 0.4:
        return "The map changes slowly while the network forgets: it depends on what was learned, among other things."
    return "The map changes as soon as the network forgets its last layers: it depends on what was learned."


def classes(correlation: float, likest: str) -> str:
    """What it says that maps for other classes are alike that much; `likest` is the class of the likest one."""
    if correlation > 0.9:
        return (
            "The map is nearly the same whichever class is asked for: it does not explain this answer, "
            "but what the network looks at for any."
        )
    if correlation > 0.5:
        return "The maps for other classes mark much the same places: only the differences speak of this class."
    return f"The maps for most other classes mark other places: this one is about its class. Likest: {likest}."


def pointing(share: float) -> str:
    """What a share of the map in the right quarter means."""
    if share < 0.35:
        return "The map hardly tells the quarters apart: 25% would be chance."
    if share < 0.65:
        return "The map leans toward the right quarter, but much of it lies on pictures of other classes."
    return "Most of the map lies on the picture of the class that it explains."


def at(curve: Curve, fraction: float) -> float:
    """A curve's value at a share of pixels, between its points in a straight line."""
    return float(np.interp(fraction, curve.fractions, curve.values))


def listed(names: Sequence[str]) -> str:
    """Names in a sentence.

    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
