"""Noise is equal on every device: NumPy's generator and the tensor operations give the published numbers."""

import numpy as np
import pytest
import torch

from camviz.models import available_devices
from camviz.runtime.noise import normal_noise, philox, philox_words

DEVICES = pytest.mark.parametrize("device", available_devices())
CPU, SINGLE, DOUBLE = torch.device("cpu"), torch.zeros(()), torch.zeros((), dtype=torch.float64)
# Philox 4x64-10 in the file kat_vectors of Random123, by the authors of the generator: counter, key, output.
PUBLISHED = [
    ([0] * 4, [0] * 2, "16554d9eca36314c db20fe9d672d0fdc d7e772cee186176b 7e68b68aec7ba23b"),
    ([2**64 - 1] * 4, [2**64 - 1] * 2, "87b092c3013fe90b 438c3c67be8d0224 9cc7d7c69cd777b6 a09caebf594f0ba0"),
    (
        [0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89],
        [0x452821E638D01377, 0xBE5466CF34E90C6C],
        "a528f45403e61d95 38c72dbd566e9788 a5a1610e72fd18b5 57bd43b5e52b7fe6",
    ),
]


@DEVICES
@pytest.mark.parametrize(("counter", "key", "output"), PUBLISHED, ids=["zeros", "ones", "pi"])
def test_philox_gives_the_published_words(device, counter, key, output):
    words = [torch.from_numpy(np.array([word], np.uint64).view(np.int64)).to(device) for word in counter]
    assert [f"{int(word) % 2**64:016x}" for word in philox(words, tuple(key))] == output.split()


@DEVICES
def test_philox_words_equal_numpy(device):
    found = philox_words(2**31 - 1, range(3, 6), 7, torch.device(device)).cpu().numpy().view(np.uint64)
    for row, draw in zip(found, range(3, 6), strict=True):
        generator = np.random.Philox(key=[2**31 - 1, 0], counter=[0, 0, draw, 0])
        assert (row == generator.random_raw(28)).all()


@DEVICES
def test_noise_is_equal_on_every_device(device):
    here = normal_noise(7, range(4), (3, 50, 50), SINGLE)
    there = normal_noise(7, range(4), (3, 50, 50), SINGLE.to(device))
    assert there.device.type == device
    torch.testing.assert_close(there.cpu(), here, rtol=1e-5, atol=1e-5)  # of the angle 2 pi v, to the last bit


def test_noise_does_not_depend_on_batch_and_dtype():
    whole = normal_noise(1, range(5), (3, 5, 7), DOUBLE)
    parts = [normal_noise(1, part, (3, 5, 7), DOUBLE) for part in (range(2), range(2, 3), range(3, 5))]
    assert torch.equal(torch.cat(parts), whole)
    torch.testing.assert_close(normal_noise(1, range(5), (3, 5, 7), SINGLE).double(), whole, rtol=1e-5, atol=1e-5)
    half = normal_noise(1, range(5), (3, 5, 7), SINGLE.half())
    assert half.dtype == torch.float16 and float((half.double() - whole).abs().max()) < 2e-3


def test_noise_is_normal_and_independent():
    drawn = normal_noise(0, range(64), (3, 64, 64), DOUBLE).numpy()
    moments = [float((drawn**power).mean()) for power in (1, 2, 3, 4)]
    assert np.allclose(moments, [0, 1, 0, 3], atol=0.02)  # five standard errors of the fourth one
    assert np.mean(np.abs(drawn) > 1.959964) == pytest.approx(0.05, abs=0.0015) and 4 < np.abs(drawn).max() < 5.8
    flat = drawn.reshape(64, -1)
    others = normal_noise(1, range(64), (3, 64, 64), DOUBLE).numpy().reshape(64, -1)
    for first, second in ((flat, np.roll(flat, 1, axis=0)), (flat, others), (flat[:, 1:], flat[:, :-1])):
        assert abs(float((first * second).mean())) < 5 / np.sqrt(first.size)
    cosine, sine = drawn.reshape(64, -1, 2, 512).transpose(2, 0, 1, 3)  # of the same radius and angle
    assert abs(float((cosine**2 * sine**2).mean()) - 1) < 5 * np.sqrt(8 / sine.size)
