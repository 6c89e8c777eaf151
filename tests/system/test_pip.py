"""Installing: what is said and done when a step fails."""

import sys

import pytest

from utils.setup import packages


@pytest.mark.parametrize(
    ("printed", "advice"),
    [
        (
            "OSError: libgomp.so.1: cannot open shared object file: No such file or directory",
            "apt-get install libgomp1",
        ),
        ("error: failed to copy file: No space left on device (os error 28)", "The disk is full"),
        ("OSError: [Errno 13] Permission denied: '.cache'", "belongs to you"),
        ("cause: invalid peer certificate: UnknownIssuer", "ca-certificates"),
        ("ERROR: No matching distribution found for uv==0.13.9", "Check the connection"),
    ],
)
def test_failed_step_is_shown_with_what_to_do(printed, advice):
    """The messages are those of the loader, the system, uv and pip, word for word."""
    with pytest.raises(packages.InstallError, match=advice) as failure:
        packages.run_or_explain(
            [sys.executable, "-c", f"raise SystemExit({printed!r})"], "It failed."
        )
    assert printed in str(failure.value)


def test_jupyter_shows_the_sentence_without_the_lines_of_this_package():
    assert packages.InstallError("Do this.")._render_traceback_() == ["Do this."]
