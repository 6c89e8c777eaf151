"""How a training run begins and is kept: from its checkpoint, and alike for all workers."""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from mxnet import gluon
from tqdm import tqdm

from utils.runs import checkpoint
from utils.runs.history import History
from utils.runs.team import Team


@dataclass(frozen=True)
class RunFile:
    """The checkpoint of a run, which worker 0 reads and writes; `path` None for no checkpoint."""

    path: str | os.PathLike | None
    net: gluon.Block
    trainer: gluon.Trainer
    run: dict
    team: Team

    def start(self, resume: bool) -> History | None:
        """Return the history to go on from, None for none, and let all workers start alike."""
        history = self._resume() if resume and self.team.rank == 0 else None
        if self.team.size == 1:
            return history
        # What worker 0 starts with, sent as a checkpoint: the machines need not share a disk.
        with tempfile.TemporaryDirectory() as folder:
            file, content = Path(folder, "start.zip"), b""
            if self.team.rank == 0:
                history = history or History(0)
                checkpoint.save(file, self.net, self.trainer, self.run, asdict(history))
                content = file.read_bytes()
            file.write_bytes(self.team.from_first(content))
            history = History(**checkpoint.load(file, self.net, self.trainer, self.run))
        return history if history.step_losses else None

    def save(self, history: History) -> None:
        """Save, or say why not and go on: a full disk must not end a run that took an hour."""
        if self.path is None or self.team.rank > 0:
            return
        try:
            checkpoint.save(self.path, self.net, self.trainer, self.run, asdict(history))
        except OSError as error:
            tqdm.write(
                f"The checkpoint {self.path} could not be written ({error}). Training goes on, and "
                "the earlier checkpoint, if there is one, is kept. Free some space to save the "
                "next.",
                file=sys.stdout,
            )

    def _resume(self) -> History | None:
        if self.path is None:
            raise ValueError("resume=True needs the file to go on from. Pass checkpoint=its path.")
        if not checkpoint.exists(self.path):
            print(f"There is no checkpoint {self.path} yet: the run starts at its beginning.")
            return None
        history = History(**checkpoint.load(self.path, self.net, self.trainer, self.run))
        print(f"{self.path}: the run goes on after step {len(history.step_losses)}.")
        return history
