"""Score-CAM (Wang et al., CVPR workshops 2020)."""

from typing import Annotated, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..batches import Progress, batch_size, batches, fast_precision
from ..registry import method
from ..scores import Score
from ..tape import activations, forward, score_of


@method("Score-CAM", family="cam", paper="https://arxiv.org/abs/1910.01279")
def score_cam(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module,
    *,
    weighting: Annotated[
        Literal["channel softmax", "class probability"], "The paper's softmax over channels, or the class probability"
    ] = "channel softmax",
    mode: Annotated[Literal["exact", "fast"], "Fast computes in bfloat16 where the processor has it"] = "exact",
    progress: Progress | None = None,
) -> Tensor:
    """Where the layer holds evidence for the class: each feature map weighted by the score of what it lets through.

    M[c] = minmax( upsampled(A[c]) );  s[c] = S(x * M[c]) - S(0);  w = softmax_c s;  map = relu( sum_c w[c] * A[c] )

    Needs no gradient, so nothing saturates; one pass for each channel. Constant channels are left out.
    """
    activation, _ = activations(net, x, layer)
    size, total, done = batch_size(net, x), activation[:, :, 0, 0].numel(), 0
    maps = []
    for picture, channels in zip(x, activation, strict=True):
        flat = channels.flatten(1)
        alive = flat.amax(dim=1) > flat.amin(dim=1)
        channels = channels[alive]
        skipped = int((~alive).sum())

        def report(count: int, _: int, done: int = done + skipped) -> None:
            if progress:
                progress(done + count, total)

        scores = x.new_empty(len(channels))
        for part in batches(len(channels), size, report):
            mask = interpolate(channels[part, None], size=x.shape[-2:], mode="bilinear", align_corners=False)
            low, high = mask.amin(dim=(2, 3), keepdim=True), mask.amax(dim=(2, 3), keepdim=True)
            masked = (picture * ((mask - low) / (high - low))).contiguous(memory_format=torch.channels_last)
            with torch.no_grad(), fast_precision(x.device) if mode == "fast" else torch.no_grad():
                output = forward(net, masked).to(x.dtype)
            scores[part] = score_of(score, output if weighting == "channel softmax" else output.softmax(dim=1))
        weight = scores.softmax(dim=0) if weighting == "channel softmax" else scores
        maps.append((weight[:, None, None] * channels).sum(dim=0).relu())
        done += len(flat)
        if progress:
            progress(done, total)
    return torch.stack(maps)
