"""The benchmark: what the course claims about speed, measured side by side.

`parts` holds the parts of the benchmark, `measure/` the programs that they run, each in a process
of its own. `report` makes the table, the goals and the figure from results.json, and
`python -m bench` (`make bench`) runs it all.
"""
