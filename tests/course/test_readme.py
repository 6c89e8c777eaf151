"""The README: its pictures come out of the notebooks, and it names what is there."""

import re
from pathlib import Path

from environments.stand_ins import ENVIRONMENTS
from notebooks import notebook_paths
from pictures import IMAGES, pictures

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_its_pictures_are_those_in_the_committed_notebooks():
    """`make refresh` copies them."""
    found = dict(pictures())
    assert found.keys() == {"network", "curves", "depth"}
    for name, png in found.items():
        assert (IMAGES / f"{name}.png").read_bytes() == png
        assert f"notebooks/images/{name}.png" in README


def test_its_map_names_every_notebook_and_no_other():
    there = {path.name for path in notebook_paths()}
    assert set(re.findall(r"\(notebooks/(\d\w+\.ipynb)\)", README)) == there


def test_its_links_lead_to_files():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_its_table_shows_every_environment_with_every_notebook():
    """`make environments` writes it, after it has run the notebooks there."""
    numbers = ", ".join(path.name[:2] for path in notebook_paths())
    rows = re.findall(r"^\| (.*) \| (3\.\d+) \| [\d.]+ \| (.*) \|$", README, re.MULTILINE)
    assert rows == [(e.like, e.python, f"{numbers} run") for e in ENVIRONMENTS]


def test_its_commands_exist():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in set(re.findall(r"`make ([\w-]+)", README)):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command
