"""Adversarial examples: changes of an image that a person does not see and that change the prediction of a model."""

from . import attacks as attacks  # importing it fills ATTACKS
from .attacking import Attack, attack, noise
from .registry import ATTACKS

__all__ = ["ATTACKS", "Attack", "attack", "noise"]
