"""One list of dependencies, and one version."""

import re
import tomllib
from pathlib import Path

import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import camviz

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DECLARED = PROJECT["project"]


def by_name(lines: list[str]) -> dict[str, Requirement]:
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): one for one in found}


def read_requirements(name: str) -> dict[str, Requirement]:
    """Read the packages of a requirements file, without those of the files that it includes."""
    lines = [line.partition("#")[0].strip() for line in (ROOT / name).read_text(encoding="utf-8").splitlines()]
    return by_name([line for line in lines if line and not line.startswith("-")])


def assert_consistent(pinned: dict[str, Requirement], declared: dict[str, Requirement]) -> None:
    """Check that both name the same packages, and that pins satisfy pyproject.toml."""
    assert pinned.keys() == declared.keys()
    for name, one in pinned.items():
        exact = [specifier.version for specifier in one.specifier if specifier.operator == "=="]
        assert one.extras == declared[name].extras
        if exact:
            assert declared[name].specifier.contains(exact[0]), f"{one} is not {declared[name]} of pyproject.toml"
        else:
            assert one.specifier == declared[name].specifier, f"{one} is not {declared[name]} of pyproject.toml"


def test_requirements_match_pyproject() -> None:
    extras = DECLARED["optional-dependencies"]
    assert_consistent(read_requirements("requirements.txt"), by_name(DECLARED["dependencies"]))
    assert_consistent(read_requirements("requirements-ray.txt"), by_name(extras["ray"]))
    for extra in ("notebook", "heic"):
        wanted = by_name(extras[extra])
        assert_consistent(
            {name: one for name, one in read_requirements("requirements-dev.txt").items() if name in wanted}, wanted
        )


def test_development_tools_are_pinned_and_no_test_is_rerun() -> None:
    tools = read_requirements("requirements-dev.txt")
    assert all(str(one.specifier).startswith("==") for one in tools.values())
    assert not tools.keys() & {"pytest-rerunfailures", "flaky"}


def test_pre_commit_uses_the_installed_tools() -> None:
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    (local,) = hooks["repos"]
    assert local["repo"] == "local"  # a remote one would bring versions of its own
    assert {hook["entry"].split()[0].rpartition("/")[0] for hook in local["hooks"]} == {".venv/bin"}


def test_version_is_defined_once() -> None:
    assert "version" in DECLARED["dynamic"] and "version" not in DECLARED
    assert PROJECT["tool"]["hatch"]["version"] == {"path": "camviz/version.py"}
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == camviz.__version__
    released = re.findall(r"^## \[(\d[^]]*)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert released[0] == camviz.__version__


def test_project_address_is_defined_once() -> None:
    """Notebooks on Colab and Binder have nothing else to start from; tests/notebooks compares theirs."""
    address = DECLARED["urls"]["Homepage"].partition("//")[2]
    places = [path for place in ("camviz", "pages", "docs", "deploy") for path in (ROOT / place).rglob("*.*")]
    texts = [path for path in (*places, *ROOT.glob("*.*")) if path.suffix in {".py", ".md", ".yml", ".toml", ".ipynb"}]
    naming = {path.name for path in texts if address in path.read_text(encoding="utf-8")}
    assert naming == {"pyproject.toml", *(path.name for path in (ROOT / "docs" / "notebooks").glob("*.ipynb"))}
    assert all(url.startswith(f"https://{address}") for url in DECLARED["urls"].values())
