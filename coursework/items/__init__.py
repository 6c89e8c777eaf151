"""The items that the grader asks of each assignment. Students never see this folder."""

from __future__ import annotations

from typing import Any

from grader.marking import Item


def outputs(
    grade_id: str,
    name: str,
    title: str,
    points: float,
    *,
    shape: dict[str, Any],
    mode: str,
    seed: int,
) -> Item:
    """Ask for the outputs of the network that `name` makes, given its arguments and input shape."""
    request = {"procedure": "outputs", "name": name, "mode": mode, "seed": seed, **shape}
    return Item(grade_id, title, points, request)
