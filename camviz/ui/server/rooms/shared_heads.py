"""Models that people share in a room: the last layers that they have trained, without any image."""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ....errors import RoomError
from ....models.catalog import EMBEDDED
from ....models.class_names import read_class_names

MODELS = 16  # in one room, one of each person
HEAD_BYTES = 2**16  # of one layer: five classes with some 3,000 features


@dataclass(frozen=True, eq=False)
class SharedHead:
    """A trained last layer: weight (K, d), bias (K,), the names of the classes, and the network that it belongs to.

    Raises CamvizError for a layer that cannot be shared.
    """

    network: str
    class_names: tuple[str, ...]
    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check the layer."""
        if self.network not in EMBEDDED:
            raise RoomError("only models of the page Train can be shared; got one of {network}", network=self.network)
        read_class_names(self.class_names)
        if self.weight.nbytes > HEAD_BYTES:
            raise RoomError("this model is too large to be shared: train one with fewer classes")
        count = len(self.class_names)
        if self.weight.ndim != 2 or len(self.weight) != count or self.bias.shape != (count,):
            raise RoomError("the layer of a shared model has one row and one bias for each class")

    @property
    def bytes(self) -> int:
        """How much memory it takes."""
        return self.weight.nbytes + self.bias.nbytes + sum(map(len, self.class_names))

    @cached_property
    def digest(self) -> str:
        """Tells this layer from others, by content."""
        found = hashlib.sha256(repr((self.network, self.class_names, self.weight.shape)).encode())
        for array in (self.weight, self.bias):
            found.update(np.ascontiguousarray(array, "<f4").tobytes())
        return found.hexdigest()[:12]


@dataclass(frozen=True, eq=False)
class Shared:
    """A shared layer, and the nickname of who shares it; "" of the teacher."""

    head: SharedHead
    by: str
