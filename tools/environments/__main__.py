"""Run the packed notebooks in each environment, and write the table of results.

    python -m environments [NAME ...]

Executed notebooks go to build/environments/. The table in docs/where_it_runs.md is written only
when all environments were tried.
"""

from __future__ import annotations

import sys

from command_line import chosen
from environments import mirror, stand_ins, trial
from environments.stand_ins import ENVIRONMENTS, Environment
from generated import write_block
from notebooks import ROOT, notebook_paths
from utils.runs import keeper
from utils.setup import fetch, remedies

PAGE = ROOT / "docs" / "where_it_runs.md"
OUTPUT = ROOT / "build" / "environments"
HEAD = ["| packages like | Python | numpy | result |", "|:--|:--|:--|:--|"]


def row(environment: Environment, outcome: trial.Outcome) -> str:
    """Return one line of the table."""
    numpy = {**outcome.before, **outcome.after}.get("numpy", "")
    numbers = ", ".join(name[:2] for name in outcome.names)
    result = f"stopped: {outcome.error}" if outcome.error else f"{numbers} run"
    return f"| {environment.like} | {environment.python} | {numpy} | {result} |"


def main() -> int:
    every = [environment.name for environment in ENVIRONMENTS]
    names = chosen("Run the packed notebooks in other environments.", "environment", every)
    source, contents = fetch.find()
    if source.folder == fetch.SAMPLE_FOLDER:
        sys.exit("The notebooks fetch all of Fashion-MNIST, which was not found. Fetch it first.")
    rows, failed = [], False
    with mirror.serving(contents) as data:
        for environment in ENVIRONMENTS:
            if environment.name not in names:
                continue
            python = stand_ins.find_python(environment.python)
            if not python:
                sys.exit(f"There is no Python {environment.python} on this machine: install one.")
            built, output = stand_ins.build(environment, python), OUTPUT / environment.name
            outcome = trial.run(built, notebook_paths(), output, data.address)
            failed = failed or bool(outcome.error)
            rows.append(row(environment, outcome))
            print(rows[-1], flush=True)
    if names == every:
        write_block(PAGE, "environments", "\n".join([*HEAD, *rows]))
    return int(failed)


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        sys.exit(main())
