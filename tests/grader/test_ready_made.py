"""Ready-made networks and trainings are removed from the modules that a submission can import."""

import sysconfig
from pathlib import Path

import pytest

from grader import ready_made
from notebooks import ROOT

MODULE = """
import functools

@functools.cache
def fit(net):
    return "trained"

class Residual:
    def __init__(self, channels):
        self.channels = channels

def evaluate(net):
    return "evaluated"
"""


def test_what_is_removed_raises_and_the_rest_works():
    names = {}
    exec(ready_made.without(MODULE, {"fit", "Residual"}), names)
    assert names["evaluate"](None) == "evaluated"
    for use in (names["fit"], names["Residual"]):
        with pytest.raises(Exception, match="Write your own") as error:
            use(3)
        assert type(error.value).__name__ == ready_made.ERROR


def test_everything_can_be_removed():
    names = {}
    exec(ready_made.without(MODULE, None), names)
    with pytest.raises(Exception, match="evaluate is removed"):
        names["evaluate"](None)


def test_a_name_that_has_moved_elsewhere_is_noticed():
    with pytest.raises(ValueError, match="does not define train_step"):
        ready_made.without(MODULE, {"fit", "train_step"})


def test_all_that_is_to_be_removed_is_where_it_is_expected(tmp_path):
    shown = ready_made.binds(ROOT, Path(sysconfig.get_path("purelib")), tmp_path)
    assert shown.keys() >= ready_made.MODULES.keys()
    assert all(path.exists() for path in shown.values())


def test_a_course_may_be_in_a_folder_called_course_or_packages(tmp_path):
    """As inside the jail, where the course is /course and what it imports is in /packages."""
    course, packages = tmp_path / "course" / "packages", tmp_path / "packages" / "course"
    for path in ready_made.MODULES:
        root = {"course": course, "packages": packages}[path.split("/")[1]]
        (root / path.split("/", 2)[2]).parent.mkdir(parents=True, exist_ok=True)
        names = ready_made.MODULES[path] or ()
        source = "".join(f"def {name}(): pass\n" for name in names)
        (root / path.split("/", 2)[2]).write_text(source)
    (tmp_path / "stripped").mkdir()
    assert ready_made.binds(course, packages, tmp_path / "stripped").keys() >= {*ready_made.MODULES}
