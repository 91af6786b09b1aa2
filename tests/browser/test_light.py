"""Light and steady: the bytes of the first load, a word from a cold server, and no page that moves while it loads."""

from pathlib import Path

ROOT = Path(__file__).parents[2]
