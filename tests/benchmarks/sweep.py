"""Every method on the smallest network of most families of torchvision and timm, with random weights.

`python -m tests.benchmarks.sweep` prints a line for each network; with --write it writes
docs/reference/compatibility.md. It keeps its results in out/sweep.jsonl and runs only what is missing there:
delete the file to start again. Each network runs in a separate process.
"""

import argparse
import ctypes
import json
import multiprocessing
import platform
import sys
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import camviz
from camviz import METHODS, CamvizError
from camviz.models import Model
from camviz.registry import Method
from tests.methods.nets import state

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "compatibility.md"
FOUND = ROOT / "out" / "sweep.jsonl"
SIDE = 96  # pixels; networks of a fixed size get theirs
MEMORY = 1000  # MB that a method may take
# One pass or more for each channel of the layer, so they get the layer with the fewest channels.
FOR_EACH_CHANNEL = ("ablation_cam", "is_cam", "score_cam", "ss_cam")
WIDEST = 96  # channels of a layer for these methods
# Few of what a method takes many of, or as few as it accepts.
FEW: dict[str, Any] = {
    "samples": 2, "steps": 2, "masks": 4, "cells": 2, "superpixels": 8, "scales": 2, "contrasts": 1, "levels": 2,
    "stride": 64,
}  # fmt: skip
VERSIONS = ("torch", "torchvision", "timm")
PAGE_TEMPLATE = """<!-- Written by `python -m tests.benchmarks.sweep --write`. -->

# Compatibility

Each of the {methods} methods was run on {count} networks, the smallest of most families of torchvision and timm, with
random weights. A method gives a finite map or the sentence of an error, leaves the network as it was (parameters,
buffers, training mode, `requires_grad`, hooks), and takes less than {memory} MB of memory; {found}.

Run {date} with CamViz {camviz}, {versions}, Python {python}, one thread, by:

```
python -m tests.benchmarks.sweep --write
```

- The input has {side} pixels on a side, or as many as the network accepts.
- The settings are the default ones, but for speed {few}, or the least that a method accepts.
- The layer is the default one. {for_each_channel} make a pass for each channel: they get the layer with the fewest
  channels, and are not run where these are more than {widest}.

## Networks

"Maps" is the number of methods that give one. The number of each reason is explained below the tables.

{networks}

## Methods

| method | networks with a map | without | not run | largest memory |
|---|---|---|---|---|
{table}

## Reasons

{reasons}
"""
# fmt: off
TORCHVISION = (
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3",
    "maxvit_t", "mnasnet0_5", "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18",
    "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1", "swin_t", "vgg11",
)
TIMM = """
    cait_xxs24_224 coat_tiny coatnet_nano_rw_224 convit_tiny convmixer_768_32
    convnext_atto cpubone_nano crossvit_tiny_240 cs3darknet_focus_s csatv2 cspnext_tiny davit_tiny
    deit_tiny_patch16_224 densenetblur121d dla46x_c dpn48b edgenext_xx_small efficientformer_l1
    efficientformerv2_s0 efficientnet_lite0 efficientvim_m1 efficientvit_b0 efficientvit_m0
    ese_vovnet19b_slim_dw eva02_tiny_patch14_224 fasternet_t0 fastvit_t8 focalnet_tiny_srf gcvit_xxtiny
    ghostnet_050 gmlp_ti16_224 halonet_h1 hardcorenas_b hgnetv2_b0 hiera_tiny_224 hieradet_small
    hrnet_w18_small iformer_t inception_next_atto inception_resnet_v2 inception_v4 lcnetv2_small
    legacy_seresnet18 legacy_xception levit_128s lowformer_b0 mambaout_femto maxvit_pico_rw_256
    mobilenetv3_small_050 mobileone_s1 mobilevit_xxs mvitv2_tiny nest_tiny
    nextvit_small nf_regnet_b0 pit_ti_224 poolformerv2_s12 pvt_v2_b0 rdnet_tiny regnetx_002
    repghostnet_050 repvit_m1 res2next50 resnest14d resnet10t resnetv2_18 rexnet_100 selecsls42 sequencer2d_s
    shvit_s1 skresnet18 starnet_s050 swiftformer_xs swin_tiny_patch4_window7_224 swinv2_cr_tiny_224
    swinv2_tiny_window8_256 tiny_vit_5m_224 tnt_s_patch16_224 tresnet_m twins_svt_small visformer_tiny
    vit_srelpos_small_patch16_224 vit_tiny_patch16_224 volo_d1_224 xception41p xcit_nano_12_p16_224
"""
# fmt: on
NETWORKS = (*TORCHVISION, *(f"timm/{name}" for name in TIMM.split()))


@dataclass(frozen=True)
class Row:
    """Results of the methods on one network: the keys of those with a map, and the error of each other one."""

    network: str
    side: int = 0
    maps: tuple[str, ...] = ()
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)  # template and text; "": all methods
    faults: tuple[str, ...] = ()  # what must not be: other errors, maps that are not finite, a changed network
    megabytes: dict[str, int] = field(default_factory=dict)  # of each method, above what the process held before
    seconds: float = 0.0
    date: str = ""


def run_methods(name: str, methods: Iterable[str] = METHODS) -> Row:
    """Run the methods on a network."""
    torch.manual_seed(0)
    begun, date = time.perf_counter(), f"{datetime.now(UTC):%Y-%m-%d}"
    try:
        model = _load(name)
    except CamvizError as error:
        return Row(name, refused={"": _sentence(error)}, date=date)
    image = torch.rand(3, 160, 160, generator=torch.Generator().manual_seed(1))
    model.predict(image)
    maps, refused, faults, memory = [], {}, [], {}
    before = state(model.net)
    for method in map(METHODS.__getitem__, methods):
        layer = None
        if method.key in FOR_EACH_CHANNEL:
            narrowest = min((one for one in model.layers if one.height > 1), key=lambda one: one.channels, default=None)
            if narrowest is not None and narrowest.channels > WIDEST:
                continue
            layer = narrowest and narrowest.name
        held = _forget_peak()
        try:
            found = camviz.explain(model, image, method.key, 5, layer=layer, **few(method))
            maps.append(method.key)
            if not torch.from_numpy(found.attribution).isfinite().all():
                faults.append(f"{method.key}: the map is not finite")
        except CamvizError as error:
            refused[method.key] = _sentence(error)
        except Exception as error:  # noqa: BLE001  # the faults that the sweep looks for
            faults.append(f"{method.key}: {type(error).__name__}: {error}"[:300])
        memory[method.key] = _status("VmHWM") - held
        if memory[method.key] > MEMORY:
            faults.append(f"{method.key}: {memory[method.key]} MB")
    after = state(model.net)
    faults += [f"{part} changed" for part in before if before[part] != after[part]]
    seconds = time.perf_counter() - begun
    return Row(name, model.geometry.size[0], tuple(maps), refused, tuple(faults), memory, seconds, date)


def few(method: Method) -> dict[str, Any]:
    """Return the settings with which a method takes the fewest passes."""
    found = {}
    for name in FEW.keys() & method.knobs.keys():
        bounds = method.knobs[name].range
        found[name] = max(FEW[name], int(bounds.low)) if bounds else FEW[name]
    return found


def _load(name: str) -> Model:
    try:
        return camviz.load_model(name, weights="random", input_size=SIDE)
    except CamvizError:
        return camviz.load_model(name, weights="random")


def page(rows: Iterable[Row], methods: Sequence[str] = tuple(METHODS)) -> str:
    """Return docs/reference/compatibility.md."""
    rows = sorted(rows, key=lambda row: ("/" in row.network, row.network))
    reasons: dict[str, str] = {}
    for row in rows:
        for template, text in row.refused.values():
            reasons.setdefault(template, text)
    numbers = {template: number for number, template in enumerate(reasons, 1)}
    dates = sorted({row.date for row in rows})
    faults = [f"{row.network}, {fault}" for row in rows for fault in row.faults]
    return PAGE_TEMPLATE.format(
        methods=len(methods),
        count=len(rows),
        side=SIDE,
        memory=MEMORY,
        widest=WIDEST,
        found="except " + "; ".join(faults) if faults else "there were no exceptions",
        date=f"on {dates[0]}" if len(dates) == 1 else f"from {dates[0]} to {dates[-1]}",
        camviz=camviz.__version__,
        versions=", ".join(f"{name} {version(name)}" for name in VERSIONS),
        python=platform.python_version(),
        few=", ".join(f"`{name}={value}`" for name, value in FEW.items()),
        for_each_channel=", ".join(METHODS[key].title for key in FOR_EACH_CHANNEL),
        networks="\n".join(
            [
                "| network | pixels | maps | without a map, by reason |",
                "|---|---|---|---|",
                *(table_row(row, methods, numbers) for row in rows),
            ]
        ),
        table="\n".join(_method_row(key, rows) for key in methods),
        reasons="\n".join(f"{numbers[template]}. {text}" for template, text in reasons.items()),
    )


def table_row(row: Row, methods: Sequence[str], numbers: Mapping[str, int]) -> str:
    """Return the row of a network; `numbers` are those of the sentences, by their templates."""
    without: dict[str, list[str]] = {}
    for key in methods:
        if key not in row.maps:
            template, _ = row.refused.get(key, row.refused.get("", ("", "")))
            without.setdefault(str(numbers[template]) if template else "not run", []).append(METHODS[key].title)
    texts = [f"{why}: {'all' if len(keys) == len(methods) else ', '.join(keys)}" for why, keys in without.items()]
    return f"| {row.network} | {row.side or '-'} | {len(row.maps)} | {'; '.join(texts)} |"


def _method_row(key: str, rows: Sequence[Row]) -> str:
    maps = sum(key in row.maps for row in rows)
    refused = sum(key in row.refused or "" in row.refused for row in rows)
    most = max((row.megabytes.get(key, 0) for row in rows), default=0)
    return f"| {METHODS[key].title} | {maps} | {refused} | {len(rows) - maps - refused} | {most} MB |"


def _sentence(error: CamvizError) -> tuple[str, str]:
    return error.message.template, str(error)


def _forget_peak() -> int:
    """Let the kernel measure the peak memory of this process from now on; return what it holds, in MB."""
    ctypes.CDLL(None).malloc_trim(0)  # gives back what earlier methods have freed
    Path("/proc/self/clear_refs").write_text("5")
    return _status("VmRSS")


def _status(name: str) -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith(name)) >> 10


def known(methods: Sequence[str]) -> dict[str, Row]:
    """Return the rows of earlier runs that have all methods, by network."""
    found = {}
    for line in FOUND.read_text(encoding="utf-8").splitlines() if FOUND.exists() else []:
        given = json.loads(line)
        refused = {key: tuple(sentence) for key, sentence in given.pop("refused").items()}
        row = Row(**{**given, "maps": tuple(given["maps"]), "faults": tuple(given["faults"])}, refused=refused)
        if "" in refused or {*methods} - {*FOR_EACH_CHANNEL} <= row.megabytes.keys():
            found[row.network] = row
    return found


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--methods", default=",".join(METHODS), help="comma-separated keys")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} about all networks that have been run")
    given = parser.parse_args()
    methods = given.methods.split(",")
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    FOUND.parent.mkdir(exist_ok=True)
    rows = known(methods)
    missing = [name for name in given.networks if name not in rows]
    with multiprocessing.get_context("fork").Pool(given.processes, maxtasksperchild=1) as pool:
        for row in pool.imap_unordered(partial(run_methods, methods=methods), missing, chunksize=1):
            rows[row.network] = row
            with FOUND.open("a", encoding="utf-8") as file:
                print(json.dumps(asdict(row)), file=file)
            most = max(row.megabytes.values(), default=0)
            print(f"{row.network}: {len(row.maps)} maps, {len(row.refused)} refused, {most} MB, ", end="")
            print(f"{row.seconds:.0f} s", *row.faults, sep="; ", flush=True)
    if given.write:
        PAGE.write_text(page(rows.values(), methods), encoding="utf-8")
    return any(row.faults for row in rows.values())


if __name__ == "__main__":
    sys.exit(main())
