"""Methods on the smallest network of most families of torchvision and timm, with random weights.

`python -m tests.benchmarks.sweep` prints a line for each; with --write it writes docs/reference/compatibility.md.
`--methods` takes other keys.
Each network runs in a process of its own, so that its memory is known.
"""

import argparse
import multiprocessing
import sys
import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

import camviz
from camviz import METHODS, CamvizError
from tests.methods.nets import state

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "compatibility.md"
SIDE = 96  # pixels; networks of a fixed size get theirs
MEMORY = 1500  # MB that a method may add to the peak of the process
WIDEST = 64  # channels of a layer at which a method makes a pass for each channel
FEW = {"samples": 2, "steps": 2, "masks": 4}  # of what a method of many passes takes many of
METHODS_RUN = ("grad_cam", "guided_backprop", "lrp", "score_cam")  # one of each kind
PAGE_TEMPLATE = """<!-- Written by `python -m tests.benchmarks.sweep --write`. -->

# Compatibility

Methods on {count} networks: the smallest of most families of torchvision and timm, with random weights. Each gives
a finite map or the sentence of an error, and leaves the network as it was. All methods of a network together raise the
peak memory of the process by less than {memory} MB. The input has {side} pixels on a side, or as many as the network
accepts.

{table}

A number is the reason why there is no map. "not run" is a method that makes a pass for each channel, on a network
without a layer of {widest} channels or fewer.

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
    """What the methods gave on one network: the keys of those with a map, and the sentence of each other one."""

    network: str
    side: int = 0
    maps: tuple[str, ...] = ()
    refused: dict[str, tuple[str, str]] = field(default_factory=dict)  # template and text
    faults: tuple[str, ...] = ()  # what must not be: other errors, maps that are not finite, a changed network
    megabytes: int = 0  # that all methods together added to the peak memory of a bare forward pass
    seconds: float = 0.0


def explained(name: str, methods: Iterable[str]) -> Row:
    """Run the methods on a network."""
    torch.manual_seed(0)
    begun = time.perf_counter()
    try:
        model = _load(name)
    except CamvizError as error:
        return Row(name, refused={"": _sentence(error)})
    image = torch.rand(3, 160, 160, generator=torch.Generator().manual_seed(1))
    model.predict(image)
    before, peak = state(model.net), _peak()
    maps, refused, faults = [], {}, []
    for method in map(METHODS.__getitem__, methods):
        knobs = {knob: few for knob, few in FEW.items() if knob in method.knobs}
        layer = None
        if method.many_passes and method.layer == "required":  # one pass or more for each channel
            narrowest = min((one for one in model.layers if one.height > 1), key=lambda one: one.channels, default=None)
            if narrowest is not None and narrowest.channels > WIDEST:
                continue
            layer = None if narrowest is None else narrowest.name
        try:
            found = camviz.explain(model, image, method.key, 5, layer=layer, **knobs)
        except CamvizError as error:
            refused[method.key] = _sentence(error)
            continue
        except Exception as error:  # noqa: BLE001  # what the sweep is to find
            faults.append(f"{method.key}: {type(error).__name__}: {error}"[:300])
            continue
        maps.append(method.key)
        if not torch.from_numpy(found.attribution).isfinite().all():
            faults.append(f"{method.key}: the map is not finite")
    after = state(model.net)
    faults += [f"{part} changed" for part in before if before[part] != after[part] and part != "chance"]
    if (more := _peak() - peak) > MEMORY:
        faults.append(f"{more} MB")
    seconds = time.perf_counter() - begun
    return Row(name, model.geometry.size[0], tuple(maps), refused, tuple(faults), more, seconds)


def _load(name: str) -> camviz.Model:
    try:
        return camviz.load_model(name, weights="random", input_size=SIDE)
    except CamvizError:
        return camviz.load_model(name, weights="random")


def page(rows: Iterable[Row], methods: Sequence[str] = METHODS_RUN) -> str:
    """Return docs/reference/compatibility.md."""
    rows = sorted(rows, key=lambda row: ("/" in row.network, row.network))
    reasons: dict[str, str] = {}
    for row in rows:
        for template, text in row.refused.values():
            reasons.setdefault(template, text)
    numbers = {template: number for number, template in enumerate(reasons, 1)}
    titles = " | ".join(METHODS[key].title for key in methods)
    head = [f"| network | pixels | {titles} |", "|---" * (len(methods) + 2) + "|"]
    return PAGE_TEMPLATE.format(
        table="\n".join([*head, *(table_row(row, methods, numbers) for row in rows)]),
        count=len(rows),
        side=SIDE,
        memory=MEMORY,
        widest=WIDEST,
        reasons="\n".join(f"{numbers[template]}. {text}" for template, text in reasons.items()),
    )


def table_row(row: Row, methods: Sequence[str], numbers: Mapping[str, int]) -> str:
    """Return the row of a network; `numbers` are those of the sentences, by their templates."""

    def cell(key: str) -> str:
        template, _ = row.refused.get(key, row.refused.get("", ("", "")))
        return "map" if key in row.maps else str(numbers[template]) if template else "not run"

    return f"| {row.network} | {row.side or '-'} | {' | '.join(map(cell, methods))} |"


def _sentence(error: CamvizError) -> tuple[str, str]:
    return error.message.template, str(error)


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmHWM")) >> 10


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("networks", nargs="*", default=NETWORKS)
    parser.add_argument("--methods", default=",".join(METHODS_RUN), help="comma-separated keys")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    rows = []
    explain_all = partial(explained, methods=given.methods.split(","))
    with multiprocessing.get_context("fork").Pool(given.processes, maxtasksperchild=1) as pool:
        for row in pool.imap(explain_all, given.networks, chunksize=1):
            rows.append(row)
            print(f"{row.network}: {len(row.maps)} maps, {len(row.refused)} refused, +{row.megabytes} MB, ", end="")
            print(f"{row.seconds:.0f} s", *row.faults, sep="; ", flush=True)
    if given.write:
        PAGE.write_text(page(rows, given.methods.split(",")), encoding="utf-8")
    return any(row.faults for row in rows)


if __name__ == "__main__":
    sys.exit(main())
