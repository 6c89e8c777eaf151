"""The toolbox stays small: what a learner opens, and how many files there are in all."""

from notebooks import ROOT

UTILS = ROOT / "utils"


def lines(paths):
    return sum(len(path.read_text("utf-8").splitlines()) for path in paths)


def test_what_a_learner_opens_is_small():
    flat = [path for path in UTILS.glob("*.py") if not path.name.startswith("_")]
    assert len(flat) <= 14
    assert lines(flat) <= 2400


def test_the_whole_toolbox_has_at_most_sixty_files():
    assert len(list(UTILS.rglob("*.py"))) <= 60


def test_each_wing_says_what_it_is_for():
    for wing in ("checks", "plots", "runs", "setup"):
        text = (UTILS / wing / "__init__.py").read_text("utf-8")
        assert "Begin with" in text.split('"""')[1], wing
