"""Layer-wise relevance propagation: rules, composites, and the backward pass that applies them."""
