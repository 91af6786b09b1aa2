"""Unusual networks on every page: each shows a result or an error message, and raises no exception."""

from collections import OrderedDict
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F
from streamlit.testing.v1 import AppTest
from torch import Tensor, nn

import camviz
from camviz import models
from camviz.models import offers

Start = Callable[..., AppTest]
PAGES = ("explain", "compare", "dataset", "_inspect", "learn", "evaluate", "perturb", "room")


def plain(classes: int = 3, channels: int = 3, norm: nn.Module | None = None) -> nn.Sequential:
    torch.manual_seed(0)
    parts = OrderedDict(
        first=nn.Conv2d(channels, 6, 3, padding=1),
        norm=norm or nn.BatchNorm2d(6),
        relu=nn.ReLU(),
        pool=nn.MaxPool2d(2),
        second=nn.Conv2d(6, 8, 3, padding=1),
        last=nn.ReLU(),
        mean=nn.AdaptiveAvgPool2d(1),
        flat=nn.Flatten(),
        head=nn.Linear(8, classes),
    )
    return nn.Sequential(parts).eval()


class Changed(nn.Module):
    """A network whose forward wraps the plain one."""

    def __init__(self, forward: Callable[[nn.Sequential, Tensor], object], net: nn.Sequential | None = None) -> None:
        super().__init__()
        self.net, self.change = net or plain(), forward

    def forward(self, x: Tensor) -> object:
        return self.change(self.net, x)


def cut(net: nn.Sequential, x: Tensor) -> Tensor:
    with torch.no_grad():
        maps = net[:6](x)
    return net[6:](maps)


def halves(net: nn.Sequential, x: Tensor) -> Tensor:
    return net[6:](torch.cat([net[:6](x[..., :24]), net[:6](x[..., 24:])], dim=-1))


def broken(net: nn.Sequential, x: Tensor) -> Tensor:
    """Return NaN for a photograph, but neither for one color nor for noise."""
    return net(x) / torch.where((x.std() > 0.3) & (x.std() < 1.2), torch.nan, 1.0)


NETWORKS: dict[str, Callable[[], camviz.Model]] = {
    "ends in softmax": lambda: load(Changed(lambda net, x: net(x).softmax(1))),
    "two answers": lambda: load(plain(1), categories=["normal", "sick"]),
    "a number": lambda: load(Changed(lambda net, x: net(x) + 41.3, plain(1)), head="none", unit="years"),
    "several outputs": lambda: load(Changed(lambda net, x: {"features": net[:8](x), "scores": net(x)})),
    "batch statistics": lambda: load(plain(norm=nn.BatchNorm2d(6, track_running_stats=False))),
    "one image": lambda: load(Changed(lambda net, x: net[8](net[:7](x).view(1, -1)))),
    "random": lambda: load(Changed(lambda net, x: net(F.dropout(x, 0.2, training=True)))),
    "cut": lambda: load(Changed(cut)),
    "halves": lambda: load(Changed(halves)),
    "gray": lambda: load(plain(channels=1)),
    "nan for a photograph": lambda: load(Changed(broken)),
}


def load(net: nn.Module, **settings: object) -> camviz.Model:
    return camviz.load_model(net, input_size=48, name="mine", **settings)  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def _no_offered_models(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(offers, "_offers", {})
    yield


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_page_shows_a_result_or_a_message(start: Start, kind: str) -> None:
    models.register(NETWORKS[kind]())
    app = start(model="mine", img="sample:koala")
    assert kind == "nan for a photograph" or app.session_state["experiment"].model.name == "mine"
    for page in PAGES:
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception, (page, [one.message for one in app.exception])
        shown = [one.value for one in [*app.error, *app.warning, *app.markdown, *app.caption]]
        assert not any("nan" in text.split() or "NaN" in text for text in shown), (page, shown)
    app.switch_page("pages/explain.py").run()
    for method in ("guided_backprop", "lrp", "occlusion", "integrated_gradients"):
        app.selectbox(key="method").set_value(method).run()
        assert not app.exception, (method, [one.message for one in app.exception])
