"""Lessons, guesses and hand-ins, walkthroughs of methods, and reference pages."""
