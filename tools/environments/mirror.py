"""A mirror on this machine: of the data, for packed notebooks that fetch it, or of any files."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from utils.setup import fetch

TIMEOUT = 60  # seconds that a connection may be silent


@dataclass(frozen=True)
class Mirror:
    """Its address, and the files that it was asked for."""

    address: str
    asked: list[str] = field(default_factory=list)


def serving(contents: fetch.Contents) -> contextlib.AbstractContextManager[Mirror]:
    """Serve these files of the data, packed, on 127.0.0.1."""
    return offering(
        {f"{name}.gz": gzip.compress(file, compresslevel=1) for name, file in contents.items()}
    )


@contextlib.contextmanager
def offering(files: Mapping[str, bytes]) -> Iterator[Mirror]:
    """Serve files by their paths on 127.0.0.1; a path that ends with a slash is a page."""

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT

        def do_GET(self) -> None:
            path = self.path.lstrip("/")
            mirror.asked.append(path)
            if path not in files:
                self.send_error(404)
                return
            self.send_response(200)
            kind = "text/html" if path.endswith("/") else "application/octet-stream"
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(files[path])))
            self.end_headers()
            self.wfile.write(files[path])

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        mirror = Mirror(f"http://127.0.0.1:{server.server_port}/")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield mirror
        finally:
            server.shutdown()
            thread.join()
