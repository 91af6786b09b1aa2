"""The deconvnet (Zeiler & Fergus, ECCV 2014)."""

from typing import Annotated

from torch import Tensor, nn

from ..errors import LayerError
from ..messages import Message
from ..registry import Range, method
from ..runtime.steps import record_step
from ..scores import Score
from ..tape import backward_rule, input_gradient


@method(
    "Deconvnet",
    family="gradient",
    paper="https://arxiv.org/abs/1311.2901",
    requires="a ReLU",
    pixels=True,
    reads="The lines show the pattern that activates the model, projected back to the pixels; they are nearly the "
    "same for every class.",
    caution="It hardly depends on the class, and it ignores which ReLUs the image switches off: do not read it "
    "as the reason for this prediction.",
)
def deconvnet(
    net: nn.Module,
    x: Tensor,
    score: Score,
    layer: nn.Module | None = None,
    *,
    feature_map: Annotated[
        int | None, Range(0, 8191), "Start from this feature map of the layer instead of the class"
    ] = None,
    row: Annotated[
        int | None, Range(0, 8191), "Row of the activation in the feature map; empty: the strongest activation"
    ] = None,
    column: Annotated[int | None, Range(0, 8191), "Column of the activation; empty: the strongest activation"] = None,
    extended: Annotated[
        bool, "Apply the rule to SiLU, GELU and similar activations too, which the paper does not define"
    ] = False,
) -> Tensor:
    """The pattern in the image that activates a class or one feature map, projected back to the pixels.

    At every ReLU: gradient := max(gradient, 0), whatever the ReLU's input was; max-pooling routes the gradient to its
    maximum. Starts from the score, or from one activation of one feature map of `layer`; (B, 3, H, W), signed.

    Shows the pattern that a feature map responds to. Started from a class score, it is hardly specific to the class.
    """
    with backward_rule(deconvolved, extended):
        if feature_map is None:
            return input_gradient(net, x, score)
        if layer is None:
            raise LayerError("a feature map belongs to a layer: choose the layer too")
        return input_gradient(net, x, activation_at(feature_map, row, column), layer)


def deconvolved(gradient: Tensor, slope: Tensor) -> Tensor:
    """Return the gradient that the deconvnet passes back through a ReLU: its positive part, whatever the slope."""
    record_step(gradient=gradient, slope=slope)
    return gradient.clamp(min=0)


def activation_at(feature_map: int, row: int | None = None, column: int | None = None) -> Score:
    """Return the score "one activation of a feature map": the one at a position, or the strongest without one."""

    def score(activation: Tensor) -> Tensor:
        for name, value, size in zip(
            ("feature map", "row", "column"), (feature_map, row, column), activation.shape[1:], strict=True
        ):
            if value is not None and not 0 <= value < size:
                raise LayerError(
                    "this layer has {name}s 0 to {last}; got {name} {value}",
                    name=Message(name),
                    last=size - 1,
                    value=value,
                )
        maps = activation[:, feature_map]
        rows = maps if row is None else maps[:, row : row + 1]
        return (rows if column is None else rows[:, :, column : column + 1]).flatten(1).max(dim=1).values

    return score
