"""Show the pages of `make site` on this machine; it ends with the make that started it.

python tools/serve_site.py [PORT]
"""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import make_site
from utils.runs import keeper
from utils.setup import remedies

PORT = "8000"


class Handler(SimpleHTTPRequestHandler):
    """Serves files, and prints nothing about it."""

    timeout = 60  # seconds that a silent connection stays open

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def server(port: int, pages: Path = make_site.OUTPUT) -> ThreadingHTTPServer:
    """Return a server of the pages, for this machine alone; port 0 stands for any that is free."""
    return ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(pages)))


def main() -> None:
    port = sys.argv[1] if len(sys.argv) > 1 else PORT
    try:
        serving = server(int(port))
    except (ValueError, OverflowError, OSError) as error:
        sys.exit(
            "The pages cannot be served at port {port}: {reason}. Name another port, from 1024 to "
            "65535: `make site-serve PORT=8001`.".format(
                port=port, reason=getattr(error, "strerror", None) or error
            )
        )
    address = f"http://127.0.0.1:{serving.server_port}/"
    print(f"The pages are at {address} until you press Ctrl-C.", flush=True)
    keeper.end_with_starter()
    with contextlib.suppress(KeyboardInterrupt):
        serving.serve_forever()


if __name__ == "__main__":
    with remedies.explained():
        main()
