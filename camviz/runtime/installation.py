"""Where the dashboard's files are: app.py, pages, assets and Streamlit's settings."""

from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "dashboard"  # of the wheel; pyproject.toml puts the files there
PACKED = _FOLDER.is_dir()
ROOT = _FOLDER if PACKED else Path(__file__).parents[2]  # in a checkout they stand beside the package

APP = ROOT / "app.py"  # with .streamlit/config.toml beside it
PAGES = ROOT / "pages"
ASSETS = ROOT / "assets"
SAMPLES = ASSETS / "samples"
