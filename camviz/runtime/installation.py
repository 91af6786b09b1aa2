"""The paths of the dashboard's files: app.py, pages, assets and Streamlit's settings."""

from pathlib import Path

_FOLDER = Path(__file__).parents[1] / "dashboard"  # exists in the wheel only; pyproject.toml puts the files there
PACKED = _FOLDER.is_dir()
ROOT = _FOLDER if PACKED else Path(__file__).parents[2]  # in a checkout the files are beside the package

APP = ROOT / "app.py"  # with .streamlit/config.toml beside it
PAGES = ROOT / "pages"
ASSETS = ROOT / "assets"
SAMPLES = ASSETS / "samples"
