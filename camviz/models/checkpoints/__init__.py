"""Weights files: download them, read them without running code in them, and fill a network with them."""
