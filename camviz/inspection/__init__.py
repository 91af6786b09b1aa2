"""Inspection of a network: feature maps, filters, receptive fields, the layer summary."""
