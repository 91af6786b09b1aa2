"""The dashboard for the browser tests: on SIGUSR1 it forgets its results and uploads, as if it had just started.

The images that Inspect synthesizes for a channel take two steps instead of 64.
"""

import signal
import sys

from streamlit.web.cli import main

from camviz.ui.inspect import feature_maps


def forget(*_: object) -> None:
    """Make the server forget what earlier tests have left in it; the models stay loaded."""
    if singletons := sys.modules.get("camviz.ui.server.singletons"):
        singletons.clear_singletons()


if __name__ == "__main__":
    feature_maps.STEPS = 2
    signal.signal(signal.SIGUSR1, forget)
    main(["run", "app.py", *sys.argv[1:]])
