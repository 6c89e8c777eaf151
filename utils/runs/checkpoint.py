"""A training run in one file, and beside it the one before: parameters, optimizer, history.

The file is an uncompressed ZIP archive, which has a checksum for each part: the parameters as
numpy's arrays, the optimizer as MXNet's pickle, and a JSON text. Because of the pickle, load only
files that you wrote yourself.
"""

from __future__ import annotations

import contextlib
import io
import json
import math
import os
import tempfile
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy
from mxnet import gluon

from utils import _gluon
from utils.setup import storage

FORMAT = 2  # a file of another format is refused
OPTIMIZER, RUN = "optimizer.pickle", "run.json"
# What reading a damaged archive raises: where the bytes changed decides which.
DAMAGE = (
    *(zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, EOFError),
    *(RuntimeError, OSError),
)


class CheckpointError(ValueError):
    """The file does not hold the run that was asked for; the network was left as it was."""


class DamagedError(CheckpointError):
    """The file is not a whole checkpoint."""


class Checkpoint(NamedTuple):
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
    """Return whether there is a checkpoint to go on from, be it the one before the newest."""
    return Path(path).is_file() or previous(path).is_file()


def save(
    path: str | os.PathLike, net: gluon.Block, trainer: gluon.Trainer, run: dict, history: dict
) -> None:
    """Write the run to `path`; the checkpoint that was there becomes the previous one.

    `run` says which run it is (its recipe and seed), `history` what it has measured so far. The
    bytes are on the disk before any name moves, so whenever the process or the machine stops, one
    of the two files is whole.
    Raises OSError (full disk, no permission); the older files are then still there.
    """
    path, values = Path(path), _gluon.read(net)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage.clear(path.parent)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=storage.PART) as folder:
        whole, states = Path(folder, path.name), Path(folder, OPTIMIZER)
        trainer.save_states(str(states))
        with whole.open("wb") as file:
            _write(file, values, states, {"format": FORMAT, "run": run, "history": history})
            file.flush()
            os.fsync(file.fileno())
        if _is_whole(path):  # a damaged one must not take the place of a good one
            os.replace(path, previous(path))
        os.replace(whole, path)
    _sync_names(path.parent)


def load(path: str | os.PathLike, net: gluon.Block, trainer: gluon.Trainer, run: dict) -> dict:
    """Put parameters and optimizer state back and return the history that `save` was given.

    Where the newest file is damaged or missing the previous one is used, with a sentence.
    Raises FileNotFoundError, CheckpointError for damaged files, another network or another run, and
    OSError where the system's temporary folder is full; the network is then as it was.
    """
    stored = _newest(path, net)
    run = json.loads(json.dumps(run))  # as it was stored: tuples are lists
    if stored.run != run:
        raise CheckpointError(
            f"{path} belongs to another run, with {_differences(stored.run, run)}. Use the "
            "settings of the first call, or give the new run a file of its own."
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


def _write(file: BinaryIO, values: list[numpy.ndarray], states: Path, description: dict) -> None:
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(RUN, json.dumps({**description, "parameters": len(values)}))
        for number, value in enumerate(values):
            with archive.open(_entry(number), "w") as entry:
                numpy.lib.format.write_array(entry, value)
        archive.write(states, OPTIMIZER)


def _entry(number: int) -> str:
    """Numbered, since Gluon's names, such as conv9, depend on what else a process has built."""
    return f"parameters/{number}.npy"


def _newest(path: str | os.PathLike, net: gluon.Block) -> Checkpoint:
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


def _read(path: Path, net: gluon.Block) -> Checkpoint:
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no checkpoint at {path}. Give the path that the first call used, or start a "
            "new run."
        )
    shapes = _shapes(net)
    try:
        with zipfile.ZipFile(path) as archive:
            description = json.loads(archive.read(RUN))
            if description.get("format") != FORMAT:
                raise CheckpointError(
                    f"{path} was written by another version of this course (its format is "
                    f"{description.get('format')}, not {FORMAT}). Start a new run with another "
                    "file, or use the version that wrote it."
                )
            count = description["parameters"]
            values = [_array(archive, _entry(number)) for number in range(count)]
            stored = Checkpoint(
                description["run"], description["history"], values, archive.read(OPTIMIZER)
            )
    except CheckpointError:
        raise
    except DAMAGE as error:
        raise DamagedError(
            f"{path} is not a whole checkpoint ({error}): {path.stat().st_size:,} bytes, where "
            f"{_describe(shapes)} were expected. It was cut short, or it is a file of another "
            "kind. Delete it and start a new run."
        ) from error
    if any(side < 1 for shape in shapes for side in shape):
        raise CheckpointError(
            f"{path} cannot be compared with the network, which has not seen an image yet, so "
            "that the shapes of its parameters are open. Call train.initialize on it first."
        )
    found = [array.shape for array in stored.parameters]
    if found != shapes:
        raise CheckpointError(
            f"{path} belongs to another network: it holds {_describe(found)}, but this network has "
            f"{_describe(shapes)}. Build the network of the first call, or start a new run."
        )
    return stored


def _array(archive: zipfile.ZipFile, name: str) -> numpy.ndarray:
    # Read to its end, where the checksum is compared, before anything believes what it says.
    return numpy.lib.format.read_array(io.BytesIO(archive.read(name)))


def _is_whole(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.testzip() is None
    except DAMAGE:
        return False


def _sync_names(folder: Path) -> None:
    """Bring the moved names to the disk. Network drives cannot always, and need not."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _differences(stored: dict, given: dict) -> str:
    """Say in which settings two runs differ: "seed 0 (this call says 1)"."""
    before, now = ({**run.get("recipe", {}), **run} for run in (stored, given))
    return ", ".join(
        f"{name} {before.get(name)!r} (this call says {now.get(name)!r})"
        for name in [*now, *(before.keys() - now.keys())]
        if name != "recipe" and before.get(name) != now.get(name)
    )


def _shapes(net: gluon.Block) -> list[tuple[int, ...]]:
    return [parameter.shape for parameter in net.collect_params().values()]


def _describe(shapes: Iterable[tuple[int, ...]]) -> str:
    shapes = list(shapes)
    return f"{len(shapes)} arrays with {sum(map(math.prod, shapes)):,} numbers"
