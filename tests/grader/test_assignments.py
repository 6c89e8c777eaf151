"""The problem sets: what students get, and what an instructor learns who edits them."""

import dataclasses
import shutil

import nbformat
import pytest
from nbclient import NotebookClient
from styles import RIGHT_BLOCKS
from submissions import COURSEWORK, hand_in, release_both

import first_cell
import grade
import release
from grader import answers, assignment, batch, gradebook
from grader.jail import missing
from grader.limits import read
from grader.validate import read as read_submission
from notebooks import ROOT, code_cells, tags
from utils.student import VARIANTS

NAMES = ("ps1", "ps2")
HYBRID = RIGHT_BLOCKS["InAHybridBlock"]

pytestmark = pytest.mark.slow  # nbgrader releases both problem sets first


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return release_both(tmp_path_factory.mktemp("course"))


@pytest.fixture(params=NAMES)
def released(request, course):
    """What a student gets."""
    return nbformat.read(course / "build" / f"{request.param}.ipynb", as_version=4)


def executed(notebook, skip=()):
    """Run a notebook beside utils/, continuing after errors and leaving out the cells in `skip`."""
    notebook.cells = [cell for cell in notebook.cells if cell.id not in skip]
    folder = str(ROOT / "notebooks")
    client = NotebookClient(notebook, allow_errors=True, timeout=300, kernel_name="python3")
    client.resources = {"metadata": {"path": folder}}
    client.execute()
    return notebook


def errors(notebook):
    """The names of the errors in the outputs, by the id of the cell."""
    return {
        cell.id: output.ename
        for cell in code_cells(notebook)
        for output in cell.outputs
        if output.output_type == "error"
    }


def printed(cell):
    return "\n".join(str(output.get("data", output.get("text"))) for output in cell.outputs)


def test_a_release_holds_no_solution(released, course):
    """The first part of each solution is nowhere in the release."""
    for name in NAMES:
        source = nbformat.read(course / "source" / name / f"{name}.ipynb", as_version=4)
        text = "\n".join(cell.source for cell in released.cells)
        assert "SOLUTION" not in text
        for cell in source.cells:
            if assignment.nbgrader(cell).get("solution"):
                hidden = cell.source.partition("### BEGIN SOLUTION")[2] or cell.source
                first = hidden.partition("### END SOLUTION")[0].strip()
                assert first
                assert first not in text


def test_a_release_runs_and_only_its_stubs_and_checks_fail(released):
    """The checks say that nothing has been written yet."""
    ran = executed(released)
    assert set(errors(ran).values()) <= {"NotImplementedError"}
    checks = [cell for cell in code_cells(ran) if cell.source.startswith("checks.")]
    assert len(checks) >= 3
    for cell in checks:
        failed = cell.id in errors(ran) or "not written yet" in printed(cell)
        assert failed, cell.source


@pytest.mark.parametrize("name", NAMES)
def test_the_checks_pass_on_the_solution(name, course):
    source = nbformat.read(course / "source" / name / f"{name}.ipynb", as_version=4)
    ran = executed(source, skip=("train", "experiment"))  # they take minutes, and have no check
    assert errors(ran) == {}
    for cell in code_cells(ran):
        if cell.source.startswith("checks."):
            assert "answers are right" in printed(cell)
            assert "Look first at" not in printed(cell)


@pytest.mark.parametrize("written", ["as in the stub", "as a HybridBlock"])
def test_a_block_of_problem_set_1_works_in_problem_set_2_as_it_is(course, written):
    """A student copies the cell, and writes the network into the stub that stands there."""
    blocks = {"as in the stub": _solution("block"), "as a HybridBlock": HYBRID}
    notebook = nbformat.read(course / "build" / "ps2.ipynb", as_version=4)
    cells = {cell.id: cell for cell in notebook.cells}
    cells["block"].source = blocks[written]
    cells["network"].source = _solution("network", "ps2")
    assert "nn.Sequential()" in nbformat.read(course / "build" / "ps2.ipynb", 4).cells[9].source
    later = [*cells][[*cells].index("network-check") + 1 :]
    ran = {cell.id: cell for cell in executed(notebook, skip=later).cells}
    assert errors(notebook) == {}
    assert "answers are right" in printed(ran["block-check"])
    assert "(2, 10), right is (2, 10)" in printed(ran["network-check"])
    assert "11,003,338, right is 11,003,338" in printed(ran["network-check"])


def test_both_problem_sets_begin_with_the_same_stub_of_the_block(course):
    stubs = [
        next(cell.source for cell in nbformat.read(path, as_version=4).cells if cell.id == "block")
        for path in (course / "build" / f"{name}.ipynb" for name in NAMES)
    ]
    assert stubs[0] == stubs[1]


def test_no_code_cell_is_too_long_to_take_in(released):
    for cell in code_cells(released):
        lines = [line for line in cell.source.splitlines() if line.strip()]
        assert len(lines) <= 15, cell.source


def test_the_first_cell_is_that_of_the_course(released):
    assert code_cells(released)[0].source == first_cell.at_home("")


def test_packed_for_colab_a_release_holds_the_toolbox_and_keeps_its_ids(course):
    for name in NAMES:
        alone = nbformat.read(course / "build" / f"{name}.ipynb", as_version=4)
        packed = nbformat.read(course / "build" / "colab" / f"{name}.ipynb", as_version=4)
        assert code_cells(packed)[0].source == first_cell.alone(), "it carries no sample"
        ids = [[assignment.grade_id(cell) for cell in book.cells] for book in (alone, packed)]
        assert ids[0] == ids[1]


def test_the_toolbox_in_a_packed_notebook_is_not_graded(course, tmp_path):
    """The first cell, with its lines of base64, is neither an answer nor a helper."""
    loaded = assignment.load(course, "ps1")
    packed = course / "build" / "colab" / "ps1.ipynb"
    submission = read_submission(packed, read().file)
    found = answers.find(submission, loaded.stubs, loaded.ignored, loaded.setup_names)
    assert found.cells == {}
    assert found.helpers == ()


def test_only_the_students_numbers_come_with_the_answers_of_the_solution(course, tmp_path):
    """Of the other cells only the one with the numbers is kept, and no check."""
    loaded = assignment.load(course, "ps1")
    submission = read_submission(hand_in(tmp_path, "ps1", "ada"), read().file)
    found = answers.find(submission, loaded.stubs, loaded.ignored, loaded.setup_names)
    assert found.helpers == ('student = "ada"', "my = variant_of(student)")
    assert found.cells.keys() == loaded.stubs.keys()


# The students' numbers


def test_no_two_variants_have_an_answer_in_common():
    solution = {}
    exec(_solution("shapes") + "\n" + _solution("parameters"), solution)
    shapes, totals = [], []
    exec(_solution("own-shapes") + "\n" + _solution("own-total"), solution)
    for solution["my"] in VARIANTS:
        shapes.append(solution["my_shapes"]().items())
        totals.append(solution["my_total"]())
    assert len(set(map(tuple, shapes))) == len(set(totals)) == len(VARIANTS)


def _solution(grade_id, name="ps1"):
    notebook = nbformat.read(COURSEWORK / "source" / name / f"{name}.ipynb", as_version=4)
    return next(cell.source for cell in notebook.cells if cell.id == grade_id)


# An instructor who edits


def changed(course, tmp_path, change):
    """Release a copy of the course whose source of ps1 has been changed."""
    folder = tmp_path / "course"
    shutil.copytree(course / "source", folder / "source")
    path = folder / "source" / "ps1" / "ps1.ipynb"
    notebook = nbformat.read(path, as_version=4)
    change({cell.id: cell for cell in notebook.cells})
    nbformat.write(notebook, path)
    return release.release(folder, "ps1", folder / "build")


def test_points_that_do_not_add_up_are_refused(course, tmp_path):
    def change(cells):
        cells["block-check"].metadata.nbgrader.points = 9

    with pytest.raises(assignment.AssignmentError, match=r"'block': 7.*'block': 9"):
        changed(course, tmp_path, change)


def test_a_refusal_by_nbgrader_is_passed_on(course, tmp_path):
    def change(cells):
        cells["shapes"].source = cells["shapes"].source.replace("### END SOLUTION", "")

    with pytest.raises(assignment.AssignmentError, match="no end solution statement"):
        changed(course, tmp_path, change)


@pytest.mark.parametrize("name", ["ps9", ""])
def test_a_missing_assignment_is_named(course, name):
    with pytest.raises(assignment.AssignmentError, match="source"):
        release.release(course, name, course / "build")


def test_grading_before_the_release_says_what_to_do(tmp_path):
    shutil.copytree(COURSEWORK / "source", tmp_path / "source")
    with pytest.raises(assignment.AssignmentError, match="make assignment ASSIGNMENT=ps1"):
        assignment.load(tmp_path, "ps1")


# nbgrader


def test_what_the_machine_refuses_nbgrader_is_explained(tmp_path, monkeypatch):
    """In a folder that cannot be written to; nbgrader's log ends with the error of its database."""
    shutil.copytree(COURSEWORK / "source", tmp_path / "source")
    (tmp_path / "gradebook.db").mkdir()  # not even root can open this one
    with pytest.raises(assignment.AssignmentError, match=r"unable to open database file.* belongs"):
        gradebook.Gradebook(tmp_path, "ps1").release()


def test_nbgrader_never_executes_a_submission(course, tmp_path):
    """Started without marks, as by formgrader's button, it runs nothing and says what to do."""
    shutil.copytree(course, tmp_path / "course")
    hand_in(tmp_path / "in", "ps1", "ada", {"block": f"open({str(tmp_path / 'executed')!r}, 'w')"})
    target = tmp_path / "course" / "submitted" / "ada" / "ps1"
    shutil.copytree(tmp_path / "in" / "ada", target)
    book = gradebook.Gradebook(tmp_path / "course", "ps1")
    outcome = book.api.autograde("ps1", "ada", create=True)
    assert not outcome["success"]
    assert "make grade ASSIGNMENT=ps1" in outcome["log"]
    assert not (tmp_path / "executed").exists()
    steps = gradebook.config(course).Autograde.autograde_preprocessors
    assert gradebook.InjectMarks in steps
    assert "Execute" not in {step.__name__ for step in steps}


@pytest.mark.xdist_group("jail")
@pytest.mark.skipif(bool(missing()), reason=missing())
def test_a_solution_that_leaves_an_item_unanswered_is_named(course, tmp_path):
    """Marking begins with the solution; this is what an instructor sees who breaks it."""
    loaded = assignment.load(course, "ps1")
    broken = dataclasses.replace(loaded, solution={**loaded.solution, "shapes": ""})
    jail, whole = grade.make_jails(tmp_path, read().jail)
    with pytest.raises(ValueError, match="The solution does not answer the item 'The stem of"):
        batch.prepare(broken, jail, whole, read())


def test_the_cells_with_imports_are_tagged_as_setup(released):
    assert [cell.id for cell in released.cells if assignment.SETUP in tags(cell)] == [
        "home",
        "imports",
    ]
