"""The dashboard for the browser tests: SIGUSR1 clears its results and uploads, as if it had just started.

The images that Inspect synthesizes for a channel take two steps instead of 64.
"""

import signal
import sys

from streamlit.web.cli import main

from camviz.ui.inspect import feature_maps


def clear(*_: object) -> None:
    """Clear what earlier tests have left in the server; the models stay loaded."""
    if singletons := sys.modules.get("camviz.ui.server.singletons"):
        singletons.clear_singletons()


if __name__ == "__main__":
    feature_maps.STEPS = 2
    signal.signal(signal.SIGUSR1, clear)
    main(["run", "app.py", *sys.argv[1:]])
