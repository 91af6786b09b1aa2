"""Logistic regression compared with scikit-learn."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit

import camviz
from camviz.training import logistic_regression
from camviz.training.training import _parts, train_on_features
from tests.models.nets import Small


def clusters(classes: int, each: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = np.repeat(np.arange(classes), each)
    return rng.normal(size=(classes, size))[labels] * 1.5 + 3 * rng.normal(size=(len(labels), size)) + 7, labels


def scaled(features: np.ndarray) -> np.ndarray:
    centered = features - features.mean(axis=0)
    return centered / np.sqrt((centered**2).sum(axis=1).mean())


@pytest.mark.parametrize(("classes", "each", "size"), [(3, 20, 100), (5, 30, 12), (2, 4, 50)])
@pytest.mark.parametrize("strength", [1.0, 100.0])
def test_logistic_regression_equals_scikit_learn(classes: int, each: int, size: int, strength: float) -> None:
    features, labels = clusters(classes, each, size)
    layer = logistic_regression.fit(features, labels, classes, strength)
    # Of two classes scikit-learn trains one row, whose penalty is half of what two opposite rows cost.
    peer = LogisticRegression(C=strength * 2 if classes == 2 else strength, tol=1e-10, max_iter=10_000)
    expected = peer.fit(scaled(features), labels).predict_proba(scaled(features))
    assert np.abs(layer.probabilities(features) - expected).max() < 1e-4
    assert layer.weight.shape == (classes, size) and np.abs(layer.weight.sum(axis=0)).max() < 1e-6


def test_cross_validated_accuracy_equals_scikit_learn() -> None:
    features, labels = clusters(3, 20, 100)
    features += 9 * np.random.default_rng(1).normal(size=features.shape)  # so that some are classified wrongly
    found = train_on_features(camviz.load_model(Small(), input_size=24), ("a", "b", "c"), features, labels, seed=3)
    expected = np.empty((60, 3))
    folds = PredefinedSplit(_parts(labels, 5, 3))
    for inside, outside in folds.split():
        mean = features[inside].mean(axis=0)
        scale = np.sqrt(((features[inside] - mean) ** 2).sum(axis=1).mean())
        peer = LogisticRegression(C=100, tol=1e-10, max_iter=10_000)
        peer.fit((features[inside] - mean) / scale, labels[inside])
        expected[outside] = peer.predict_proba((features[outside] - mean) / scale)
    assert folds.get_n_splits() == 5 and np.abs(found.held_out - expected).max() < 1e-4
    assert found.held_out_accuracy == (expected.argmax(axis=1) == labels).mean() < 1


def test_equal_features_give_equal_probabilities() -> None:
    layer = logistic_regression.fit(np.ones((6, 4)), np.array([0, 0, 1, 1, 2, 2]), 3)
    assert np.allclose(layer.probabilities(np.ones((1, 4))), 1 / 3)
