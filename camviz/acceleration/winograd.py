"""3 x 3 convolutions with a quarter of the multiplications (Winograd's F(4x4, 3x3); Lavin & Gray, CVPR 2016)."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from .call_arguments import pair

MIN_CHANNELS = 128  # with fewer, rearranging the tiles costs more time than the saved multiplications
# Input and output channels together: with AVX-512, torch's own convolution of 128 to 128 channels is the faster one.
MIN_CHANNELS_TOGETHER = 384 if torch.backends.cpu.get_cpu_capability() == "AVX512" else 2 * MIN_CHANNELS
MIN_CELLS = 28 * 28  # height x width: with smaller maps included, ResNet50 becomes slower
_MAX_TILE_BYTES = 12e6  # tiles at a time: more do not fit the processor's cache

# A 6 x 6 tile d and a 3 x 3 kernel g give 4 x 4 values: A [ (G g G') * (B d B') ] A', where * is elementwise.
_A = "1 1 1 1 1 0   0 1 -1 2 -2 0   0 1 1 4 4 0   0 1 -1 8 -8 1"
_B = "4 0 -5 0 1 0   0 -4 -4 1 1 0   0 4 -4 -1 1 0   0 -2 -1 2 1 0   0 2 -1 -2 1 0   0 4 0 -5 0 1"
_G = "6 0 0   -4 -4 -4   -4 4 -4   1 2 4   1 -2 4   0 0 24"  # times 24


def suits_winograd(weight: Tensor, result: Tensor, *shape: Any) -> bool:
    """Return whether Winograd's algorithm can compute a convolution, faster than torch does.

    `shape` is (stride, padding, dilation, groups). On VGG16, occlusion becomes 1.5x faster, integrated gradients 1.2x.
    """
    channels = weight.shape[:2]
    wide = weight.shape[2:] == (3, 3) and min(channels) >= MIN_CHANNELS and sum(channels) >= MIN_CHANNELS_TOGETHER
    large = result.shape[2] * result.shape[3] >= MIN_CELLS
    return wide and large and tuple(map(pair, shape)) == ((1, 1),) * 4


@dataclass
class Kernel:
    """A convolution of weight (K, C, 3, 3), stride 1 and padding 1, prepared for many calls.

    In float32 its relative error is about 2e-6; that of a plain convolution is 6e-7.
    """

    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """Return the convolution of x (B, C, H, W), of shape (B, K, H, W); differentiable with respect to x."""
        result: Tensor = _Convolution.apply(x, self)
        return result

    def gradient(self, gradient: Tensor) -> Tensor:
        """Return the gradient with respect to x, from the gradient with respect to the result."""
        return _convolved(gradient, self.backwards)

    @cached_property
    def forwards(self) -> Tensor:
        """Return the transformed kernels, (36, C, K)."""
        return _transformed(self.weight)

    @cached_property
    def backwards(self) -> Tensor:
        """Return the transformed kernels of the backward pass, (36, K, C)."""
        return _transformed(self.weight.flip(2, 3).transpose(0, 1))


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel: Kernel) -> Tensor:
        ctx.kernel = kernel
        result = _convolved(x, kernel.forwards)
        return result if kernel.bias is None else result.add_(kernel.bias[:, None, None])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return ctx.kernel.gradient(gradients[0]), None


def _transformed(weight: Tensor) -> Tensor:
    channels, features = weight.shape[1], weight.shape[0]
    flat = weight.permute(2, 3, 1, 0).reshape(9, channels * features)
    return (_both_ways(_G, 3, weight) / 24**2 @ flat).view(36, channels, features)


def _convolved(x: Tensor, kernels: Tensor) -> Tensor:
    """Return the convolution of x in channels-last layout."""
    batch, channels, height, width = x.shape
    features = kernels.shape[2]
    rows, columns = -(-height // 4), -(-width // 4)
    padded = F.pad(x, (1, 4 * columns - width + 1, 1, 4 * rows - height + 1)).permute(0, 2, 3, 1)
    tiles = padded.unfold(1, 6, 4).unfold(2, 6, 4)  # (B, rows, columns, C, 6, 6)
    after, before = _both_ways(_A, 6, x), _both_ways(_B, 6, x)
    shape = (batch, features, 4 * rows, 4 * columns)
    result = torch.empty(shape, dtype=x.dtype, device=x.device, memory_format=torch.channels_last)
    cells = result.permute(0, 2, 3, 1).view(batch, rows, 4, columns, 4, features)
    row_bytes = 36 * columns * max(channels, features) * x.element_size()
    images, high = (
        max(1, int(_MAX_TILE_BYTES / (rows * row_bytes))),
        min(rows, max(1, int(_MAX_TILE_BYTES / row_bytes))),
    )
    for first in range(0, batch, images):
        for top in range(0, rows, high):
            part = tiles[first : first + images, top : top + high]
            flat = before @ part.permute(4, 5, 0, 1, 2, 3).reshape(36, -1)
            product = torch.bmm(flat.view(36, -1, channels), kernels)
            done = (after @ product.view(36, -1)).view(4, 4, *part.shape[:3], features)
            cells[first : first + images, top : top + high] = done.permute(2, 3, 0, 4, 1, 5)
    if (height, width) == result.shape[2:]:
        return result  # not a view of it: autograd refuses in-place changes of one
    return result[:, :, :height, :width].clone(memory_format=torch.channels_last)


def _both_ways(matrix: str, columns: int, like: Tensor) -> Tensor:
    """Return the Kronecker product that applies `matrix` to the rows and the columns of flattened tiles."""
    one = torch.tensor([float(number) for number in matrix.split()], dtype=torch.float64, device="cpu").view(
        -1, columns
    )
    return torch.kron(one, one).to(like)
