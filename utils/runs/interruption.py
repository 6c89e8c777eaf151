"""Keeping the stop button away from work that must not be left half done."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Let an interruption (Ctrl-C, the stop button) that comes meanwhile wait for the end.

    KeyboardInterrupt is then raised there. Python hands signals to its main thread alone, so other
    threads need nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = []
    before = signal.signal(signal.SIGINT, lambda *_: asked.append(True))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if asked:
        raise KeyboardInterrupt
