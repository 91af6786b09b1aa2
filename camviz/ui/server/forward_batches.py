"""One forward pass for all threads that wait for one: their single inputs in one batch for each network.

Edited images use it, and predictions that no heatmap follows. Heatmaps do not: an activation from a batch differs in
its last bits from that of a pass alone, and a heatmap must not depend on what others compute.
A prediction that a heatmap follows uses the pass of that heatmap (`kept_passes`); a batch would be a second pass.
"""

import threading
from collections.abc import Callable, Hashable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor

from ...acceleration.many_passes import many_passes
from ...acceleration.memory_layout import in_fastest_layout
from ...errors import CamvizError
from ...models import Model
from ...tape import forward, is_checked, mark_batches_of_one, near
from .singletons import process_singleton

LARGEST_BATCH = 16  # inputs: more take no less time each, and the first ones wait longer
FUSED_FROM = 4  # inputs
POLL_SECONDS = 0.1
BATCHED = (torch.float32, torch.float64)  # rounding of smaller types differs too much between batches


class _Request:
    """An input (1, C, H, W), and its class scores (1, K) or its error."""

    def __init__(self, x: Tensor) -> None:
        self.x = x
        self.scores: Tensor | None = None
        self.error: Exception | None = None
        self.computes = False  # its thread is to compute the next batch
        self.woken = threading.Event()  # set once it is answered, or its thread is to compute

    @property
    def answered(self) -> bool:
        return self.scores is not None or self.error is not None


class ForwardBatches:
    """Batches the forward passes that threads ask for at the same time.

    The first thread computes at once. Threads that ask meanwhile wait for the next batch, which one of them computes.
    So no extra thread is needed, and a single request is not delayed.
    """

    def __init__(self, largest: int = LARGEST_BATCH) -> None:
        self._largest = largest
        self._lines: dict[Hashable, list[_Request]] = {}  # the waiting requests; a key exists while a thread computes
        self._lock = threading.Lock()

    def scores(self, model: Model, x: Tensor, waiting: Callable[[], Any] = lambda: None) -> Tensor:
        """Return the class scores (1, K) of one input (1, C, H, W): those of a forward pass of it alone, to rounding.

        An error is raised only in the thread whose input causes it. `waiting()` is called ten times a
        second while another thread computes; what it raises ends the wait. A network whose result for an input depends
        on its batch, or that draws random numbers, sees one input at a time. Raises CamvizError.
        """
        if x.ndim != 4 or len(x) != 1:
            raise CamvizError("a batch is made of single inputs (1, C, H, W); got {shape}", shape=tuple(x.shape))
        key, request = (id(model.net), x.shape, x.dtype, x.device), _Request(x.detach())
        with self._lock:
            request.computes = key not in self._lines
            self._lines.setdefault(key, []).append(request)
        try:
            while not request.computes and not request.woken.wait(POLL_SECONDS):
                waiting()
            if not request.answered:
                self._compute(model, key)
        finally:
            self._leave(key, request)
        if request.error is not None:
            raise request.error
        assert request.scores is not None
        return request.scores

    def _compute(self, model: Model, key: Hashable) -> None:
        """Answer the first waiting requests, the caller's among them; if this is interrupted, the others wait again."""
        with self._lock:
            batch = self._lines[key][: self._largest]
            del self._lines[key][: self._largest]
        try:
            _answer(model, batch)
        finally:
            with self._lock:
                self._lines[key][:0] = [request for request in batch if not request.answered]
            for request in batch:
                if request.answered:
                    request.woken.set()

    def _leave(self, key: Hashable, request: _Request) -> None:
        """Take a request out of the line; if its thread was to compute, pass that on to the next one."""
        with self._lock:
            line = self._lines.get(key, [])
            if request in line:
                line.remove(request)
            if not request.computes:
                return
            if line:
                line[0].computes = True
                line[0].woken.set()
            else:
                self._lines.pop(key, None)


def _answer(model: Model, batch: Sequence[_Request]) -> None:
    if len(batch) > 1 and not model.draws_random_numbers and batch[0].x.dtype in BATCHED:
        try:
            found = _passed(model, in_fastest_layout(torch.cat([request.x for request in batch])))
        except Exception:  # noqa: BLE001  # whose input causes it is found one by one
            found = None
        if found is not None and is_checked(model.net):
            for request, row in zip(batch, found, strict=True):
                request.scores = row[None].clone()
            return
    else:
        found = None
    for request in batch:
        try:
            request.scores = _passed(model, request.x)
        except Exception as error:  # noqa: BLE001  # a network may raise anything; the asker's thread raises it again
            request.error = error
    if found is not None and all(request.scores is not None for request in batch):
        single = torch.cat([request.scores for request in batch if request.scores is not None])
        mark_batches_of_one(model.net, needed=not near(found, single))


def _passed(model: Model, x: Tensor) -> Tensor:
    # Fused convolutions take a quarter less time for a batch, but more for a single input.
    fused = many_passes(model.net, x) if len(x) >= FUSED_FROM else nullcontext()
    with model.running(), torch.no_grad(), fused:
        return forward(model.net, x)


@process_singleton
def forward_batches() -> ForwardBatches:
    """Return the batches of this server."""
    return ForwardBatches()
