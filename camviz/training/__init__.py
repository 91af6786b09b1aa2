"""Train a linear layer on the features of a network: a classifier of your own classes from a few images."""

from .file import to_file
from .record import Trained
from .training import MOST_CLASSES, MOST_IMAGES, train_head

__all__ = ["MOST_CLASSES", "MOST_IMAGES", "Trained", "to_file", "train_head"]
