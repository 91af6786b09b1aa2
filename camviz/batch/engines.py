"""Who does the work: this process, or the workers of a Ray cluster; the results are the same."""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import CamvizError
from .job import Order
from .output_folder import Folder, Row
from .worker import Item, Worker

Engine = Callable[[Order, Folder, Sequence[Sequence[Item]], int], Iterator[list[Row]]]

AHEAD = 2  # batches of images that wait in memory


def local(order: Order, folder: Folder, batches: Sequence[Sequence[Item]], workers: int = 1) -> Iterator[list[Row]]:
    """The rows of each batch, computed here; the next images are read in a thread meanwhile."""
    worker = Worker(order)
    with ThreadPoolExecutor(1) as reader:
        waiting = iter(batches)
        ahead = deque(reader.submit(worker.read, batch) for batch in islice(waiting, AHEAD))
        try:
            while ahead:
                looked = ahead.popleft().result()
                ahead.extend(reader.submit(worker.read, batch) for batch in islice(waiting, 1))
                yield [folder.save(outcome, order) for outcome in worker.explain(looked)]
        finally:
            reader.shutdown(cancel_futures=True)


def on_ray(order: Order, folder: Folder, batches: Sequence[Sequence[Item]], workers: int = 2) -> Iterator[list[Row]]:
    """The rows of each batch, computed by the workers of a Ray cluster, which must see the same folders.

    Without a cluster (RAY_ADDRESS), one is started on this machine. Raises CamvizError where Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # otherwise Ray reports to its makers
    try:
        import ray
    except ImportError as error:
        raise CamvizError("the engine 'ray' needs Ray: pip install -r requirements-ray.txt") from error
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = [{"batch": json.dumps([[item.name, item.methods] for item in batch])} for batch in batches]
    try:
        data = ray.data.from_items(rows, override_num_blocks=len(rows))
        done = data.map(
            _RayWorker,
            fn_constructor_args=(order, folder.source.resolve(), folder.out.resolve()),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_gpus=1 if (order.device or "").startswith("cuda") else 0,
        )
        for row in done.iter_rows():
            yield json.loads(row["rows"])
    finally:
        if started:
            ray.shutdown()


class _RayWorker:
    """One worker of a cluster: it holds the network, and writes its maps itself."""

    def __init__(self, order: Order, source: Path, out: Path) -> None:
        self.worker, self.folder = Worker(order), Folder(source, out)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        batch = [Item(name, self.folder.source / name, tuple(methods)) for name, methods in json.loads(row["batch"])]
        outcomes = self.worker.explain(self.worker.read(batch))
        return {"rows": json.dumps([self.folder.save(outcome, self.worker.order) for outcome in outcomes])}


ENGINES: dict[str, Engine] = {"local": local, "ray": on_ray}
