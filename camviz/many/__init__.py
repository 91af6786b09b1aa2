"""Many pictures: the same explanations for each of them, on this machine or on a Ray cluster, into a folder."""

from .order import Order
from .work import Item, Outcome, Worker

__all__ = ["Item", "Order", "Outcome", "Worker"]
