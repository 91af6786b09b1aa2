"""`make bench`: compare the time and memory of each method with peer libraries; print Markdown tables."""

import argparse
import copy
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import captum.attr as captum
import pytorch_grad_cam as gradcam
import torch
import torchcam.methods as torchcam
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from torch import Tensor, nn
from zennit.attribution import Gradient
from zennit.composites import EpsilonGammaBox
from zennit.torchvision import ResNetCanonizer, VGGCanonizer

import camviz
from camviz.models import available_devices
from camviz.runtime.devices import synchronize
from camviz.scores import logit
from tests.benchmarks.limit import Limit

from . import quick

ROOT = Path(__file__).parents[2]
CLASS = 967
NETWORKS = {"efficientnet_lite0": "blocks.5", "vgg16": "features.29", "resnet50": "layer4"}
LONGEST = 8.0  # seconds of repeats for one row
SCORE_CAM_LAYER = {"efficientnet_lite0": "blocks.5", "vgg16": "features.9", "resnet50": "layer1.0.conv1"}

Run = Callable[[], Any]


def out_of_place(net: nn.Module) -> nn.Module:
    """Return a copy on which the peers may register hooks."""
    copied = copy.deepcopy(net)
    for module in copied.modules():
        if hasattr(module, "inplace"):
            module.inplace = False
    return copied


def rows(model: camviz.Model, x: Tensor) -> Iterator[tuple[str, dict[str, Run]]]:
    """Yield (method, {library: run}) for one network; the first run of each is CamViz."""
    net, peer = model.net, out_of_place(model.net)
    score, target = logit(CLASS), [ClassifierOutputTarget(CLASS)]
    layer_name, score_name = NETWORKS[model.name], SCORE_CAM_LAYER[model.name]
    layer, peer_layer = net.get_submodule(layer_name), peer.get_submodule(layer_name)
    narrow, peer_narrow = net.get_submodule(score_name), peer.get_submodule(score_name)

    def ours(key: str, *at: nn.Module, **knobs: Any) -> Run:
        return lambda: camviz.METHODS[key](net, x, score, *at, **knobs)

    def by_torchcam(name: str, at: str, **knobs: Any) -> Run:
        def run() -> Any:
            with getattr(torchcam, name)(peer, at, input_shape=tuple(x.shape[1:]), **knobs) as extractor:
                return extractor(CLASS, peer(x.clone().requires_grad_()))

        return run

    def by_gradcam(name: str, at: nn.Module, **knobs: Any) -> Run:
        def run() -> Any:
            with getattr(gradcam, name)(peer, [at], **knobs) as extractor:
                return extractor(x.clone().requires_grad_(), target)

        return run

    def by_captum(attribution: Any, **knobs: Any) -> Run:
        return lambda: attribution.attribute(x.clone().requires_grad_(), target=CLASS, **knobs)

    def by_zennit() -> Any:
        canonizer = {"vgg16": VGGCanonizer, "resnet50": ResNetCanonizer}[model.name]()
        low, high = torch.full_like(x, -3), torch.full_like(x, 3)
        one_hot = torch.eye(1000)[[CLASS]].to(x)
        with Gradient(peer, EpsilonGammaBox(low=low, high=high, canonizers=[canonizer])) as attributor:
            return attributor(x.clone().requires_grad_(), one_hot)

    yield (
        "vanilla_backprop",
        {"camviz": ours("vanilla_backprop"), "captum": by_captum(captum.Saliency(peer), abs=False)},
    )
    yield (
        "guided_backprop",
        {"camviz": ours("guided_backprop"), "captum": by_captum(captum.GuidedBackprop(peer))},
    )
    yield "deconvnet", {"camviz": ours("deconvnet"), "captum": by_captum(captum.Deconvolution(peer))}
    yield (
        "grad_cam",
        {
            "camviz": ours("grad_cam", layer),
            "captum": by_captum(captum.LayerGradCam(peer, peer_layer), relu_attributions=True),
            "grad-cam": by_gradcam("GradCAM", peer_layer),
            "torchcam": by_torchcam("GradCAM", layer_name),
        },
    )
    yield (
        "guided_grad_cam",
        {
            "camviz": ours("guided_grad_cam", layer),
            "captum": by_captum(captum.GuidedGradCam(peer, peer_layer), interpolate_mode="bilinear"),
        },
    )
    for key, name in (("layer_cam", "LayerCAM"), ("grad_cam_pp", "GradCAM++"), ("xgrad_cam", "XGradCAM")):
        yield (
            key,
            {
                "camviz": ours(key, layer),
                "grad-cam": by_gradcam(name.replace("++", "PlusPlus"), peer_layer),
                "torchcam": by_torchcam(name.replace("++", "pp"), layer_name),
            },
        )
    yield "hires_cam", {"camviz": ours("hires_cam", layer), "grad-cam": by_gradcam("HiResCAM", peer_layer)}
    yield "eigen_cam", {"camviz": ours("eigen_cam", layer), "grad-cam": by_gradcam("EigenCAM", peer_layer)}
    yield "full_grad", {"camviz": ours("full_grad"), "grad-cam": by_gradcam("FullGrad", peer_layer)}
    yield (
        f"score_cam at {score_name}",
        {
            "camviz exact": ours("score_cam", narrow),
            "camviz fast": ours("score_cam", narrow, mode="fast"),
            "grad-cam": by_gradcam("ScoreCAM", peer_narrow),
            "torchcam": by_torchcam("ScoreCAM", score_name),
        },
    )
    yield (
        f"ablation_cam at {layer_name}",
        {"camviz": ours("ablation_cam", layer), "grad-cam": by_gradcam("AblationCAM", peer_layer)},
    )
    yield (
        "integrated_gradients, 32 steps",
        {
            "camviz": ours("integrated_gradients", steps=32),
            "captum": by_captum(captum.IntegratedGradients(peer), n_steps=32),
            "captum in fours": by_captum(captum.IntegratedGradients(peer), n_steps=32, internal_batch_size=4),
        },
    )
    yield (
        "smooth_grad, 16 samples",
        {
            "camviz": ours("smooth_grad", samples=16),
            "captum": by_captum(captum.NoiseTunnel(captum.Saliency(peer)), nt_samples=16, stdevs=0.5, abs=False),
            "captum in fours": by_captum(
                captum.NoiseTunnel(captum.Saliency(peer)),
                nt_samples=16,
                nt_samples_batch_size=4,
                stdevs=0.5,
                abs=False,
            ),
        },
    )
    window = {"sliding_window_shapes": (3, 32, 32), "strides": (3, 32, 32)}
    yield (
        "occlusion, 7 x 7 places",
        {
            "camviz": ours("occlusion", size=32, stride=32),
            "captum": by_captum(captum.Occlusion(peer), **window),
            "captum in eights": by_captum(captum.Occlusion(peer), perturbations_per_eval=8, **window),
        },
    )
    yield "rise, 64 masks", {"camviz": ours("rise", masks=64)}
    yield "lrp", {"camviz": ours("lrp"), **({} if "lite" in model.name else {"zennit": by_zennit})}


def measure(runs: dict[str, Run], most: int, device: torch.device) -> dict[str, float]:
    """Return the median seconds of each run, taken in turns, so that other load affects all alike."""
    seconds: dict[str, list[float]] = {who: [] for who in runs}
    started = time.perf_counter()
    for count in range(most + 1):
        for who, run in runs.items():
            begun = time.perf_counter()
            run()
            synchronize(device)
            seconds[who].append(time.perf_counter() - begun)
        if count >= 1 and time.perf_counter() - started > LONGEST:
            break
    return {who: statistics.median(taken[1:]) for who, taken in seconds.items()}


def load(name: str, device: str) -> tuple[camviz.Model, Tensor]:
    """Return a network and an image; weights that are not embedded are random, as time does not depend on them."""
    model = camviz.load_model(name, weights="default" if "lite" in name else "random", device=device)
    return model, model.preprocess(ROOT / "assets" / "samples" / "coffee.jpg")


def memory(name: str, row: str, who: str, device: str) -> None:
    """Print by how many MB one run raises the peak memory of a process after a bare forward pass."""
    model, x = load(name, device)
    runs = dict(rows(model, x))[row]
    with torch.no_grad():
        model.net(x)
    before = _peak(model.device)
    runs[who]()
    print(_peak(model.device) - before)


def _peak(device: torch.device) -> int:
    """Return the peak memory of this process in MB, or of the device if it has its own memory.

    `getrusage` would count that of the process that started this one.
    """
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) >> 20
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) // 1024


def peak_of(name: str, row: str, who: str, device: str) -> int:
    """Return the MB of `memory`, measured in a separate process."""
    command = [sys.executable, "-m", "tests.benchmarks.bench", "--device", device, "--memory", name, row, who]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    return int(done.stdout.split()[-1])  # a peer may have printed something before


def memory_table(name: str, only: str, without: str, device: str) -> None:
    """Print by how many MB each method, and each peer that has it, raises the peak over a bare forward pass."""
    model, x = load(name, device)
    print(f"\n### {name}\n\n| method | MB |\n|---|---|", flush=True)
    for row, runs in rows(model, x):
        if only in row:
            peaks = {who: peak_of(name, row, who, device) for who in runs if not without or without not in who}
            print(f"| {row} | {', '.join(f'{who} {peak}' for who, peak in peaks.items())} |", flush=True)


def table(name: str, only: str, most: int, with_memory: bool, device: str) -> None:
    """Print the table of one network."""
    model, x = load(name, device)

    def backward() -> None:
        source = x.clone().requires_grad_()
        torch.autograd.grad(model.net(source)[0, CLASS], source)

    def forward() -> None:
        with torch.no_grad():
            model.net(x)

    bare = measure({"forward": forward, "backward": backward}, most, model.device)
    print(f"\n### {name}\n\nBare forward {bare['forward'] * 1e3:.3g} ms, with backward to the input ", end="")
    print(f"{bare['backward'] * 1e3:.3g} ms.")
    limit = Limit(model.net, x, CLASS, lambda runs: measure(runs, most, model.device))
    print(f"Limit for many passes, per image: {limit}.\n")
    print("| method | who | time | in bare forwards | in bare forward + backward ", end="")
    print("| CamViz / peer | limit | time / limit | peak memory |\n|---|---|---|---|---|---|---|---|---|", flush=True)
    for row, runs in rows(model, x):
        if only not in row:
            continue
        bound = {"bare": forward, "bare backward": backward, "limit": limit.of(row, next(iter(runs.values())))}
        taken = measure(bound | runs, most, model.device)
        ours = next(seconds for who, seconds in taken.items() if who.startswith("camviz"))
        for who in runs:
            ratio = "" if who.startswith("camviz") else f"{ours / taken[who]:.2f}"
            peak = ""
            if with_memory:
                peak = f"{peak_of(name, row, who, device)} MB"
            print(
                f"| {row} | {who} | {taken[who]:.3g} s | {taken[who] / taken['bare']:.2f} "
                f"| {taken[who] / taken['bare backward']:.2f} | {ratio} "
                f"| {taken['limit']:.3g} s | {taken[who] / taken['limit']:.2f} | {peak} |",
                flush=True,
            )


def main() -> None:
    """Run the command line."""
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=[*NETWORKS])
    parser.add_argument("--only", default="", help="only the rows whose name contains this")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--no-memory", action="store_true")
    parser.add_argument("--only-memory", action="store_true")
    parser.add_argument("--without", default="", help="with --only-memory, leave this peer out")
    parser.add_argument("--memory", nargs=3, metavar=("NETWORK", "ROW", "WHO"), help="measure the memory of one run")
    parser.add_argument("--device", default="cpu", choices=available_devices())
    parser.add_argument(
        "--quick", action="store_true", help="the main rows, exact and fast, with their goals, in minutes"
    )
    chosen = parser.parse_args()
    if chosen.memory:
        memory(*chosen.memory, chosen.device)
        return
    if chosen.only_memory:
        for network in chosen.networks:
            memory_table(network, chosen.only, chosen.without, chosen.device)
        return
    name = next((line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "")
    print(f"{name.partition(': ')[2] or platform.processor()}, {torch.get_num_threads()} threads, ", end="")
    print(f"torch {torch.__version__}, {torch.backends.cpu.get_cpu_capability()}", end="")
    print(f", {torch.cuda.get_device_name()}." if chosen.device == "cuda" else ".")
    if chosen.quick:
        quick.tables(chosen, load, rows)
        return
    for network in chosen.networks:
        table(network, chosen.only, chosen.repeats, not chosen.no_memory, chosen.device)
    if chosen.networks == [*NETWORKS] and not chosen.only and chosen.device == "cpu":
        subprocess.run([sys.executable, "-m", "tests.benchmarks.contention"], check=True, cwd=ROOT)


if __name__ == "__main__":
    main()
