"""A mirror of the data on this machine, for packed notebooks that fetch it."""

from __future__ import annotations

import contextlib
import gzip
from collections.abc import Iterator
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


@contextlib.contextmanager
def serving(contents: fetch.Contents) -> Iterator[Mirror]:
    """Serve these files, packed, on 127.0.0.1."""
    files = {f"/{name}.gz": gzip.compress(file, compresslevel=1) for name, file in contents.items()}

    class Handler(BaseHTTPRequestHandler):
        timeout = TIMEOUT

        def do_GET(self) -> None:
            mirror.asked.append(self.path.lstrip("/"))
            if self.path not in files:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(files[self.path])))
            self.end_headers()
            self.wfile.write(files[self.path])

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
