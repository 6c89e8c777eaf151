"""Measure what the course claims about speed, and write down the results.

    python -m bench [throughput] [seeds] [longer] [cells] [tools] [growth] [load]

Without a name, all parts are measured. The results, with a description of the machine, go to
tools/bench/results.json, the figure to notebooks/images/bench.png, the table and the figure's
alternative text into docs/benchmark.md.
"""

from __future__ import annotations

import json
import sys
import time

from bench.parts import PARTS
from bench.report import FIGURE, PAGE, RESULTS, figure, table, this_machine, verdicts
from command_line import chosen
from generated import write_block
from pictures import describe
from utils.runs import keeper
from utils.setup import remedies, storage


def main() -> int:
    names = chosen("Measure what the course claims about speed.", "part", [*PARTS])
    results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    begun = time.strftime("%Y-%m-%d %H:%M:%S")
    for name in names:
        measured = PARTS[name]()
        results[name] = {
            "run": begun,
            "machine": this_machine(),
            "is": measured,
        }
        storage.write_whole(RESULTS, json.dumps(results, indent=1) + "\n")
    results = json.loads(RESULTS.read_text("utf-8"))  # with keys of text, as later readers get it
    write_block(PAGE, "benchmark", table(results))
    if "throughput" in results:
        drawing = figure(results)
        drawing.savefig(FIGURE, dpi=150)
        describe(FIGURE.stem, drawing.alt)
    print(table(results), *verdicts(results), sep="\n")
    return 0


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        sys.exit(main())
