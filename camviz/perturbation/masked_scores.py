"""Class activation maps weighted by the scores of masked images, for Score-CAM and similar methods."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ..acceleration.many_passes import many_passes
from ..acceleration.memory_layout import in_fastest_layout
from ..runtime.batching import batches
from ..runtime.progress import Progress
from ..runtime.steps import record_step
from ..tape import activations, forward

Alter = Callable[[Tensor, range], Tensor]


def masked_cam(
    net: nn.Module,
    x: Tensor,
    layer: nn.Module,
    read: Callable[[Tensor], Tensor],
    weigh: Callable[[Tensor], Tensor],
    *,
    times: int = 1,
    alter: Alter | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Return relu( sum_c w[c] * A[c] ) for each image, (B, h, w), with w = weigh(s), s[c] = mean read(net(x * M[c])).

    M[c] = minmax( upsampled(A[c]) ). Each mask is used `times` times, changed by `alter(masks, passes)`: masks
    (n, 1, H, W) of n passes, where pass p is repetition p % times of channel p // times. Constant channels are left
    out and not counted.
    """
    activation, _ = activations(net, x, layer)
    total, done, maps = activation[:, :, 0, 0].numel() * times, 0, []
    with torch.no_grad(), many_passes(net, x) as passes:
        for image, channels in zip(x, activation, strict=True):
            flat = channels.flatten(1)
            alive = flat.amax(dim=1) > flat.amin(dim=1)
            channels = channels[alive]
            done += int((~alive).sum()) * times

            def report(count: int, _: int, before: int = done) -> None:
                if progress:
                    progress(before + count, total)

            if not len(channels):
                report(0, 0)
            scores = x.new_empty(len(channels) * times)
            for part in batches(len(scores), passes.size, report):
                numbers = range(part.start, part.stop)
                places = torch.arange(part.start, part.stop, device=x.device) // times
                mask = masks_of(channels[places], x.shape[-2:])
                masked = image * (mask if alter is None else alter(mask, numbers))
                scores[part] = read(forward(net, in_fastest_layout(masked)))
            weight = weigh(scores.view(len(channels), times).mean(dim=1))
            record_step(channels=channels, scores=scores, weight=weight)
            maps.append((weight[:, None, None] * channels).sum(dim=0).relu())
            done += len(scores)
    return torch.stack(maps)


def masks_of(channels: Tensor, size: torch.Size) -> Tensor:
    """Return maps (n, h, w) as masks: upsampled to `size`, scaled to 0..1 (0 if constant), (n, 1, H, W)."""
    mask = interpolate(channels[:, None], size=size, mode="bilinear", align_corners=False)
    low, high = mask.amin(dim=(2, 3), keepdim=True), mask.amax(dim=(2, 3), keepdim=True)
    return (mask - low) / (high - low).clamp(min=torch.finfo(mask.dtype).tiny)
