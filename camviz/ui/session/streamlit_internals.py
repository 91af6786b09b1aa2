"""Every use of a private part of Streamlit, written for one version of it."""

import base64
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import streamlit as st
from streamlit import config, net_util
from streamlit.runtime import Runtime, RuntimeState
from streamlit.runtime.caching.global_cache_budget import reconfigure_global_cache_budget_from_config
from streamlit.runtime.pages_manager import PagesManager
from streamlit.runtime.scriptrunner import RerunException, get_script_run_ctx
from streamlit.web import bootstrap

VERSION = "1.67.0"  # of Streamlit; look at every function here before another one is allowed

Rerun = RerunException  # which ends a run that another one replaces

_main: ModuleType | None = None


def is_page_run() -> bool:
    """Return whether the calling thread draws a page, rather than being a script, a test or a worker."""
    return get_script_run_ctx(suppress_warning=True) is not None


def has_server() -> bool:
    """Return whether this process runs a Streamlit server."""
    return Runtime.exists() and Runtime.instance().state not in (RuntimeState.STOPPING, RuntimeState.STOPPED)


def load_settings(script: Path, settings: Mapping[str, Any]) -> None:
    """Read .streamlit/config.toml beside the script, whatever the working directory, and add these settings to it.

    As `streamlit run` does; variables such as STREAMLIT_SERVER_MAX_UPLOAD_SIZE come before the file.
    """
    config._main_script_path = str(script)
    bootstrap.load_config_options(dict(settings))
    reconfigure_global_cache_budget_from_config()


def expect_navigation() -> None:
    """Let the server know before its first visitor that `st.navigation` names the pages, not the folder `pages`.

    Otherwise the first visitor who opens the address of a former page sees an error.
    """
    PagesManager.uses_pages_directory = False


def network_address() -> str | None:
    """Return the address of this machine in its network; None without a network."""
    return net_util.get_internal_ip()


def forget_server() -> None:
    """Allow another server in this process: Streamlit keeps the one that has stopped, for the runs that still end."""
    Runtime._instance = None


def keep_main_module() -> None:
    """Remember the `__main__` of this process, which serves the dashboard itself.

    Streamlit replaces `__main__` in each run, and pickle would not find the classes that the program defines.
    """
    global _main
    _main = sys.modules["__main__"]


def restore_main_module() -> None:
    """Put the remembered `__main__` back, if there is one; for the start of a run."""
    if _main is not None:
        sys.modules["__main__"] = _main


def is_guest() -> bool:
    """Return whether the dashboard runs in the process of a script or a notebook."""
    return _main is not None


def widget_has_changed() -> bool:
    """Return whether a widget or a component began this run; call it before any widget is drawn."""
    context = get_script_run_ctx()
    if context is None:
        return False
    held = context.session_state._state
    return any(held._widget_changed(widget) for widget in held._new_widget_state)


def is_history_navigation() -> bool:
    """Return whether the browser's Back or Forward began this run; its URL is then that of the entry in the history."""
    context = get_script_run_ctx()
    return context is not None and context.is_history_navigation


def media_address(data: bytes, mimetype: str, place: str) -> str:
    """Return the address at which the browser fetches a file once; a data URI where no server runs.

    `place` names the element that shows the file; its earlier file is forgotten.
    """
    if not has_server():
        return f"data:{mimetype};base64,{base64.b64encode(data).decode()}"
    address = Runtime.instance().media_file_mgr.add(data, mimetype, place)
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}{address}" if base else address
