"""Files to download: one explanation as NPZ, many files as ZIP."""

import io
import json
import zipfile
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .explanation.recipe import settings_json
from .text import file_name, slugify

if TYPE_CHECKING:
    from .explanation.explanation import Explanation


def npz(explanation: "Explanation") -> bytes:
    """Return a NumPy archive of an explanation: raw signed attribution, heatmap, view, and settings (JSON text)."""
    file = io.BytesIO()
    np.savez_compressed(
        file,
        attribution=explanation.attribution,
        heatmap=explanation.heatmap,
        view=explanation.view,
        settings=np.array(settings_json(explanation)),
    )
    return file.getvalue()


def grid_zip(named: Mapping[str, bytes], settings: Any) -> bytes:
    """Return a ZIP of the named files and of `settings` as settings.json; names are made safe and unique."""
    file = io.BytesIO()
    taken = {"settings.json"}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in named.items():
            stem, dot, ending = name.rpartition(".") if "." in name else (name, "", "")
            safe = f"{file_name(stem)}{dot}{slugify(ending)}"
            number = 2
            while safe in taken:
                safe = f"{file_name(stem, str(number))}{dot}{slugify(ending)}"
                number += 1
            taken.add(safe)
            # ZipInfo has a fixed date, so that the same results give the same file.
            archive.writestr(zipfile.ZipInfo(safe), content)
        text = json.dumps(settings, indent=2, ensure_ascii=False)
        archive.writestr(zipfile.ZipInfo("settings.json"), text, zipfile.ZIP_DEFLATED)
    return file.getvalue()
