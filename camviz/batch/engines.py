"""Engines that run a job: this process, or the workers of a Ray cluster. The results are the same."""

import json
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from ..errors import CamvizError
from .job import Job
from .output_folder import OutputFolder, Row
from .worker import Item, Worker

Engine = Callable[[Job, OutputFolder, Sequence[Sequence[Item]], int], Iterator[list[Row]]]

PREFETCHED = 2  # batches of images that wait in memory


def local(job: Job, folder: OutputFolder, batches: Sequence[Sequence[Item]], workers: int = 1) -> Iterator[list[Row]]:
    """Yield the rows of each batch, computed in this process, while a thread reads the next images."""
    worker = Worker(job)
    with ThreadPoolExecutor(1) as reader:
        remaining = iter(batches)
        prefetched = deque(reader.submit(worker.read, batch) for batch in islice(remaining, PREFETCHED))
        try:
            while prefetched:
                images = prefetched.popleft().result()
                prefetched.extend(reader.submit(worker.read, batch) for batch in islice(remaining, 1))
                yield [folder.save(outcome, job) for outcome in worker.explain(images)]
        finally:
            reader.shutdown(cancel_futures=True)


def on_ray(job: Job, folder: OutputFolder, batches: Sequence[Sequence[Item]], workers: int = 2) -> Iterator[list[Row]]:
    """Yield the rows of each batch, computed by the workers of a Ray cluster, which must see the same folders.

    Without a cluster (RAY_ADDRESS), one is started on this machine. Raises CamvizError if Ray is not installed.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # by default Ray sends usage statistics
    try:
        import ray
    except ImportError as error:
        raise CamvizError("the engine 'ray' needs Ray: pip install \"camviz[ray]\"") from error
    started = not ray.is_initialized()
    if started:
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    ray.data.DataContext.get_current().enable_progress_bars = False
    rows = [{"batch": json.dumps([[item.name, item.methods] for item in batch])} for batch in batches]
    try:
        data = ray.data.from_items(rows, override_num_blocks=len(rows))
        done = data.map(
            _RayWorker,
            fn_constructor_args=(job, folder.source.resolve(), folder.out.resolve()),
            compute=ray.data.ActorPoolStrategy(size=workers),
            num_gpus=1 if (job.device or "").startswith("cuda") else 0,
        )
        for row in done.iter_rows():
            yield json.loads(row["rows"])
    finally:
        if started:
            ray.shutdown()


class _RayWorker:
    """A worker of a cluster: it holds the network and writes its own maps."""

    def __init__(self, job: Job, source: Path, out: Path) -> None:
        self.worker, self.folder = Worker(job), OutputFolder(source, out)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        batch = [Item(name, self.folder.source / name, tuple(methods)) for name, methods in json.loads(row["batch"])]
        outcomes = self.worker.explain(self.worker.read(batch))
        return {"rows": json.dumps([self.folder.save(outcome, self.worker.job) for outcome in outcomes])}


ENGINES: dict[str, Engine] = {"local": local, "ray": on_ray}
