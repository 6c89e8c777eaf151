"""This machine: what it has, what is installed on it, and where the data comes from.

Begin with `report`, which looks at all of it; `machine.prepare` runs at `import utils`.
"""
