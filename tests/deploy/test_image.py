"""Dockerfile, compose.yaml and the configurations are valid and consistent."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.replicas import DEPLOY, ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
NGINX = (DEPLOY / "nginx.conf").read_text()
PUBLIC = tomllib.loads((DEPLOY / "config.toml").read_text())
CLASSROOM = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
COMPOSE = yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@pytest.mark.parametrize(
    "command",
    [
        ("hadolint", "--no-color", "Dockerfile"),
        ("check-jsonschema", "--quiet", "--builtin-schema", "vendor.compose-spec", "deploy/compose.yaml"),
    ],
    ids=lambda command: command[-1],
)
def test_linters_find_nothing(command: tuple[str, ...]) -> None:
    program = shutil.which(command[0], path=str(Path(sys.executable).parent))
    assert program, "pip install -r requirements-dev.txt brings it"
    found = subprocess.run([program, *command[1:]], cwd=ROOT, capture_output=True, text=True)
    assert (found.returncode, found.stdout) == (0, "")


def test_image_installs_the_versions_of_the_requirements() -> None:
    wanted = dict(re.findall(r"^(torch|torchvision)==(\S+)$", (ROOT / "requirements.txt").read_text(), re.MULTILINE))
    assert dict(re.findall(r"(torch|torchvision)==(\S+)", DOCKERFILE)) == wanted and len(wanted) == 2
    assert dict(re.findall(r"(torch|torchvision)==(\S+)", (ROOT / "Makefile").read_text())) == wanted


def test_copied_files_are_tracked_and_not_ignored() -> None:
    copied = {name for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE, re.MULTILINE) for name in line.split()}
    let_in = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {name.rstrip("/") for name in copied} == let_in
    assert all(any(file == name or file.startswith(f"{name}/") for file in listed) for name in let_in)


def test_image_has_a_user_and_a_health_check() -> None:
    users = re.findall(r"^USER (\d+)$", DOCKERFILE, re.MULTILINE)
    assert users and users[-1] != "0"
    assert DOCKERFILE.index("\nUSER ") < DOCKERFILE.index("\nCMD ")
    assert f"http://127.0.0.1:{PUBLIC['server']['port']}/_stcore/health" in DOCKERFILE
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [str(PUBLIC["server"]["port"])]


def test_readme_header_configures_hugging_face() -> None:
    """Described at https://huggingface.co/docs/hub/spaces-config-reference."""
    front = yaml.safe_load((ROOT / "README.md").read_text().split("---\n")[1])
    assert front == {"title": "CamViz", "sdk": "docker", "app_port": PUBLIC["server"]["port"]}


def test_upload_limits_and_timeouts_of_nginx_fit_streamlit() -> None:
    (limit,) = re.findall(r"client_max_body_size (\d+)m;", NGINX[NGINX.index("upload_file") :])
    assert PUBLIC["server"]["maxUploadSize"] < int(limit) <= PUBLIC["server"]["maxUploadSize"] + 1
    (patience,) = re.findall(r"proxy_read_timeout (\d+)s;", NGINX)
    assert int(patience) > 2 * PUBLIC["server"]["websocketPingInterval"]


@pytest.mark.parametrize("section", [*PUBLIC, "client"])
def test_every_setting_exists_in_streamlit(section: str) -> None:
    from streamlit import config

    config.get_config_options()
    for name, value in [*PUBLIC[section].items(), *CLASSROOM.get(section, {}).items()]:
        if not isinstance(value, dict):
            config.get_option(f"{section}.{name}")  # raises for an unknown one


def test_both_configurations_hide_error_details_and_statistics() -> None:
    for config in (PUBLIC, CLASSROOM):
        assert config["client"]["showErrorDetails"] == "none" and config["browser"]["gatherUsageStats"] is False
        assert config["theme"] == PUBLIC["theme"]
        assert config["server"]["fileWatcherType"] == "none" and config["server"]["maxCacheDataSize"] == "256mb"
    assert tomllib.loads((DEPLOY / "camviz.toml").read_text())["uploads"] is False


def test_compose_file_matches_nginx_and_isolates_replicas() -> None:
    services: dict[str, Any] = COMPOSE["services"]
    replicas = {name: service for name, service in services.items() if name != "proxy"}
    proxy = services["proxy"]
    filled = {name for name in proxy["environment"] if name.startswith("CAMVIZ_")}
    assert filled == set(re.findall(r"\$\{(CAMVIZ_\w+)\}", NGINX))
    assert {proxy["environment"][f"CAMVIZ_{name.upper()}"] for name in replicas} == {
        f"{name}:{PUBLIC['server']['port']}" for name in replicas
    }
    assert len(replicas) == 2 and set(proxy["depends_on"]) == set(replicas)
    for service in replicas.values():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and "ports" not in service
        assert service["networks"] == ["inside"] and service["restart"] == "unless-stopped"
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    for service in services.values():
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            assert (DEPLOY / source).is_file() if source.startswith(".") else source in COMPOSE["volumes"]
            assert volume.endswith(":ro")
