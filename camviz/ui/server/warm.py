"""The first visit to a server that was just started, so that no visitor waits for PyTorch and the default network.

Beside `streamlit run app.py`: `python -I camviz/ui/server/warm.py [URL]`. It imports nothing of CamViz.
"""

import sys
import time
import urllib.error
import urllib.request

LONGEST_START = 60  # seconds until the server answers
LONGEST_RUN = 90  # seconds until the page is drawn


def warm(server: str) -> str:
    """Have the server run its first page once, and return "ok", or what was wrong."""
    due = time.monotonic() + LONGEST_START
    while True:
        try:
            with urllib.request.urlopen(f"{server}/_stcore/script-health-check", timeout=LONGEST_RUN) as answer:
                return str(answer.read().decode())
        except urllib.error.HTTPError as refused:
            return f"{refused.code} {refused.read().decode()[:200]}"
        except OSError as error:
            if time.monotonic() > due:
                return str(error)
            time.sleep(0.2)


if __name__ == "__main__":
    answer = warm(sys.argv[1] if len(sys.argv) > 1 else "http://localhost:8501")
    if answer != "ok":
        sys.exit(f"The first page could not be prepared: {answer}")
