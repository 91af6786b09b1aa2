"""Run the notebooks of docs/notebooks/ in one kernel: importing torch takes longer than most cells.

`python -m tests.notebooks.run` writes their outputs: printed text, and the image of an explanation as a JPEG.
The notebooks can be read on GitHub and stay small. The state of the widgets is left out.
"""

import base64
import io
import os
from collections.abc import Iterator
from pathlib import Path

import nbformat
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "docs" / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))


def run_notebooks() -> Iterator[tuple[Path, NotebookNode]]:
    """Run and yield every notebook; a cell that raises an error ends the run."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1")}
    manager, client = start_new_kernel(cwd=str(FOLDER), env=environment)
    try:
        for path in NOTEBOOKS:
            notebook = nbformat.read(path, 4)
            runner = NotebookClient(notebook, km=manager, timeout=120, store_widget_state=False, coalesce_streams=True)
            runner.kc = client
            runner.execute(reset_kc=False)
            yield path, notebook
            client.execute_interactive("%reset -f", silent=True, timeout=30)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def without_widgets(notebook: NotebookNode) -> NotebookNode:
    """Return a notebook as it is kept: with its text and its pictures as JPEGs, without times and widgets."""
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", []):
            if "data" in output:
                picture = output.data.get("image/png")
                output.data = {"text/plain": output.data["text/plain"]}
                if picture:
                    output.data["image/jpeg"] = as_jpeg(picture)
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec, "language_info": {"name": "python"}}
    return notebook


def as_jpeg(png: str) -> str:
    """Return a PNG in base64 as a JPEG in base64."""
    file = io.BytesIO()
    Image.open(io.BytesIO(base64.b64decode(png))).save(file, "JPEG", quality=80)
    return base64.b64encode(file.getvalue()).decode()


if __name__ == "__main__":
    for path, notebook in run_notebooks():
        nbformat.write(without_widgets(notebook), path)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")
