"""The agreement of heatmaps: rank correlations of heatmaps of one image, one crop and one layer."""

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...evaluation.rank_correlation import pairwise_rank_correlation
from ...explanation.explanation import Explanation
from ...explanation.question import Question
from ..results.grid import Place

SIZE = (56, 56)  # the size at which heatmaps are ranked


def are_comparable(a: Question, b: Question) -> bool:
    """Return whether two heatmaps cover the same part of one image, and do not come from different layers.

    A method without a layer is comparable with every layer.
    """
    layers = {_layer(question) for question in (a, b) if question.layers}
    return _view(a) == _view(b) and len(layers) < 2


def common_view(questions: Sequence[Question]) -> Question | None:
    """Return one of the questions if all are about the same part of one image, at one size."""
    return questions[0] if len({_view(question) for question in questions}) == 1 else None


def correlations(maps: Mapping[Place, Explanation]) -> dict[Place, dict[Place, float]]:
    """Return the rank correlation of each heatmap with every other one that is comparable with it."""
    matrix = _matrix(list(maps.values()))
    return {
        place: {
            other: float(matrix[row, column])
            for column, other in enumerate(maps)
            if row != column and are_comparable(maps[place].question, maps[other].question)
        }
        for row, place in enumerate(maps)
    }


def groups(maps: Mapping[Place, Explanation]) -> list[tuple[list[Place], NDArray[np.float64]]]:
    """Return the largest sets of two or more comparable heatmaps, each with its rank correlations (n, n).

    A heatmap that occurs in several cells is taken once, if possible from a row or a column with the others.
    """
    by_view: dict[Hashable, dict[Hashable, list[Place]]] = {}
    for place, e in maps.items():
        layer = _layer(e.question) if e.question.layers else None
        by_view.setdefault(_view(e.question), {}).setdefault(layer, []).append(place)
    found = []
    for by_layer in by_view.values():
        pixels = by_layer.pop(None, [])
        for places in by_layer.values() or ([],):
            distinct = {maps[place].question.key: place for place in [*_nearest_last(places, pixels), *places]}
            members = sorted(distinct.values())
            if len(members) > 1:
                found.append((members, _matrix([maps[place] for place in members])))
    return found


def _nearest_last(places: list[Place], others: list[Place]) -> list[Place]:
    """Return `others` in an order in which those come last that share rows and columns with `places`."""
    rows, columns = {row for row, _ in places}, {column for _, column in places}
    return sorted(others, key=lambda place: (place[0] in rows, place[1] in columns, -place[0], -place[1]))


def _view(question: Question) -> Hashable:
    """Return a key of the part of the image that a heatmap covers, and of its size."""
    model: Any = question.model
    how = model.geometry if model.transform is None else model.key
    return question.image.digest, question.fit, how


def _layer(question: Question) -> Hashable:
    return question.model.key, question.layers


def _matrix(maps: list[Explanation]) -> NDArray[np.float64]:
    return pairwise_rank_correlation([e.heatmap for e in maps], SIZE)
