"""Listen to a forward pass and redirect it: the only package that knows torch's hooks and modes."""

from .batch_norm import norm_arguments, scale_and_shift
from .biases import added_by, bias_gradients
from .forward_pass import ANY_LAYOUT, TO_NUMBERS, class_scores, forward, is_compiled
from .gradients import activations, gradient_of, gradient_sums, input_gradient, record, score_of, slopes
from .hooks import listening_to, watch
from .pass_counts import Account, accounting, note
from .relu import SMOOTH, Rule, gate_of, ruled
from .rules import backward_rule, intercepting

__all__ = [
    "ANY_LAYOUT",
    "SMOOTH",
    "TO_NUMBERS",
    "Account",
    "Rule",
    "accounting",
    "activations",
    "added_by",
    "backward_rule",
    "bias_gradients",
    "class_scores",
    "forward",
    "gate_of",
    "gradient_of",
    "gradient_sums",
    "input_gradient",
    "intercepting",
    "is_compiled",
    "listening_to",
    "norm_arguments",
    "note",
    "record",
    "ruled",
    "scale_and_shift",
    "score_of",
    "slopes",
    "watch",
]
