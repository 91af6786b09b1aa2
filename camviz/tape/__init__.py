"""Observe a forward pass and replace its calls: the only package that uses torch's hooks and modes."""

from .batch_norm import norm_arguments, scale_and_shift
from .biases import bias_gradients, bias_of
from .forward_pass import ANY_LAYOUT, TO_NUMBERS, forward, is_compiled, raw_output
from .gradients import (
    activations,
    gradient_of,
    gradient_sums,
    input_gradient,
    record,
    record_curvature,
    score_gradient,
    score_of,
    scores_through,
)
from .hooks import changing_gradient, observe, replacing_output
from .kept_passes import KeptPass, PassKey, reusing_passes
from .network.batches_of_one import is_checked, isolated, mark_batches_of_one, near, needs_batches_of_one
from .network.calling_modes import autocast_to, copy_autocast, find_autocast, usual_modes
from .network.errors import NetworkError, StartAgainError
from .network.fingerprint import fingerprint
from .network.hidden_sigmoid import ends_in_sigmoid
from .network.not_finite import broken_weights, input_not_finite, value_not_finite
from .network.output import (
    LastSteps,
    OutputReading,
    as_matrix,
    candidates_of,
    class_scores,
    described_output,
    independent_outputs,
    reading_of,
    set_reading,
)
from .network.output import at as output_at
from .network.output import choose as choose_output
from .network.quantized import is_quantized
from .pass_counts import PassCounts, add_note, counting_passes
from .relu import SMOOTH, Rule, apply_rule, gate_of
from .relu_forms import is_own_function, nodes_of, watch_step
from .rules import backward_rule, intercepting

__all__ = [
    "ANY_LAYOUT",
    "SMOOTH",
    "TO_NUMBERS",
    "KeptPass",
    "LastSteps",
    "NetworkError",
    "OutputReading",
    "PassCounts",
    "PassKey",
    "Rule",
    "StartAgainError",
    "activations",
    "add_note",
    "apply_rule",
    "as_matrix",
    "autocast_to",
    "backward_rule",
    "bias_gradients",
    "bias_of",
    "broken_weights",
    "candidates_of",
    "changing_gradient",
    "choose_output",
    "class_scores",
    "copy_autocast",
    "counting_passes",
    "described_output",
    "ends_in_sigmoid",
    "find_autocast",
    "fingerprint",
    "forward",
    "gate_of",
    "gradient_of",
    "gradient_sums",
    "independent_outputs",
    "input_gradient",
    "input_not_finite",
    "intercepting",
    "is_checked",
    "is_compiled",
    "is_own_function",
    "is_quantized",
    "isolated",
    "mark_batches_of_one",
    "near",
    "needs_batches_of_one",
    "nodes_of",
    "norm_arguments",
    "observe",
    "output_at",
    "raw_output",
    "reading_of",
    "record",
    "record_curvature",
    "replacing_output",
    "reusing_passes",
    "scale_and_shift",
    "score_gradient",
    "score_of",
    "scores_through",
    "set_reading",
    "usual_modes",
    "value_not_finite",
    "watch_step",
]
