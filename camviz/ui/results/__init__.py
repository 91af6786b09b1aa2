"""Explanations and metrics: computed once, kept for all visitors."""
