"""Attention as matrix products, which have second derivatives. Torch's fused kernels have none."""

import inspect
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

_ARGUMENTS = inspect.Signature(
    [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
        for name, default in (
            ("query", inspect.Parameter.empty),
            ("key", inspect.Parameter.empty),
            ("value", inspect.Parameter.empty),
            ("attn_mask", None),
            ("dropout_p", 0.0),
            ("is_causal", False),
            ("scale", None),
            ("enable_gqa", False),
        )
    ]
)


def written_out(func: Any, args: Any, kwargs: Any) -> Any:
    """Run a call; attention is computed by two matrix products and a softmax, which can be differentiated twice."""
    if func is not F.scaled_dot_product_attention:
        return func(*args, **kwargs)
    given = _ARGUMENTS.bind(*args, **kwargs)
    given.apply_defaults()
    *places, scale, enable_gqa = given.arguments.values()
    result: Tensor = torch.ops.aten._scaled_dot_product_attention_math(*places, scale=scale, enable_gqa=enable_gqa)[0]
    return result
