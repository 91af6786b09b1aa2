"""Normally distributed noise by seed and number: the same on every device, and in batches of every size.

The generator is Philox 4x64-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011), whose output is
a function of a key and a counter. NumPy computes it on the CPU, and integer tensor operations on other devices.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from .devices import is_accelerator

ROUNDS = 10
_MULTIPLIERS = 0xD2E7470EE14C6C93, 0xCA5A826395121157
_KEY_STEPS = 0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B
_LOW = 2**32 - 1
_BITS = 24  # of a uniform number: the precision of float32
_RUN = 512  # uniform numbers for the radius, then as many for the angle; also the words of 64 bits for both
_RUNS_AT_A_TIME = 32  # on the CPU: more do not fit its cache


def normal_noise(seed: int, draws: Sequence[int], shape: Sequence[int], like: Tensor) -> Tensor:
    """Return the noise tensors with the numbers `draws`, (len(draws), *shape), in the dtype and on the device of like.

    The values have mean 0 and standard deviation 1. Box-Muller: sqrt(-2 ln(1 - u)) times cos(2 pi v) and sin(2 pi v),
    u and v uniform in [0, 1). The bits of u and v are the same on every device and in every dtype; the logarithm and
    the cosine may differ in their last bits.
    """
    count, dtype = math.prod(shape), like.dtype if like.dtype == torch.float64 else torch.float32
    runs = -(-count // (2 * _RUN))
    found = torch.empty(len(draws), runs, 2, _RUN, dtype=dtype, device=like.device)
    if is_accelerator(like.device):
        _fill_normal(found, philox_words(seed, draws, runs * _RUN // 4, like.device))
    else:
        for part, draw in zip(found, draws, strict=True):
            counter = np.array([0, 0, draw, 0], np.uint64)  # NumPy adds 1 before each output
            generator = np.random.Philox(key=np.array([seed, 0], np.uint64), counter=counter)
            for some in part.split(_RUNS_AT_A_TIME):
                words = generator.random_raw(len(some) * _RUN).view(np.int64)
                _fill_normal(some, torch.from_numpy(words))
    return found.flatten(1)[:, :count].reshape(len(draws), *shape).to(like.dtype)


def _fill_normal(result: Tensor, words: Tensor) -> None:
    """Fill a tensor (..., 2, n) with normally distributed numbers from as many random words of 32 bits."""
    uniform = (words.view(torch.int32) & (2**_BITS - 1)).to(result.dtype).view_as(result)
    u, v = uniform.unbind(dim=-2)  # times 2 ** _BITS
    radius = torch.rsub(u, 1, alpha=2.0**-_BITS).log_().mul_(-2).sqrt_()
    angle = v * (2 * math.pi * 2.0**-_BITS)
    torch.mul(radius, angle.cos(), out=result.select(-2, 0))
    torch.mul(radius, angle.sin_(), out=result.select(-2, 1))


def philox_words(seed: int, draws: Sequence[int], blocks: int, device: torch.device) -> Tensor:
    """Return the outputs of Philox for the key (seed, 0) and the counters (1 to `blocks`, 0, draw, 0).

    Shape (len(draws), 4 * blocks), int64, which holds the 64 bits of each word.
    """
    number = torch.arange(1, blocks + 1, device=device).expand(len(draws), blocks)
    draw = torch.arange(draws[0], draws[0] + len(draws), device=device)[:, None].expand_as(number)
    zero = torch.zeros_like(number)
    return torch.stack(philox((number, zero, draw, zero), (seed, 0)), dim=-1).flatten(1)


def philox(counter: Sequence[Tensor], key: tuple[int, int]) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the four words of Philox 4x64-10 for the four words of a counter, each int64 with all its 64 bits."""
    multipliers = [
        [_signed(one) for one in _MULTIPLIERS],
        *([one >> shift & _LOW for one in _MULTIPLIERS] for shift in (0, 32)),
    ]
    keys = [
        [_signed(word + number * step) for word, step in zip(key, _KEY_STEPS, strict=True)] for number in range(ROUNDS)
    ]
    constants = torch.tensor(multipliers + keys, device=counter[0].device)  # one transfer to the device
    whole, low, high, *round_keys = constants.view(-1, 2, *[1] * counter[0].ndim)
    even, odd = torch.stack([counter[0], counter[2]]), torch.stack([counter[1], counter[3]])
    for round_key in round_keys:
        product = even * whole  # its lower 64 bits; the upper ones follow, by halves of 32 bits
        below, above = even & _LOW, _upper(even)
        middle = above * low + _upper(below * low)
        upper = above * high + _upper(middle) + _upper(below * high + (middle & _LOW))
        even, odd = upper.flip(0) ^ odd ^ round_key, product.flip(0)
    return even[0], odd[0], even[1], odd[1]


def _upper(word: Tensor) -> Tensor:
    """Return the upper 32 of 64 bits."""
    return word >> 32 & _LOW


def _signed(word: int) -> int:
    """Return the number whose 64 bits in two's complement are the lowest of `word`."""
    word %= 2**64
    return word - 2**64 if word >= 2**63 else word
