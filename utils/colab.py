"""Google Colab: a folder that outlives the runtime."""

from __future__ import annotations

from pathlib import Path

MOUNTED = Path("/content/drive")  # where Colab's own pages mount it


def drive_folder() -> Path:
    """Return the folder "residual-networks" of your Google Drive, after asking you to allow it.

    Colab takes a runtime away after some hours, with its disk; what lies on Drive stays.
    Raises RuntimeError outside of Colab.
    """
    try:
        from google.colab import drive
    except ImportError:
        raise RuntimeError(
            "Only Google Colab can reach your Drive, and this is not Colab. Here the folder beside "
            "the notebook lasts: leave out the line that asks for Drive."
        ) from None
    drive.mount(str(MOUNTED))
    folder = MOUNTED / "MyDrive" / "residual-networks"
    folder.mkdir(exist_ok=True)
    return folder
