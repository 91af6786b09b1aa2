"""Many images: the same explanations for each of them, on this machine or on a Ray cluster, into a folder."""

from .job import Order
from .worker import Item, Outcome, Worker

__all__ = ["Item", "Order", "Outcome", "Worker"]
