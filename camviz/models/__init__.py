"""Models: a catalog of networks, their weights, their layers, and the preprocessing of an image."""

from .catalog import Entry, catalog
from .checkpoints.weights import Weights
from .custom.copying import origin_of
from .custom.fixed_inputs import FixedInputs
from .custom.loaded_once import loaded_once
from .layers import Layer
from .load import load_model
from .local import local_models
from .model import Model, Prediction
from .offers import DEFAULT_MODEL, register, unregister, with_digest
from .operator_config import operator_config
from .shared import available_devices, default_model_name, offered_models, shared_model

__all__ = [
    "DEFAULT_MODEL",
    "Entry",
    "FixedInputs",
    "Layer",
    "Model",
    "Prediction",
    "Weights",
    "available_devices",
    "catalog",
    "default_model_name",
    "load_model",
    "loaded_once",
    "local_models",
    "offered_models",
    "operator_config",
    "origin_of",
    "register",
    "shared_model",
    "unregister",
    "with_digest",
]
