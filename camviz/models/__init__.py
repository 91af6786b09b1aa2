"""The networks: a catalogue, their weights, their layers, and how a picture becomes their input."""

from .catalogue import Entry, catalogue
from .layers import Layer
from .load import devices, load_model, shared
from .model import Model, Prediction

__all__ = ["Entry", "Layer", "Model", "Prediction", "catalogue", "devices", "load_model", "shared"]
