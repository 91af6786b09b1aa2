"""The command line: what each command imports, prints and refuses."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from camviz import __main__, __version__

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "status"),
    [(["--help"], 0), (["--version"], 0), (["serve", "--help"], 0), (["--port", "a"], 2)],
    ids=["help", "version", "serve", "wrong"],
)
def test_help_does_not_import_torch(arguments: list[str], status: int) -> None:
    code = (
        "import sys; from camviz.__main__ import main\n"
        f"try: main({arguments})\n"
        "except SystemExit as end: print(end.code, {'torch', 'streamlit', 'timm'} & sys.modules.keys() or '')"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == f"{status} "


def test_registry_is_filled_if_it_is_imported_first_and_timm_is_not_imported() -> None:
    code = (
        "import sys; from camviz.registry import METHODS, SYNTHESES; import camviz.models\n"
        "print('grad_cam' in METHODS, 'deep_dream' in SYNTHESES, 'timm' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "True True False\n"


def run_command(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Run a command in this process; return its exit status and what it printed."""
    with pytest.raises(SystemExit) as end:
        __main__.main(arguments)
    return int(end.value.code or 0), *capsys.readouterr()


def test_version_and_methods_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(capsys, "--version") == (0, f"camviz {__version__}\n", "")
    code, out, _ = run_command(capsys, "methods")
    assert code == 0 and "| `grad_cam` | [Grad-CAM](" in out


@pytest.mark.parametrize("command", [(), ("serve",)], ids=["bare", "serve"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--config", "none.toml"), "There is no file none.toml: give --config the path of a TOML file."),
        (("--classes", "a.txt"), "--classes needs a model, as in camviz serve model.pth --classes a.txt."),
    ],
    ids=["config", "classes"],
)
def test_serve_refuses_wrong_arguments(
    command: tuple[str, ...], arguments: tuple[str, ...], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run_command(capsys, *command, *arguments)
    assert (code, out, err.splitlines()[0]) == (2, "", sentence) and "Error code argument-invalid: " in err


def test_doctor_prints_versions_and_weights_but_no_home_folder(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("CAMVIZ_CONFIG", str(Path.home() / "none.toml"))
    code, out, err = run_command(capsys, "doctor")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert (code, err) == (0, "")
    assert lines["camviz"] == f"{__version__}, in a checkout" and lines["python"].startswith(sys.version.split()[0])
    assert lines["streamlit"] == "1.67.0" and "efficientnet_lite2, mobilenet_v2" in out
    assert "~/none.toml, and there is no such file" in out.replace(os.sep, "/")
    assert str(Path.home()) not in out
