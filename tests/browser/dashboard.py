"""The dashboard for the browser tests: on SIGUSR1 it forgets its results and uploads, as if it had just started."""

import signal
import sys

from streamlit.web.cli import main


def forget(*_: object) -> None:
    """Make the server forget what earlier tests have left in it; the models stay loaded."""
    if singletons := sys.modules.get("camviz.ui.server.singletons"):
        singletons.clear_singletons()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, forget)
    main(["run", "app.py", *sys.argv[1:]])
