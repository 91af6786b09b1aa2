"""Walkthroughs of a method, and lessons."""
