"""The shortest possible time of a row of `make bench`: bare passes of as many images, in the quickest setting."""

import copy
from collections.abc import Callable
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from camviz import METHODS
from camviz.runtime.batching import batches
from camviz.tape import counting_passes

Run = Callable[[], Any]
Way = tuple[bool, int, str]  # with backward pass, images in a batch, memory layout

LAYOUTS = {"plain": torch.contiguous_format, "channels last": torch.channels_last}
SIZES = {"cpu": (1, 2, 4, 8, 16), "cuda": (1, 8, 32, 128)}


class Limit:
    """Bare passes of one network in every batch size and memory layout; `measure` returns the time of each run."""

    def __init__(self, net: nn.Module, x: Tensor, category: int, measure: Callable[[Any], Any]) -> None:
        self._x, self._category = x, category
        self._nets = {name: copy.deepcopy(net).to(memory_format=layout) for name, layout in LAYOUTS.items()}
        runs = {
            (backward, size, layout): self._passes(size, backward, size, layout)
            for backward, size, layout in product((False, True), SIZES[x.device.type], LAYOUTS)
        }
        self._seconds = {way: seconds / way[1] for way, seconds in measure(runs).items()}

    def __str__(self) -> str:
        return "; ".join(
            f"{'forward and backward' if backward else 'forward'} {seconds * 1e3:.3g} ms in batches of {size}, {layout}"
            for (backward, size, layout), seconds in (self._quickest(backward, 1000) for backward in (False, True))
        )

    def _quickest(self, backward: bool, images: int) -> tuple[Way, float]:
        """Return the quickest way for so many images, and its time for one of them."""
        found = {way: time for way, time in self._seconds.items() if way[0] == backward and way[1] <= images}
        return min(found.items(), key=lambda one: one[1])

    def _passes(self, images: int, backward: bool, size: int, layout: str) -> Run:
        net, category = self._nets[layout], self._category

        def run() -> None:
            for part in batches(images, size, None):
                shape = (part.stop - part.start, *self._x.shape[1:])
                batch = self._x.expand(shape).contiguous(memory_format=LAYOUTS[layout]).requires_grad_(backward)
                with torch.set_grad_enabled(backward):
                    scores = net(batch)
                    if backward:
                        torch.autograd.grad(scores[:, category].sum(), batch)

        return run

    def of(self, row: str, run: Run) -> Run:
        """Return the bare passes of as many images as a method's run takes.

        The backward pass of a class activation map ends at its layer, near the end of the network: it is left out.
        """
        run()  # the first run on a network profiles it, by further passes
        with counting_passes() as counts:
            run()
        to_layer = METHODS[row.split()[0].rstrip(",")].layer == "required"
        both = max(0, counts.backward_passes - to_layer * len(self._x))
        parts = []
        for backward, images in ((False, counts.forward_passes - both), (True, both)):
            if images:
                (_, *way), _ = self._quickest(backward, images)
                parts.append(self._passes(images, backward, *way))
        return lambda: [part() for part in parts]
