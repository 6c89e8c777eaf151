"""A progress bar for a training run, with the time left and the validation accuracy."""

from __future__ import annotations

import sys

from tqdm import tqdm

from utils.runs.callbacks import Callback, Run

LOG_INTERVAL = 10  # seconds between two lines of a team's log, where a bar cannot move


class ProgressBar(Callback):
    """A bar that moves at each step; a run that goes on shows the steps that are done already."""

    bar: tqdm | None = None

    def begin(self, run: Run) -> None:
        history = run.history
        self.bar = tqdm(
            total=history.steps_per_epoch * run.recipe.epochs,
            initial=len(history.step_losses),
            file=sys.stdout,
            mininterval=0.1 if run.part[1] == 1 else LOG_INTERVAL,
        )

    def after_step(self, run: Run) -> None:
        if self.bar is not None:
            self.bar.update()

    def after_epoch(self, run: Run) -> None:
        if self.bar is not None:
            accuracy = run.history.valid_accuracy[-1]
            self.bar.set_postfix_str(f"validation accuracy {accuracy:.3f}")

    def end(self, run: Run, error: BaseException | None) -> None:
        if self.bar is not None:
            self.bar.close()
