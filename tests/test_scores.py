import math

import pytest
import torch

from camviz import CamvizError, scores

VALUES = torch.tensor([[0.0, 2.0, -1.0], [5.0, 1.0, 1.0]], dtype=torch.float64)


def test_values():
    assert scores.logit(1)(VALUES).tolist() == [2, 1]
    assert scores.contrast(0, 2)(VALUES).tolist() == [1, 4]
    assert scores.contrast(1, 1)(VALUES).tolist() == [0, 0]
    expected = [math.exp(2) / (1 + math.exp(2) + math.exp(-1)), math.e / (math.exp(5) + 2 * math.e)]
    assert scores.probability(1)(VALUES).tolist() == pytest.approx(expected, rel=1e-14)


def test_a_probability_falls_when_another_class_rises():
    values = VALUES.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(scores.probability(1)(values).sum(), values)
    p = VALUES.softmax(dim=1)
    one_hot = torch.tensor([0.0, 1.0, 0.0])
    torch.testing.assert_close(gradient, p[:, 1:2] * (one_hot - p))
    assert gradient[0, 0] < 0 < gradient[0, 1]


def test_a_score_is_a_value():
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
def test_a_class_that_does_not_exist_is_refused(score):
    with pytest.raises(CamvizError, match="class 3 does not exist; this network has classes 0 to 2"):
        score(VALUES)


def test_a_negative_class_is_not_counted_from_the_end():
    with pytest.raises(CamvizError, match="class -1 does not exist"):
        scores.logit(-1)(VALUES)
