"""Grading: the points for each kind of submission, and what no submission can do."""

import dataclasses
import json
import shutil
from pathlib import Path

import archives
import hostile
import pytest
import styles
from nbgrader.api import Gradebook
from submissions import (
    COURSEWORK,
    contents,
    hand_in,
    processes,
    release_both,
    solved,
    student_named,
    table,
)

import grade
from grader import batch, gradebook, jail, limits
from items import ps1
from notebooks import ROOT

BYSTANDERS = 4
EXPECTED = {
    **{what: points for what, (_, points) in hostile.ANSWERS.items()},
    **{what: points for what, (*_, points) in hostile.OTHERS.items()},
    **{what: points for what, (_, points) in hostile.NOTEBOOKS.items()},
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.xdist_group("jail"),
    pytest.mark.timeout(1800),  # the first test waits for a whole batch to be graded
    pytest.mark.skipif(bool(jail.missing()), reason=jail.missing()),
]


@pytest.fixture(scope="module")
def usual():
    """The limits of the course. They count seconds of the processor, however busy it is."""
    return limits.read()


@pytest.fixture(scope="module")
def allowed(usual):
    """The same with less time, since many submissions use up all of it."""
    return dataclasses.replace(usual, jail=dataclasses.replace(usual.jail, seconds=45))


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return release_both(tmp_path_factory.mktemp("course"))


# Problem set 1: hostile submissions in one batch, with right ones among the bombs


@pytest.fixture(scope="module")
def handed_in(tmp_path_factory):
    folder = tmp_path_factory.mktemp("submissions")
    for what, (source, _) in hostile.ANSWERS.items():
        hand_in(folder, "ps1", student_named(what), {"block": source})
    for what, (answer, source, _) in hostile.OTHERS.items():
        hand_in(folder, "ps1", student_named(what), {answer: source})
    for what, (change, _) in hostile.NOTEBOOKS.items():
        change(hand_in(folder, "ps1", student_named(what)))
    bombs = sorted(path.name for path in folder.iterdir())[:: len(EXPECTED) // BYSTANDERS]
    for bomb in bombs[:BYSTANDERS]:
        hand_in(folder, "ps1", f"{bomb}-bystander")
    return folder


@dataclasses.dataclass
class Batch:
    """A graded batch.

    `before` and `after` are the contents of all files around marking, `left` are the command lines
    of the jail's processes after it, `rows` is the table of grades.
    """

    results: dict
    before: dict
    after: dict
    left: list
    problems: list
    rows: dict


@pytest.fixture(scope="module")
def graded(course, allowed, handed_in):
    outside = [course, handed_in, ROOT / "utils", COURSEWORK]
    before = {path: held for folder in outside for path, held in contents(folder).items()}
    results = grade.mark(course, "ps1", handed_in, allowed)
    # A sandbox of this course is known by the files that it shows; what runs in it ends with it.
    left = [line for line in processes() if "bwrap" in line and str(ROOT) in line]
    after = {path: held for folder in outside for path, held in contents(folder).items()}
    problems = grade.enter(course, "ps1", results)
    return Batch(results, before, after, left, problems, table(course, "ps1"))


@pytest.mark.parametrize("what", EXPECTED)
def test_a_submission_gets_exactly_its_points(graded, what):
    row = graded.rows[student_named(what)]
    assert float(row["score"]) == EXPECTED[what], row


def test_bystanders_get_full_marks(graded):
    rows = [row for name, row in graded.rows.items() if name.endswith("-bystander")]
    assert [float(row["score"]) for row in rows] == BYSTANDERS * [20]


def test_no_submission_is_left_out(graded, handed_in):
    assert graded.problems == []
    assert graded.rows.keys() == {path.name for path in handed_in.iterdir()}
    assert all(float(row["of"]) == 20 for row in graded.rows.values())


def test_an_unreadable_submission_gets_a_remark_with_the_reason(graded):
    unreadable = [what for what, (_, points) in hostile.NOTEBOOKS.items() if points == 0]
    for what in unreadable:
        assert graded.rows[student_named(what)]["remark"].endswith(".")
    assert "larger than 10 MB" in graded.rows["a-line-of-100-MB"]["remark"]
    assert "2 notebooks" in graded.rows["two-notebooks"]["remark"]


def test_every_lost_point_is_explained(graded):
    marks = [mark for result in graded.results.values() for mark in result["marks"]]
    assert all(mark["why"] for mark in marks if mark["points"] < mark["of"])


@pytest.mark.parametrize(
    ("what", "cause"),
    [
        ("a full-width colon", "SyntaxError in line 2: there is a character that Python does not"),
        ("not Python", "SyntaxError in line 1, at character 18"),
        ("characters that Python refuses", "SyntaxError in line 1"),
        ("no code at all", "the cell is empty"),
        ("cells deleted", "its cell is gone, and no other cell defines MyResidual"),
        ("an answer in words", "is a text cell, which Jupyter does not run"),
        ("after an error", "raised ValueError before it defined"),
    ],
)
def test_the_cause_of_a_missing_answer_is_named(graded, what, cause):
    marks = graded.results[student_named(what)]["marks"]
    whys = [mark["why"] for mark in marks if mark["answer"] == "block"]
    assert all(cause in why for why in whys), whys


def test_the_feedback_says_that_an_answer_was_in_a_text_cell(graded, course):
    student = student_named("an answer in a text cell")
    page = (course / "feedback" / student / "ps1" / "ps1.html").read_text("utf-8")
    assert "Its text was graded as code." in page


def test_marking_changes_nothing_outside_the_jail_but_the_marks(graded, course):
    """Neither the gradebook, nor the submissions, nor the course."""
    changed = {path for path in graded.after if graded.before.get(path) != graded.after[path]}
    assert graded.before.keys() <= graded.after.keys()
    assert {path for path in changed if course / "marks" not in path.parents} == set()
    assert course / "gradebook.db" in graded.before


def test_no_process_survives(graded):
    assert graded.left == []


# Problem set 1: honest submissions, right and wrong


@pytest.fixture(scope="module")
def honest(course, usual, tmp_path_factory):
    """Answers in other styles, with mistakes, and copied: the folder, the results, the table."""
    folder = tmp_path_factory.mktemp("honest")
    for what, source in styles.RIGHT_BLOCKS.items():
        hand_in(folder, "ps1", f"style-{student_named(what)}", {"block": source})
    for what, (answer, source, *_) in styles.MISTAKES.items():
        hand_in(folder, "ps1", f"mistake-{student_named(what)}", {answer: source})
    hand_in(folder, "ps1", "copied", styles.COPIED["ps1"])
    results = grade.mark(course, "ps1", folder, usual)
    assert grade.enter(course, "ps1", results) == []
    return folder, results, table(course, "ps1")


@pytest.mark.parametrize("what", styles.RIGHT_BLOCKS)
def test_a_right_block_in_another_style_gets_full_marks(honest, what):
    assert float(honest[2][f"style-{student_named(what)}"]["block"]) == 7


@pytest.mark.parametrize("what", styles.MISTAKES)
def test_a_mistake_costs_what_is_documented_and_is_named(honest, what):
    answer, _, points, name = styles.MISTAKES[what]
    student = f"mistake-{student_named(what)}"
    assert float(honest[2][student][answer]) == points
    assert honest[1][student]["diagnoses"].get(answer, "") == name


def test_whoever_copies_what_the_lessons_teach_gets_at_most_half_of_the_points(honest, trained):
    """With the points of each answer: what is copied still earns what it deserves."""
    for rows, machine, points in (
        (honest[2], 20, {"block": 2, "repair": 1, "shapes": 1, "parameters": 1}),
        (trained[2], 20, {"step": 2, "fit": 6}),
    ):
        row = rows["copied"]
        earned = {answer: float(row[answer]) for answer in points}
        assert earned == points
        assert float(row["score"]) == sum(points.values()) <= machine / 2


def test_the_feedback_names_the_mistake_and_the_item(honest, course):
    page = (course / "feedback" / "mistake-no-shortcut" / "ps1" / "ps1.html").read_text("utf-8")
    assert "Look first at: no shortcut." in page
    assert "0 of 1  Training, where only the channels change" in page
    assert "1 of 1  The convolutions, where channels and size change" in page


# Names


def test_submissions_keep_their_points_whatever_the_form_of_their_names(course, usual, tmp_path):
    """An archive of Chinese Windows, and names that are unsafe in tables and paths."""
    students = ["张伟", "欧阳娜娜", "=SUM(1)", "a%b", "-x", f"{'long ' * 40}name"]
    files = [
        (f"{student}/“ps1.ipynb”的副本.ipynb", json.dumps(solved("ps1", student)).encode())
        for student in students
    ]
    (tmp_path / "all.zip").write_bytes(archives.windows("gbk")(files))
    results = grade.mark(course, "ps1", tmp_path / "all.zip", usual)
    assert grade.enter(course, "ps1", results) == []
    rows = table(course, "ps1")
    assert {"张伟", "欧阳娜娜", "%3DSUM(1)", "a%25b", "%2Dx"} < rows.keys()
    assert [(row["score"], row["remark"]) for row in rows.values()] == 6 * [("20.0", "")]


def test_a_submission_of_nobody_in_particular_gets_a_remark_and_no_mark(course, usual, tmp_path):
    files = [("张伟/ps1.ipynb", b"{}"), ("replace-me/ps1.ipynb", b"{}")]
    (tmp_path / "all.zip").write_bytes(archives.windows("gbk")(files))
    results = grade.mark(course, "ps1", tmp_path / "all.zip", usual)
    (problem,) = grade.enter(course, "ps1", results)
    assert "张伟 (gbk)" in problem
    row = table(course, "ps1")["%D5%C5%CE%B0"]
    assert (row["score"], row["block"]) == ("", "")
    assert "GRADE_ARGS=--code-page" in row["remark"]


# A second run, and an interrupted one


def test_a_second_run_marks_only_what_is_missing(graded, course, handed_in, allowed, monkeypatch):
    results = course / "marks" / "ps1"
    (results / "right.json").unlink()
    marked = []
    usual = batch.mark
    monkeypatch.setattr(
        batch, "mark", lambda found, marker: marked.append(found.name) or usual(found, marker)
    )
    again = grade.mark(course, "ps1", handed_in, allowed)
    assert marked == ["right"]
    assert again == graded.results


def test_marking_again_gives_the_same_bytes(honest, course, usual, tmp_path):
    few = ["copied", "style-LayersInASequential", "mistake-one-normalization"]
    for student in few:
        shutil.copytree(honest[0] / student, tmp_path / "few" / student)
    shutil.copytree(course / "source", tmp_path / "course" / "source")
    shutil.copytree(course / "release", tmp_path / "course" / "release")
    grade.mark(tmp_path / "course", "ps1", tmp_path / "few", usual)
    for student in few:
        path = Path("marks") / "ps1" / f"{student}.json"
        assert (tmp_path / "course" / path).read_bytes() == (course / path).read_bytes()


# Failures of the grader itself


class Unreliable(jail.Jail):
    """A jail that fails to start as many times as `failures` has entries."""

    failures: list = []  # noqa: RUF012  (shared on purpose: jails are copied)

    def run(self, *arguments):
        if self.failures:
            self.failures.pop()
            raise jail.JailError("The jail could not be made: try again.")
        return super().run(*arguments)


@pytest.mark.parametrize(("failures", "points"), [(2, 20), (3, None)])
def test_a_jail_that_does_not_start_is_tried_again_and_costs_no_points(
    course, allowed, tmp_path, monkeypatch, failures, points
):
    student = f"late-{failures}"
    hand_in(tmp_path / "in", "ps1", student)
    monkeypatch.setattr(grade, "Jail", Unreliable)
    usual = batch.prepare

    def prepare(*arguments):
        made = usual(*arguments)
        Unreliable.failures[:] = failures * [None]
        return made

    monkeypatch.setattr(batch, "prepare", prepare)
    results = grade.mark(course, "ps1", tmp_path / "in", allowed)
    assert results[student].get("points") == points
    if points is None:
        assert grade.enter(course, "ps1", results) == [
            f"{student}: The jail could not be made: try again."
        ]
        row = table(course, "ps1")[student]
        assert row["score"] == ""
        assert "try again" in row["remark"]
        assert not (course / "marks" / "ps1" / f"{student}.json").exists()


def test_without_a_jail_nothing_is_graded_unless_explicitly_requested(
    course, usual, tmp_path, monkeypatch
):
    monkeypatch.setattr("sys.argv", ["grade.py", "ps1", str(tmp_path)])
    monkeypatch.setattr(jail.shutil, "which", lambda _: None)
    with pytest.raises(SystemExit, match="apt-get install bubblewrap"):
        grade.main()
    hand_in(tmp_path / "in", "ps1", "alone")
    results = grade.mark(course, "ps1", tmp_path / "in", usual, protected=False)
    assert results["alone"]["points"] == 20


# Problem set 2: the answer, the text that is replaced, its replacement, points, and the mistake

TRAINING = {
    "weights never move": ("step", "trainer.step(len(y))", "pass", 0, "weights do not move"),
    "sum of the losses": (
        "step",
        "return loss / len(y)",
        "return loss",
        2,
        "loss not averaged",
    ),
    "not in training mode": (
        "step",
        "autograd.record()",
        "autograd.record(False)",
        0,
        "learns in inference mode",
    ),
    "the same order each epoch": (
        "fit",
        "in range(recipe.epochs):",
        "in range(recipe.epochs):\n        rng = numpy.random.default_rng(0)",
        4,
        "the same order in every epoch",
    ),
    "one epoch too few": (
        "fit",
        "range(recipe.epochs)",
        "range(recipe.epochs - 1)",
        0,
        "wrong number of epochs",
    ),
    "judged by what it learned from": ("fit", "fashion.valid", "fashion.train", 4, "no validation"),
    "divided by the size of a part": (
        "step",
        "trainer.step(len(y))",
        "trainer.step(size)",
        2,
        "",
    ),
    "gradient of the last part": ("step", '"add"', '"write"', 2, ""),
    "a pooling in the stem": (
        "network",
        'nn.Activation("relu"))',
        'nn.Activation("relu"), nn.MaxPool2D(3, 1, 1))',
        2,
        "",
    ),
    "the stem of the lessons": (
        "network",
        "kernel_size=4, strides=4)",
        "kernel_size=7, strides=4, padding=3)",
        0,
        "",
    ),
}
READY_MADE = {
    "network": "from utils.resnet import resnet18\nmy_resnet18 = lambda *a, **k: resnet18()",
    "step": "def my_train_step(net, X, y, trainer, parts=1):\n"
    "    return train.train_step(net, X, y, trainer)",
    "fit": "my_fit = train.fit",
}
SCRIPT = (
    "<script>alert(1)</script> <img src=x onerror=alert(2)> [here](javascript:alert(3)) "
    "![there](javascript:alert(4)) <javascript:alert(5)> [one][two]\n\n"
    "[two]: javascript:alert(6)\n\n"
    "The loss ends at 0.31 < 0.5."
)


@pytest.fixture(scope="module")
def trained(course, usual, tmp_path_factory):
    """Problem set 2, graded: the folder of submissions, the results and the table."""
    folder = tmp_path_factory.mktemp("trained")
    right = {cell.id: cell.source for cell in solved("ps2", "").cells}
    hand_in(folder, "ps2", "right")
    hand_in(folder, "ps2", "ready-made", READY_MADE)
    hand_in(folder, "ps2", "script", {"curves": SCRIPT})
    hand_in(folder, "ps2", "copied", styles.COPIED["ps2"])
    skipped = styles.changed(hostile.RIGHT, hostile.POOL, "nn.MaxPool2D(1, strides)")
    hand_in(folder, "ps2", "block", {"block": skipped})
    old = "for _ in range(recipe.epochs):"
    new = f"{old.replace('_', 'epoch')}\n        rng = numpy.random.default_rng((seed, epoch))"
    hand_in(folder, "ps2", "other-order", {"fit": styles.changed(right["fit"], old, new)})
    for what, (answer, old, new, *_) in TRAINING.items():
        source = styles.changed(right[answer], old, new)
        hand_in(folder, "ps2", student_named(what), {answer: source})
    results = grade.mark(course, "ps2", folder, usual)
    assert grade.enter(course, "ps2", results) == []
    return folder, results, table(course, "ps2")


def test_a_right_training_gets_all_points_that_the_machine_gives(trained):
    lost = [mark for mark in trained[1]["right"]["marks"] if mark["why"]]
    assert lost == []
    row = trained[2]["right"]
    assert (row["score"], row["of"], row["to grade by hand"]) == ("20.0", "30.0", "yes")


@pytest.mark.parametrize("what", TRAINING)
def test_a_mistake_in_the_training_is_named(trained, what):
    answer, _, _, points, name = TRAINING[what]
    student = student_named(what)
    assert float(trained[2][student][answer]) == points
    assert trained[1][student]["diagnoses"].get(answer, "") == name


def test_another_order_of_the_images_is_right_too(trained):
    assert trained[2]["other-order"]["score"] == "20.0"


def test_a_wrong_block_is_named_when_it_spoils_the_network(trained):
    assert trained[1]["block"]["diagnoses"]["block"] == "pixels skipped, not pooled"
    assert trained[2]["block"]["network"] == "2"


def test_ready_made_networks_and_trainings_are_not_answers(trained):
    row, result = trained[2]["ready-made"], trained[1]["ready-made"]
    assert row["score"] == "0.0"
    assert all("ready-made" in mark["why"] for mark in result["marks"])


def test_a_students_text_cannot_run_in_the_browser_of_a_grader(trained, course):
    page = (course / "feedback" / "script" / "ps2" / "ps2.html").read_text("utf-8")
    assert "The loss ends at 0.31 &lt; 0.5." in page
    for attack in ("<script>alert", "<img src=x", 'href="javascript:', 'src="javascript:'):
        assert attack not in page


def test_scores_by_hand_are_kept(trained, course, usual):
    """A second run leaves them unchanged, and enters them into the tables."""
    folder = trained[0]
    tables = gradebook.Gradebook(course, "ps2")
    of_moodle = {name: {"platform": "moodle", "number": "5"} for name in ("right", "copied")}
    assert tables.write_imports(of_moodle) == [], "nobody has all points yet"
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for cell, points in (("curves", 3), ("experiment", 2), ("conclusion", 3)):
            given = book.find_grade(cell, "ps2", "ps2", "right")
            given.manual_score, given.needs_manual_grade = points, False
        book.db.commit()
    results = grade.mark(course, "ps2", folder, usual)
    assert grade.enter(course, "ps2", results) == []
    row = table(course, "ps2")["right"]
    assert (row["score"], row["to grade by hand"]) == ("28.0", "no")
    (imported,) = tables.write_imports(of_moodle)
    assert imported.read_text().splitlines()[1:] == ["Participant 5,right,28.0,30.0,-"]


# Leaks

CANARY = 40487  # a height that no image has
FINDS = """
import glob
texts = []
for pattern in ("/proc/[0-9]*/environ", "/proc/[0-9]*/cmdline", "/course/**", "/tmp/**"):
    for path in glob.glob(pattern, recursive=True):
        try:
            texts.append(open(path, errors="ignore").read())
        except OSError:
            pass
if any(WANTED in text for text in texts):
    from mxnet.gluon import nn
"""
TELLS = """
def part_shapes(height, width, stem=(), first_width=64, num_classes=10):
    print(height)
    open("height", "w").write(str(height))
    raise type(f"Error{height}", (Exception,), {})(height)
"""


def test_nothing_of_the_hidden_items_leaks(course, allowed, tmp_path, monkeypatch):
    """Neither into the jail before the answers are executed, nor afterwards to the student."""
    hidden = ps1.shapes("A tall image", height=CANARY, width=96)
    others = [item for item in ps1.ITEMS if item.title != "A stem of one layer"]
    monkeypatch.setattr(ps1, "ITEMS", [*others, hidden])
    right = hostile.RIGHT.replace("\n", "\n    ")
    for student, wanted in (
        ("spy", f"str({CANARY - 1} + 1)"),
        ("control", "'plain numbers'"),
    ):
        block = FINDS.replace("WANTED", wanted) + right
        hand_in(tmp_path / "in", "ps1", student, {"block": block, "shapes": TELLS})
    results = grade.mark(course, "ps1", tmp_path / "in", allowed)
    assert grade.enter(course, "ps1", results) == []
    assert batch.points(results["spy"])["block"] == 0, "the height was found in the jail"
    assert batch.points(results["control"])["block"] == 7, "what is there is found"
    assert batch.points(results["spy"])["shapes"] == 0
    told = [path for name in ("release", "build", "grades") for path in contents(course / name)]
    for name in ("submitted", "autograded", "feedback"):
        told += contents(course / name / "spy")
    told += [course / "gradebook.db", course / "marks" / "ps1" / "spy.json"]
    assert len(told) > 8
    assert not [path for path in told if str(CANARY).encode() in path.read_bytes()]
