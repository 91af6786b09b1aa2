import math
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

import camviz
from camviz import CamvizError, scores
from camviz.models.custom.reading import Head

VALUES = torch.tensor([[0.0, 2.0, -1.0], [5.0, 1.0, 1.0]], dtype=torch.float64)


def test_scores_of_known_values():
    assert scores.logit(1)(VALUES).tolist() == [2, 1]
    assert scores.contrast(0, 2)(VALUES).tolist() == [1, 4]
    assert scores.contrast(1, 1)(VALUES).tolist() == [0, 0]
    expected = [math.exp(2) / (1 + math.exp(2) + math.exp(-1)), math.e / (math.exp(5) + 2 * math.e)]
    assert scores.probability(1)(VALUES).tolist() == pytest.approx(expected, rel=1e-14)


def test_gradient_of_a_probability():
    values = VALUES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(scores.probability(1)(values).sum(), values)
    p = VALUES.softmax(dim=1)
    one_hot = torch.tensor([0.0, 1.0, 0.0])
    torch.testing.assert_close(gradient, p[:, 1:2] * (one_hot - p))
    assert gradient[0, 0] < 0 < gradient[0, 1]


def test_scores_are_immutable_values():
    assert scores.logit(3) == scores.logit(3) != scores.probability(3)
    assert scores.contrast(1, 2) != scores.contrast(2, 1)
    assert [repr(score) for score in (scores.logit(3), scores.probability(4), scores.contrast(1, 2))] == [
        "logit(c=3)",
        "probability(c=4)",
        "contrast(a=1, b=2)",
    ]
    assert len({scores.logit(3), scores.logit(3), scores.probability(3)}) == 2
    with pytest.raises(AttributeError):
        scores.logit(3).c = 4


@pytest.mark.parametrize(
    "score", [scores.logit(3), scores.probability(3), scores.contrast(0, 3), scores.contrast(3, 0)]
)
def test_missing_class_is_refused(score):
    with pytest.raises(CamvizError, match="class 3 does not exist; this network has classes 0 to 2"):
        score(VALUES)


def test_negative_class_is_refused():
    with pytest.raises(CamvizError, match="class -1 does not exist"):
        scores.logit(-1)(VALUES)


def test_logit_of_takes_one_class_per_sample():
    assert scores.logit_of((1, 0))(VALUES).tolist() == [2, 5]
    assert scores.logit_of((2, 2))(VALUES).tolist() == scores.logit(2)(VALUES).tolist()
    values = VALUES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(scores.logit_of((1, 0))(values).sum(), values)
    assert gradient.tolist() == [[0, 1, 0], [1, 0, 0]]
    assert scores.logit_of((1, 0)) == scores.logit_of((1, 0)) != scores.logit_of((0, 1))
    with pytest.raises(CamvizError, match="1 classes need as many samples; got 2"):
        scores.logit_of((1,))(VALUES)
    with pytest.raises(CamvizError, match="class 3 does not exist"):
        scores.logit_of((1, 3))(VALUES)


@pytest.mark.parametrize(
    ("data", "score"),
    [
        ({"logit": 3}, scores.logit(3)),
        ({"probability": 0}, scores.probability(0)),
        ({"contrast": [1, 2]}, scores.contrast(1, 2)),
    ],
)
def test_score_is_read_from_data(data, score):
    assert scores.from_data(data) == score


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "a score must have one name, one of logit, probability, contrast; got 0 names"),
        ({"logit": 1, "contrast": [1, 2]}, "got 2 names"),
        ({"logits": 1}, "score 'logits' is not in CamViz; did you mean 'logit'"),
        ({"logit": "1"}, "the score 'logit' takes the index of a class; got 1"),
        ({"logit": True}, "takes the index of a class; got True"),
        ({"contrast": 1}, "the score 'contrast' takes the indices of 2 classes; got 1"),
        ({"contrast": [1, 2, 3]}, r"takes the indices of 2 classes; got \[1, 2, 3\]"),
    ],
)
def test_wrong_score_data_are_refused(data, sentence):
    with pytest.raises(CamvizError, match=sentence):
        scores.from_data(data)


@pytest.mark.parametrize(
    ("method", "knobs"),
    [
        ("rise", {"masks": 40}),
        ("score_cam", {"weighting": "class probability"}),
        ("occlusion", {"measure": "class probability", "size": 8, "stride": 8}),
    ],
)
def test_probability_follows_the_head_of_the_network(method: str, knobs: dict[str, object], coffee: Path) -> None:
    """A sigmoid probability does not depend on the scores of other classes."""

    def attribution(others: float, head: Head) -> NDArray[np.float32]:
        torch.manual_seed(3)
        net = nn.Sequential(nn.Conv2d(3, 4, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
        with torch.no_grad():
            net[4].bias[1:] += others
        model = camviz.load_model(net, input_size=(32, 32), head=head)
        torch.manual_seed(4)
        return camviz.explain(model, coffee, method, 0, **knobs).attribution

    assert np.array_equal(attribution(0.0, "sigmoid"), attribution(1.0, "sigmoid"))
    assert not np.allclose(attribution(0.0, "softmax"), attribution(1.0, "softmax"), rtol=1e-3)


def test_using_head_is_limited_to_its_block() -> None:
    values = torch.tensor([[2.0, 1.0]])
    with scores.using_head(torch.sigmoid):
        assert scores.probability(0)(values).item() == pytest.approx(0.880797, abs=1e-6)
    assert scores.probability(0)(values).item() == pytest.approx(0.731059, abs=1e-6)
