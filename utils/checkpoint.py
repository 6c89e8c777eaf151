"""A training run in one file: parameters, optimizer state and history, whole or not there at all.

The file is an uncompressed ZIP archive of MXNet's own two formats and a JSON text. The optimizer's
part is a pickle: load only files that you wrote yourself.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mxnet import gluon, npx

PARAMETERS, OPTIMIZER, RUN = "parameters.mxnet", "optimizer.pickle", "run.json"


class CheckpointError(ValueError):
    """The file does not hold the run that was asked for; the network was left as it was."""


def save(
    path: str | os.PathLike, net: gluon.Block, trainer: gluon.Trainer, run: dict, history: dict
) -> None:
    """Write the run to `path`, replacing an older file only when the new one is complete.

    `run` says which run it is (its recipe and seed), `history` what it has measured so far.
    Raises OSError (full disk, no permission); the older file is then still there.
    """
    npx.waitall()  # a compiled network may otherwise hand out the values before the last step
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=path.name) as folder:
        parts = Path(folder)
        net.save_parameters(str(parts / PARAMETERS))
        trainer.save_states(str(parts / OPTIMIZER))
        description = {"run": run, "history": history, "shapes": _shapes(net)}
        (parts / RUN).write_text(json.dumps(description))
        with zipfile.ZipFile(parts / "whole", "w") as archive:
            for name in (PARAMETERS, OPTIMIZER, RUN):
                archive.write(parts / name, name)
        os.replace(parts / "whole", path)


def load(path: str | os.PathLike, net: gluon.Block, trainer: gluon.Trainer, run: dict) -> dict:
    """Put parameters and optimizer state back and return the history that `save` was given.

    Raises FileNotFoundError, or CheckpointError for a damaged file, another network or another run;
    the network is then as it was.
    """
    with _unpacked(path, net) as (parts, stored):
        if stored["run"] != run:
            raise CheckpointError(
                f"{path} belongs to another run: it was made with {stored['run']}, but this call "
                f"says {run}. Use the settings of the first call, or start a new run."
            )
        net.load_parameters(str(parts / PARAMETERS), ctx=_devices(net))
        trainer.load_states(str(parts / OPTIMIZER))
    return stored["history"]


def load_parameters(path: str | os.PathLike, net: gluon.Block) -> dict:
    """Put the parameters back, to use the network and not to train on; return which run it was.

    Raises FileNotFoundError, or CheckpointError for a damaged file or another network; the network
    is then as it was.
    """
    with _unpacked(path, net) as (parts, stored):
        net.load_parameters(str(parts / PARAMETERS), ctx=_devices(net))
    return stored["run"]


@contextmanager
def _unpacked(path: str | os.PathLike, net: gluon.Block) -> Iterator[tuple[Path, dict]]:
    """Give the folder with the three parts, and the description, of a run of this network."""
    if not Path(path).is_file():
        raise FileNotFoundError(
            f"There is no checkpoint at {path}. Give the path that the first call used, or start a "
            "new run."
        )
    with tempfile.TemporaryDirectory() as folder:
        parts = Path(folder)
        try:
            with zipfile.ZipFile(path) as archive:
                for name in (PARAMETERS, OPTIMIZER, RUN):
                    archive.extract(name, parts)
            stored = json.loads((parts / RUN).read_text())
            shapes = stored["shapes"]
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise CheckpointError(
                f"{path} is not a complete checkpoint ({error}): {Path(path).stat().st_size:,} "
                f"bytes, where {_describe(_shapes(net))} were expected. It was cut short, or it is "
                "a file of another kind. Delete it and start a new run."
            ) from error
        if any(side < 1 for shape in _shapes(net) for side in shape):
            raise CheckpointError(
                f"{path} cannot be compared with the network, which has not seen an image yet, so "
                "that the shapes of its parameters are open. Call train.initialize on it first."
            )
        if shapes != _shapes(net):
            raise CheckpointError(
                f"{path} belongs to another network: it holds {_describe(shapes)}, but "
                f"this network has {_describe(_shapes(net))}. Build the network of the first call, "
                "or start a new run."
            )
        yield parts, stored


def _shapes(net: gluon.Block) -> list[list[int]]:
    return [list(parameter.shape) for parameter in net.collect_params().values()]


def _devices(net: gluon.Block) -> list:
    return next(iter(net.collect_params().values())).list_ctx()


def _describe(shapes: list[list[int]]) -> str:
    return f"{len(shapes)} arrays with {sum(map(math.prod, shapes)):,} numbers"
