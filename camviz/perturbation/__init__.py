"""Masked inputs and sliding occlusion."""
