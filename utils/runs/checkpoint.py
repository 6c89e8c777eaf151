"""A training run in one file, and beside it the one before: parameters, optimizer, history.

The file is an uncompressed ZIP archive, which has a checksum for each part: the parameters as
numpy's arrays, the optimizer as MXNet's pickle, and a JSON text. Because of the pickle, load only
files that you wrote yourself.
"""

from __future__ import annotations

import io
import json
import lzma
import math
import os
import struct
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy
from mxnet import gluon
from tqdm import tqdm

from utils import _gluon
from utils.runs.callbacks import Callback, Run
from utils.setup import storage

FORMAT = 2  # that of the course's first edition, too; a file of another format is refused
OPTIMIZER, RUN = "optimizer.pickle", "run.json"
# What zipfile raises where the bytes of an archive are wrong; which of them depends on the place.
BROKEN_ARCHIVE = (
    zipfile.BadZipFile,
    zlib.error,  # a changed byte can ask for another compression,
    lzma.LZMAError,
    RuntimeError,  # or for a password
    EOFError,
    OSError,
    ValueError,
    struct.error,
)


class CheckpointError(ValueError):
    """The file does not hold the run that was asked for; the network was left as it was."""


class DamagedError(CheckpointError):
    """The file is not a whole checkpoint."""


class Checkpoint(Callback):
    """Keep a run in a file: every `every` seconds, after each epoch, and when it is interrupted.

    With `resume=True` the run goes on from the file to the same curve, or from the beginning where
    there is no file yet. A file that cannot be written does not end the run.
    Raises CheckpointError where the file belongs to another network or run.
    """

    def __init__(self, path: str | os.PathLike, *, resume: bool = False, every: float = 60) -> None:
        self.path, self.resume, self.every = Path(path), resume, every
        self.saved = time.monotonic()

    def set_up(self, run: Run) -> None:
        if self.resume and run.is_first:
            self._resume(run)
        self.saved = time.monotonic()

    def after_step(self, run: Run) -> None:
        if time.monotonic() - self.saved >= self.every:
            self._save(run)

    def after_epoch(self, run: Run) -> None:
        self._save(run)

    def at_stop(self, run: Run) -> None:
        self._save(run)

    def _resume(self, run: Run) -> None:
        if not exists(self.path):
            print(f"There is no checkpoint {self.path} yet: the run starts at its beginning.")
            return
        run.history.restore(load(self.path, run.net, run.trainer, run.settings))
        print(f"{self.path}: the run goes on after step {len(run.history.step_losses)}.")

    def _save(self, run: Run) -> None:
        """Save, or say why not and go on: a full disk must not end a run that took an hour."""
        if not run.is_first or not run.history.is_finite:  # a diverged network is not kept
            return
        try:
            save(self.path, run.net, run.trainer, run.settings, asdict(run.history))
        except OSError as error:
            tqdm.write(
                "The checkpoint {path} could not be written ({error}). Training goes on, and the "
                "earlier checkpoint, if there is one, is kept. Free some space to save the "
                "next.".format(path=self.path, error=error),
                file=sys.stdout,
            )
        self.saved = time.monotonic()


class _Stored(NamedTuple):
    """What a file holds."""

    run: dict
    history: dict
    parameters: list[numpy.ndarray]
    optimizer: bytes


def previous(path: str | os.PathLike) -> Path:
    """Return where the checkpoint before the newest is kept: `full.zip` has `full.previous.zip`."""
    path = Path(path)
    return path.with_name(f"{path.stem}.previous{path.suffix}")


def exists(path: str | os.PathLike) -> bool:
    """Return whether there is a checkpoint to go on from, if only the one before the newest."""
    return Path(path).is_file() or previous(path).is_file()


def save(
    path: str | os.PathLike, net: gluon.Block, trainer: gluon.Trainer, settings: dict, history: dict
) -> None:
    """Write the run to `path`; the checkpoint that was there becomes the previous one.

    `settings` say which run it is (recipe and seed), `history` what it has measured so far.
    Whenever the process or the machine stops, one of the two files is whole.
    Raises OSError (full disk, no permission); the older files are then still there.
    """
    path, values = Path(path), _gluon.read(net)
    with storage.appearing_whole(path.parent) as folder:
        states = folder / OPTIMIZER
        trainer.save_states(str(states))
        _write(
            folder / path.name,
            values,
            states,
            {"format": FORMAT, "run": settings, "history": history},
        )
        states.unlink()
        with (folder / path.name).open("rb") as written:  # on the disk before any name moves
            os.fsync(written.fileno())
        if _is_whole(path):  # a damaged one must not take the place of a good one
            os.replace(path, previous(path))


def load(path: str | os.PathLike, net: gluon.Block, trainer: gluon.Trainer, settings: dict) -> dict:
    """Put parameters and optimizer state back and return the history that `save` was given.

    Where the newest file is damaged or missing the previous one is used, with a sentence.
    Raises FileNotFoundError, CheckpointError for damaged files, another network or another run, and
    OSError where a file cannot be read or the system's temporary folder is full; the network is
    then as it was.
    """
    stored = _newest(path, net)
    settings = json.loads(json.dumps(settings))  # as they were stored: tuples are lists
    if stored.run != settings:
        raise CheckpointError(
            "{path} belongs to another run, with {differences}. Use the settings of the first "
            "call, or give the new run a file of its own.".format(
                path=path, differences=_differences(stored.run, settings)
            )
        )
    with tempfile.TemporaryDirectory() as folder:  # the trainer takes nothing but a file
        states = Path(folder, OPTIMIZER)
        states.write_bytes(stored.optimizer)
        trainer.load_states(str(states))
    _gluon.put(net, stored.parameters)
    return stored.history


def load_parameters(path: str | os.PathLike, net: gluon.Block) -> dict:
    """Put the parameters back, to use the network and not to train on; return which run it was.

    Falls back and raises as `load` does.
    """
    stored = _newest(path, net)
    _gluon.put(net, stored.parameters)
    return stored.run


def _write(path: Path, values: list[numpy.ndarray], states: Path, description: dict) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(RUN, json.dumps({**description, "parameters": len(values)}))
        for number, value in enumerate(values):
            with archive.open(_entry(number), "w") as entry:
                numpy.lib.format.write_array(entry, value)
        archive.write(states, OPTIMIZER)


def _entry(number: int) -> str:
    """Numbered, since Gluon's names, such as conv9, depend on what else a process has built."""
    return f"parameters/{number}.npy"


def _newest(path: str | os.PathLike, net: gluon.Block) -> _Stored:
    """Return the newest whole checkpoint of this network."""
    try:
        return _read(Path(path), net)
    except (FileNotFoundError, DamagedError) as error:
        try:
            older = _read(previous(path), net)
        except (FileNotFoundError, CheckpointError):
            raise error from None
        print(f"{error}\nThe checkpoint before it is whole and used instead: {previous(path)}.")
        return older


def _read(path: Path, net: gluon.Block) -> _Stored:
    if not path.is_file():
        raise FileNotFoundError(
            "There is no checkpoint at {path}. Give the path that the first call used, or start a "
            "new run.".format(path=path)
        )
    shapes = [parameter.shape for parameter in net.collect_params().values()]
    try:
        stored = _parsed(path, _parts(path))
    except DamagedError as error:
        raise DamagedError(
            "{path} is not a whole checkpoint ({error}): {size:,} bytes, where {expected} were "
            "expected. It was cut short, or it is a file of another kind. Delete it and start a "
            "new run.".format(
                path=path, error=error, size=path.stat().st_size, expected=_describe(shapes)
            )
        ) from error
    if any(side < 1 for shape in shapes for side in shape):
        raise CheckpointError(
            "{path} cannot be compared with the network, which has not seen an image yet, so that "
            "the shapes of its parameters are open. Call train.initialize on it first.".format(
                path=path
            )
        )
    found = [array.shape for array in stored.parameters]
    if found != shapes:
        raise CheckpointError(
            "{path} belongs to another network: it holds {found}, but this network has {expected}. "
            "Build the network of the first call, or start a new run.".format(
                path=path, found=_describe(found), expected=_describe(shapes)
            )
        )
    return stored


def _parts(path: Path) -> dict[str, bytes]:
    """Return what an archive holds, each part compared with its checksum; raise DamagedError."""
    content = path.read_bytes()
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}
    except BROKEN_ARCHIVE as error:
        raise DamagedError(str(error)) from error


def _parsed(path: Path, parts: dict[str, bytes]) -> _Stored:
    """Return what the parts say; raise DamagedError where they are not those of a checkpoint."""
    if RUN not in parts:
        raise DamagedError(f"it has no {RUN}")
    try:
        description = json.loads(parts[RUN])
    except ValueError as error:
        raise DamagedError(str(error)) from error
    if not isinstance(description, dict) or "format" not in description:
        raise DamagedError(f"its {RUN} is not that of a run")
    if description["format"] != FORMAT:
        raise CheckpointError(
            "{path} was written by another version of this course (its format is {found}, not "
            "{expected}). Start a new run with another file, or use the version that wrote "
            "it.".format(path=path, found=description["format"], expected=FORMAT)
        )
    missing = {"run", "history", "parameters"} - description.keys()
    names = [] if missing else [_entry(number) for number in range(description["parameters"])]
    missing |= {OPTIMIZER, *names} - parts.keys()
    if missing:
        raise DamagedError(f"it has no {min(missing)}")
    try:
        values = [numpy.lib.format.read_array(io.BytesIO(parts[name])) for name in names]
    except ValueError as error:
        raise DamagedError(str(error)) from error
    return _Stored(description["run"], description["history"], values, parts[OPTIMIZER])


def _is_whole(path: Path) -> bool:
    try:
        _parts(path)
    except (DamagedError, OSError):
        return False
    return True


def _differences(stored: dict, given: dict) -> str:
    """Return in which settings two runs differ: "seed 0 (this call says 1)"."""
    before, now = ({**run.get("recipe", {}), **run} for run in (stored, given))
    return ", ".join(
        f"{name} {before.get(name)!r} (this call says {now.get(name)!r})"
        for name in [*now, *(before.keys() - now.keys())]
        if name != "recipe" and before.get(name) != now.get(name)
    )


def _describe(shapes: Iterable[tuple[int, ...]]) -> str:
    shapes = list(shapes)
    return f"{len(shapes)} arrays with {sum(map(math.prod, shapes)):,} numbers"
