"""The same explanations for many images, on this machine or on a Ray cluster, written to a folder."""

from .job import Job
from .worker import Item, Outcome, Worker

__all__ = ["Item", "Job", "Outcome", "Worker"]
