"""Small networks with unusual steps, on which other tools fail, and images for them."""

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torchvision.ops import stochastic_depth

import camviz

SIDE, CLASSES = 24, 4
FEW = {"masks": 6, "samples": 3, "steps": 4}  # settings of methods of many passes, for speed


class Small(nn.Module):
    """Convolution, batch norm, ReLU, max-pooling, convolution, ReLU, mean, linear; `kind` changes one step."""

    def __init__(self, kind: str = "", seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.first, self.norm = nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6, track_running_stats=kind != "norm")
            self.relu, self.pool = nn.ReLU(), nn.MaxPool2d(2)
            self.second, self.last_relu = nn.Conv2d(6, 8, 3, padding=1), nn.ReLU()
            self.classifier = nn.Linear(8, CLASSES)
        self.kind = kind

    def forward(self, x: Tensor) -> Tensor:
        x = self.pool(self.relu(self.norm(self.first(x))))
        if self.kind == "halves":
            x = torch.cat([self.second(half) for half in x.chunk(2, dim=3)], dim=3)
        else:
            x = self.second(x)
        x = self.last_relu(x)
        if self.kind == "cached":
            self.features = {"last": [x]}
        return self.classifier(self.pooled(x.mean(dim=(2, 3))))

    def pooled(self, x: Tensor) -> Tensor:
        """Return the pooled features, changed as `kind` says."""
        if self.kind == "assert":
            assert len(x) == 1
        changes = {
            "mean": lambda: x - x.mean(dim=0, keepdim=True) / 2,
            "std": lambda: x / (1 + x.std(dim=0, unbiased=False)),
            "first": lambda: x - x[:1] / 2,
            "view": lambda: x.view(1, -1),
            "dropout": lambda: F.dropout(x, 0.3, training=True),
            "depth": lambda: stochastic_depth(x, 0.2, "row", training=True),
            "noise": lambda: x + 0.1 * torch.randn_like(x),
            "numpy noise": lambda: x + 0.1 * torch.from_numpy(np.random.standard_normal(x.shape)).to(x),
            "log": lambda: torch.log(x - 1000),
            "root": lambda: x + torch.sqrt((x - x.detach()) ** 2),
        }
        return changes.get(self.kind, lambda: x)()


ALONE = ("norm", "mean", "std", "first", "view", "assert")


def load(net: nn.Module, **settings) -> camviz.models.Model:
    return camviz.load_model(net, input_size=(SIDE, SIDE), **settings)


def images(count: int, height: int = SIDE, width: int = SIDE) -> list[Image.Image]:
    rng = np.random.default_rng(1)
    return [Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)) for _ in range(count)]


def maps(model, image, without: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """Return the attribution of an image by every method but `without`, with few passes."""
    found = {}
    for key, method in camviz.METHODS.items():
        if key in without:
            continue
        knobs = {name: value for name, value in FEW.items() if name in method.knobs}
        found[key] = camviz.explain(model, image, key, **knobs).attribution
    return found


def relative(found, expected) -> float:
    """Return the largest difference, relative to the largest value."""
    return float(abs(found - expected).max() / abs(expected).max())
