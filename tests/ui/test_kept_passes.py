"""Cached passes of a server: limited in size, shared by threads, and dropped with their network."""

import gc
import random
import weakref
from concurrent.futures import ThreadPoolExecutor

import torch

from camviz import METHODS, scores
from camviz.tape import record, reusing_passes
from camviz.ui.server.kept_passes import KeptPasses
from tests.methods.nets import Residual, build, random_images, run

QUICK = [method for method in METHODS.values() if not method.many_passes]


def kept(passes):
    return [found for of_net in passes._of.values() for _, found in of_net.values()]


def test_cached_passes_are_bounded_and_keep_no_network_alive():
    net, passes = build(Residual, dtype=torch.float32), KeptPasses(limit=60_000)
    images = [torch.full((1, 3, 40, 40), value / 20) for value in range(20)]
    with reusing_passes(passes):
        for x in images:
            record(net, x, scores.logit(1), net.second)
    held = kept(passes)
    assert 1 < len(held) < 20
    assert sum(one.nbytes for one in held) <= 60_000
    gone = weakref.ref(net)
    del net, held
    gc.collect()
    assert gone() is None
    assert kept(passes) == []


def test_eight_threads_share_cached_passes():
    net, x = build(Residual, dtype=torch.float32), random_images(1, torch.float32)
    layers = [net.get_submodule(name) for name in ("second", "second.bn2", "first")]
    jobs = [(method, c, layer) for method in QUICK for c in (1, 4) for layer in layers if method.layer == "required"]
    alone = [run(method, net, x, scores.logit(c), layer) if method.key != "cam" else None for method, c, layer in jobs]
    passes = KeptPasses(limit=10_000)

    def work(seed):
        order = [(job, one) for job, one in zip(jobs, alone, strict=True) if one is not None]
        random.Random(seed).shuffle(order)
        with reusing_passes(passes):
            return all(
                torch.equal(run(method, net, x, scores.logit(c), layer), one) for (method, c, layer), one in order
            )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_refused_layer_is_not_recorded_again():
    net, x, passes = build(Residual, dtype=torch.float32), random_images(1, torch.float32), KeptPasses()
    with reusing_passes(passes):
        record(net, x, scores.logit(1), net.stem)
        (key,) = passes._refused[net]
        assert passes.refuses(net, (*key, "another input"))
        record(net, x, scores.logit(1), net.second)
    assert len(kept(passes)) == 1
