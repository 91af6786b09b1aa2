"""The networks: a catalogue, their weights, their layers, and how a picture becomes their input."""

from .catalogue import Entry, catalogue
from .config import configuration
from .layers import Layer
from .load import devices, load_model, shared
from .model import Model, Prediction
from .own import STANDARD, is_own, marked, offered, register, standard, unregister

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
    "shared",
    "standard",
    "unregister",
]
