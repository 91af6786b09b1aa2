"""Explanations and metrics: computed once, kept for everybody."""
