"""The networks: a catalogue, their weights, their layers, and how a picture becomes their input."""

from .catalogue import Entry, catalogue
from .layers import Layer
from .load import load_model
from .model import Model, Prediction
from .offers import STANDARD, is_own, marked, register, unregister
from .operator_config import configuration
from .shared import devices, offered, shared_model, standard

__all__ = [
    "STANDARD",
    "Entry",
    "Layer",
    "Model",
    "Prediction",
    "catalogue",
    "configuration",
    "devices",
    "is_own",
    "load_model",
    "marked",
    "offered",
    "register",
    "shared_model",
    "standard",
    "unregister",
]
