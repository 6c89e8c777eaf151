"""What the grader asks of each assignment. Nothing of this reaches a student."""

from __future__ import annotations

from typing import Any

from grader.marking import Question


def outputs(
    grade_id: str,
    name: str,
    title: str,
    points: float,
    kind: dict[str, Any],
    mode: str,
    seed: int,
) -> Question:
    """Ask for the outputs of a network: what `name` makes from the arguments of that kind."""
    ask = {"procedure": "outputs", "name": name, "mode": mode, "seed": seed, **kind}
    return Question(grade_id, title, points, ask)
