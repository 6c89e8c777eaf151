"""The notebooks: as committed, as they run, and as the toolbox repeats what they teach."""

import ast
import contextlib
import io
import math
import os
import re
import shutil
import subprocess
import sys
from copy import deepcopy
from pathlib import Path
from types import SimpleNamespace

import mxnet as mx
import nbformat
import numpy
import pandas
import pytest
from outputs import complaints, texts
from solutions import defined, exercises, is_collapsed

import first_cell
import published
import run_course
from notebooks import (
    NotebookError,
    code_cells,
    headline,
    notebook_paths,
    run_notebook,
    tagged,
    tags,
)
from utils import experiments, plots, shapes, train
from utils.families import Plain, deep_network
from utils.recipes import Recipe
from utils.runs import checkpoint

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = notebook_paths()
NOTEBOOK_06 = ROOT / "notebooks" / "06_look_inside.ipynb"
NOTEBOOK_09 = ROOT / "notebooks" / "09_leave_mxnet.ipynb"
LONGEST_CELL = 15  # lines of code that a reader can take in at once
LONGEST_SOLUTION = 20  # of an exercise that the reader has worked on
TOOLBOX = [
    ROOT / "utils" / f"{name}.py"
    for name in (
        "experiments",
        "families",
        "probes",
        "resnet",
        "runs/team",
        "throughput",
        "train",
    )
]
TOOLBOX.append(ROOT / "tools" / "bench" / "measure" / "pytorch.py")  # what 09 teaches of PyTorch
TAUGHT_ALONE = {"torch_name"}  # the toolbox does not know PyTorch
COMPARED_AS_THEY_RUN = {"fit"}  # the toolbox's has callbacks; notebook 05 compares all losses
# Where Colab mounts a reader's Drive is no path of the machine that ran the notebooks.
MACHINE_PATH = re.compile(
    r"(?<![\w.~/])/(home|root|tmp|work|opt|var|mnt|usr|Users|content(?!/drive))/\w"
)
UNANSWERED = re.compile(r".*: (not written|no prediction) yet\.")
NO_GUESS = shapes.compare(None, "the answer")
MATH = re.compile(r"(?<!\\)\$[^$\n]+\$")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# A fast run of the tests runs one notebook: the one that defines the block.
run_each_notebook = pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, id=path.stem, marks=[] if "block" in path.stem else pytest.mark.slow)
        for path in NOTEBOOKS
    ],
)


@pytest.fixture
def notebook(path):
    return nbformat.read(path, as_version=4)


# As committed


@each_notebook
def test_committed_outputs_come_from_one_run_from_top_to_bottom(notebook):
    cells = code_cells(notebook)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))


@each_notebook
def test_committed_outputs_hold_no_warning_and_no_unannounced_error(notebook):
    assert complaints(notebook) == []


@each_notebook
def test_a_cell_announced_to_fail_does_fail(notebook):
    """The error it shows is part of the lesson."""
    for cell in code_cells(notebook):
        if "raises-exception" in tags(cell):
            assert any(output.output_type == "error" for output in cell.outputs), cell.source


@each_notebook
def test_no_path_of_the_machine_it_ran_on_is_shown(notebook):
    said = [cell.source for cell in notebook.cells]
    said += [text for cell in code_cells(notebook) for out in cell.outputs for text in texts(out)]
    assert [text for text in said if MACHINE_PATH.search(text)] == []


@each_notebook
def test_it_opens_with_its_title_and_finds_the_toolbox_before_anything_else(path, notebook):
    assert notebook.cells[0].source.startswith(f"# {path.stem[:2]} ")
    first = code_cells(notebook)[0]
    assert first.source == first_cell.at_home(published.address())


@each_notebook
def test_it_is_committed_with_the_full_budget_and_one_headline(notebook):
    for tag in ("parameters", "headline"):
        assert sum(tag in tags(cell) for cell in notebook.cells) == 1, tag
    assert tagged(notebook, "parameters").source == 'budget = "full"'
    assert headline(notebook)


@each_notebook
def test_no_code_cell_is_too_long_to_take_in(notebook):
    for cell in code_cells(notebook):
        code = cell.source.splitlines()[cell.source.startswith("# @title ") :]
        lines = [line for line in code if line.strip()]
        longest = LONGEST_SOLUTION if "solution" in tags(cell) else LONGEST_CELL
        assert len(lines) <= longest, cell.source


@each_notebook
def test_formulas_need_no_script_from_the_network(notebook):
    """LaTeX between dollar signs needs a script that an offline page does not have."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            assert not MATH.search(re.sub(r"`[^`]*`", "", cell.source)), cell.source


def test_05_shows_that_the_loop_of_the_lesson_and_that_of_the_toolbox_are_one():
    path = next(path for path in NOTEBOOKS if path.stem.startswith("05"))
    said = [
        text
        for cell in code_cells(nbformat.read(path, 4))
        for o in cell.outputs
        for text in texts(o)
    ]
    assert any(
        re.search(r"^80 steps, largest difference of their losses: 0\.0$", text, re.M)
        for text in said
    )


def test_01_shows_the_claim_of_the_course_as_measured():
    """Plain: 56 layers are worse than 8 and 20. Residual: the change is much smaller."""
    cells = code_cells(nbformat.read(NOTEBOOKS[1], as_version=4))
    table = next(cell for cell in cells if cell.source.endswith("effects.round(3)")).outputs[-1]
    effects = effects_in(table.data["text/plain"])
    for shallow in ("8", "20"):
        plain, residual = (effects[family, shallow, "56"] for family in ("plain", "residual"))
        assert plain["difference"] > 0
        assert plain["counts"]
        assert abs(residual["difference"]) < 0.2 * plain["difference"]
    said = [text for cell in cells for output in cell.outputs for text in texts(output)]
    change = next(text for text in said if "training accuracy" in text)
    assert "training accuracy -0." in change, "not overfitting"


def effects_in(table):
    """Return the difference and whether it counts, by family and depths, of a printed table."""
    labels, effects = [], {}
    for line in table.splitlines()[2:]:
        *new, _, _, difference, _, _, counts = line.split()  # a label is not repeated
        labels = labels[: 3 - len(new)] + new
        effects[tuple(labels)] = {"difference": float(difference), "counts": counts == "True"}
    return effects


# Questions and exercises


def chapter(notebook, title):
    """Return the cells from a second-level heading to the next one."""
    cells = notebook.cells
    starts = [i for i, cell in enumerate(cells) if cell.source.startswith("## ")] + [len(cells)]
    here = next(i for i in starts if cells[i].source.startswith(f"## {title}"))
    return cells[here : starts[starts.index(here) + 1]]


@each_notebook
def test_the_answer_to_a_question_names_the_section_it_comes_from(notebook):
    (cell,) = chapter(notebook, "Questions to recall")
    answers = re.findall(r"<details>.*?</summary>(.*?)</details>", cell.source, re.DOTALL)
    assert len(answers) >= 4
    headings = [text for c in notebook.cells for text in re.findall(r"^##+ (.*)$", c.source, re.M)]
    for answer in answers:
        section = re.search(r'\(See "(.*)"\.\)\s*$', answer)
        assert section, answer
        assert section[1] in headings


@each_notebook
def test_each_exercise_has_a_difficulty_minutes_two_hints_a_stub_and_a_check(path, notebook):
    if path.stem.startswith("00"):
        return  # its small exercise is there to try out how exercises work
    assert sum("exercise" in tags(cell) for cell in notebook.cells) >= 3, "in lesson and chapter"
    cells = chapter(notebook, "Exercises")
    starts = [i for i, cell in enumerate(cells) if cell.source.startswith("### ")]
    assert starts
    for start, end in zip(starts, [*starts[1:], len(cells)]):
        text, exercise, check, *_ = cells[start:end]
        assert re.search(r"\n\*(Easy|Medium|Hard), \d+ minutes[,.*]", text.source), text.source
        assert text.source.count("<details>") == 2
        assert "exercise" in tags(exercise)
        assert "raise NotImplementedError" in exercise.source or ": None," in exercise.source
        assert "check" in tags(check)


@each_notebook
def test_a_solution_is_one_collapsed_cell_away_and_prints_nothing(notebook):
    """An answer in the lesson itself is collapsed too: the learner writes first."""
    for exercise, source in exercises(notebook):
        assert set(defined(exercise.source)) <= set(defined(source)), exercise.source
    cells = code_cells(notebook)
    for i, cell in enumerate(cells):
        follows_an_exercise = i > 1 and "check" in tags(cells[i - 1])
        if "solution" in tags(cell) or ("taught" in tags(cell) and follows_an_exercise):
            assert is_collapsed(cell), cell.source
            assert cell.outputs == []


@each_notebook
def test_nothing_above_a_stub_gives_its_answer_away(notebook):
    cells = code_cells(notebook)
    for i, cell in enumerate(cells):
        if "exercise" in tags(cell):
            answers = {re.sub("^(My|my_)", "", name) for name in defined(cell.source)}
            above = {name for earlier in cells[:i] for name in defined(earlier.source)}
            assert answers.isdisjoint(above), cell.source


@each_notebook
def test_an_exercise_without_an_answer_prints_one_line(notebook):
    for report in reports(notebook):
        assert UNANSWERED.fullmatch(report), report


@each_notebook
def test_without_a_guess_no_answer_is_given_away(notebook):
    """A cell that compares a guess prints nothing else; the answer comes below it."""
    for cell in code_cells(notebook):
        if "shapes.compare(" in cell.source:
            lines = "".join(text for out in cell.outputs for text in texts(out)).splitlines()
            assert lines, cell.source
            assert [line for line in lines if not line.endswith(NO_GUESS)] == []


@each_notebook
def test_each_figure_has_an_alternative_text(notebook):
    for cell in code_cells(notebook):
        for output in cell.outputs:
            data = output.get("data", {})
            if any(kind.startswith("image/") for kind in data):
                alternative = re.match(r'<img alt="([^"]{80,})"', data.get("text/html", ""))
                assert alternative, cell.source


# As they run


def files_of(folder):
    """Return the bytes of every file that git does not ignore."""
    ignored = {"__pycache__", ".ipynb_checkpoints", "build", ".cache", "checkpoints"}
    return {
        file: file.read_bytes()
        for file in folder.rglob("*")
        if file.is_file() and ignored.isdisjoint(file.relative_to(folder).parts)
    }


def with_answers(notebook):
    """Add below each exercise's check its solution, and the check again; return the notebook."""
    for exercise, solution in exercises(notebook):
        check = notebook.cells.index(exercise) + 1
        while "check" not in tags(notebook.cells[check]):
            check += 1
        again = deepcopy(notebook.cells[check])
        again.id += "-answered"  # no two cells have one id
        again.metadata.tags.append("answered")
        notebook.cells[check + 1 : check + 1] = [nbformat.v4.new_code_cell(solution), again]
    return notebook


def reports(notebook, answered=False):
    """Return what each check says, of exercises as they are handed out or of answered ones."""
    cells = [cell for cell in code_cells(notebook) if "check" in tags(cell)]
    cells = [cell for cell in cells if ("answered" in tags(cell)) == answered]
    return [cell.outputs[-1].data["text/plain"] for cell in cells]


@run_each_notebook
def test_it_runs_and_its_checks_accept_the_solutions_and_the_course_is_as_it_was(path, tmp_path):
    """As in JupyterLab, the working folder is notebooks/."""
    for name in ("notebooks", "utils"):
        shutil.copytree(ROOT / name, tmp_path / name)
    copy = tmp_path / "notebooks" / path.name
    nbformat.write(with_answers(nbformat.read(path, as_version=4)), copy)
    before = files_of(tmp_path)
    done = run_notebook(copy, "quick")
    assert complaints(done) == []
    assert headline(done)
    for report in reports(done):
        assert UNANSWERED.fullmatch(report), report
    assert reports(done, answered=True)
    for report in reports(done, answered=True):
        assert re.match(r".*: (\d+) of \1 answers are right\.\n", report), report
    assert files_of(tmp_path) == before


@pytest.mark.slow
def test_a_notebook_runs_in_a_folder_where_nothing_is(tmp_path):
    """As other programs run it; the environment knows where utils is."""
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    code_cells(notebook)[0].source = first_cell.HOME  # a published one would clone the course
    nbformat.write(notebook, tmp_path / NOTEBOOKS[0].name)
    done = run_notebook(tmp_path / NOTEBOOKS[0].name, "quick")
    assert complaints(done) == []
    assert headline(done)


@pytest.mark.usefixtures("numpy_mode")
@pytest.mark.parametrize("bad", ["another architecture", "cut short"])
@pytest.mark.slow
def test_06_refuses_a_bad_checkpoint_and_goes_on_with_a_network_of_its_own(bad, tmp_path):
    notebook = nbformat.read(NOTEBOOK_06, as_version=4)
    judged = next(i for i, cell in enumerate(notebook.cells) if "judged_on}" in cell.source)
    notebook.cells = notebook.cells[: judged + 1]
    code_cells(notebook)[0].source = first_cell.HOME
    nbformat.write(notebook, tmp_path / NOTEBOOK_06.name)
    file = tmp_path / "checkpoints" / "quick.zip"
    net = deep_network(8, Plain)
    train.initialize(net, seed=0, device=mx.cpu())
    checkpoint.save(file, net, Recipe().trainer(net, 1), settings={}, history={})
    if bad == "cut short":
        file.write_bytes(file.read_bytes()[:1000])
    done = run_notebook(tmp_path / NOTEBOOK_06.name, "quick")
    refusal, judgment = (cell.outputs[0].text for cell in code_cells(done)[-2:])
    assert re.search(r"\d+ arrays with [\d,]+ numbers", refusal)
    assert "In its place, ResNet-18 is trained here" in refusal
    assert judgment.startswith("ResNet-18 trained here, on few images: accuracy 0.")


# 09, beside PyTorch

CELLS_09 = code_cells(nbformat.read(NOTEBOOK_09, as_version=4))
FRAMEWORKS = ["keras==3.15.1", "jax==0.10.2", "flax==0.12.8", "optax==0.2.8"]
NUMBER = r"(\d\.\de[-+]\d+)"


def check_port(notebook):
    """MXNet and PyTorch agree in both modes and after a step, but for the running variances."""
    said = "\n".join(
        text for cell in code_cells(notebook) for o in cell.outputs for text in texts(o)
    )
    for mode in ("inference", "training"):
        (difference,) = re.findall(rf"^{mode} mode: largest difference {NUMBER}", said, re.M)
        assert float(difference) <= 1e-5, mode
    apart = dict(re.findall(rf"^(.*): moved by .* at most, {NUMBER} apart$", said, re.M))
    assert apart.keys() == {"weights", "running means", "running variances"}
    assert float(apart["weights"]) <= 1e-4
    assert float(apart["running means"]) <= 1e-4 < float(apart["running variances"])
    (error,) = re.findall(rf"the two columns are at most {NUMBER} apart", said)
    assert float(error) < 1e-3, "n / (n - 1) explains the difference"
    assert re.search(r"^PyTorch: scores .* ONNX: 100\.00% of [\d,]+ answers", headline(notebook))


def test_09_is_committed_with_its_comparison():
    """`make refresh` runs it with PyTorch."""
    check_port(nbformat.read(NOTEBOOK_09, as_version=4))


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.xdist_group("pytorch")
def test_09_runs_with_pytorch_and_accepts_what_a_learner_writes(tmp_path):
    """The stubs that need PyTorch are filled with what stands below them."""
    try:
        packages = run_course.pytorch()
    except NotebookError:
        pytest.skip("PyTorch is neither on this machine nor within reach of its network")
    notebook = nbformat.read(NOTEBOOK_09, as_version=4)
    cells = code_cells(notebook)
    cells[0].source = first_cell.HOME
    for stub, ours in {"MyTorchResidual": "TorchResidual", "my_torch_step": "torch_step"}.items():
        (cell,) = (cell for cell in cells if defined(cell.source) == [stub])
        (answer,) = (cell for cell in cells if defined(cell.source) == [ours])
        cell.source = re.sub(rf"\b{ours}\b", stub, answer.source)
    nbformat.write(notebook, tmp_path / NOTEBOOK_09.name)
    done = run_notebook(tmp_path / NOTEBOOK_09.name, "quick", packages=packages)
    assert complaints(done) == []
    check_port(done)
    said = "\n".join(text for cell in code_cells(done) for o in cell.outputs for text in texts(o))
    written = re.findall(rf"^(?:MyTorchResidual|my_torch_step): .*?{NUMBER}.*$", said, re.M)
    assert len(written) == 2
    assert all(float(difference) <= 1e-4 for difference in written)


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.xdist_group("pytorch")
def test_what_09_says_of_keras_and_flax_is_so(tmp_path):
    """In an environment of their own."""
    python = tmp_path / "bin" / "python"
    uv, env = Path(sys.executable).with_name("uv"), {**os.environ, "UV_SYSTEM_CERTS": "1"}
    subprocess.run([uv, "-q", "venv", "--python", sys.executable, tmp_path], check=True)
    if subprocess.run(
        [uv, "-q", "pip", "install", "--python", python, *FRAMEWORKS], env=env
    ).returncode:
        pytest.skip("Keras and Flax are not within reach of this machine's network")
    program = ROOT / "tests" / "keras_and_flax.py"
    done = subprocess.run([python, program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_without_pytorch_09_says_in_one_sentence_what_is_skipped(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)  # as if it were not installed
    (cell,) = (cell for cell in CELLS_09 if "import torch" in cell.source)
    names = {}
    exec(cell.source, names)
    assert (names["torch"], names["Module"]) == (None, object)
    (sentence,) = capsys.readouterr().out.splitlines()
    assert "PyTorch is not installed here" in sentence
    assert "is skipped" in sentence


# What 06 says is computed from its numbers


def say(*cell_ids, **numbers):
    """Return what cells of 06 print, given the numbers that the cells above them have made."""
    cells = {cell.id: cell.source for cell in nbformat.read(NOTEBOOK_06, as_version=4).cells}
    known = {"math": math, "numpy": numpy, "shapes": shapes, "plots": plots, **numbers}
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for cell_id in cell_ids:
            exec(cells[cell_id], known)
    return printed.getvalue()


def by_chance(accuracy, images):
    return math.sqrt(accuracy * (1 - accuracy) / images)


@pytest.mark.parametrize(
    ("after", "accuracy", "said"),
    [
        (0.25, 0.5, "1,000.0-fold growth at the start, 4.0-fold shrinking after one epoch"),
        (40.0, 0.5, "1,000.0-fold growth at the start, 40.0-fold growth after one epoch"),
        (40.0, 0.5, "plain 0.500, residual 0.400: the plain network is better"),
        (40.0, 0.3, "plain 0.300, residual 0.400: the residual network is better"),
        (40.0, 0.41, "plain 0.410, residual 0.400: no clear difference"),
    ],
)
def test_06_says_how_gradients_grow_and_which_network_is_better_as_measured(after, accuracy, said):
    start, end = "at the start", "after one epoch"
    growth = pandas.DataFrame({start: {"plain": 1000.0, "residual": 7.0}})
    growth[end] = [after, 3.0]
    measured = {
        "growth": growth,
        "accuracy": pandas.Series({"plain": accuracy, "residual": 0.4}),
        "small": SimpleNamespace(valid=range(500)),
        "my_ratio": None,
        "my_better": None,
    }
    assert said in say("l06compa", "l06saida", by_chance=by_chance, **measured)


def test_06_says_which_blocks_are_missed_as_measured():
    left = pandas.Series({"none": 0.9, "a": 0.89, "b": 0.5, "c": 0.8})
    given = {"by_chance": by_chance, "valid": range(1000)}
    said = say("8a63865c", left=left, **given)
    assert "missed least: a, +0.010 of accuracy lost\nmissed most: b, +0.400\n" in said
    assert "1 of 3 blocks cost less than 0.019" in said
    said = say("8a63865c", left=left.replace({0.8: 0.95, 0.5: 0.85}), **given)
    assert "missed least: c, -0.050 of accuracy lost\nmissed most: b, +0.050\n" in said
    assert "2 of 3 blocks cost less than 0.019" in said


@pytest.mark.parametrize(
    ("lost", "said"), [([1, 2, 3, 4, 5, 6], "+1.00"), ([6, 5, 4, 3, 2, 1], "-1.00")]
)
def test_06_says_whether_longer_steps_cost_more_as_measured(lost, said):
    names = list("abcdef")
    left = pandas.Series(-numpy.array(lost) / 10, names)
    left["none"] = 0.0
    printed = say(
        "b1c465de",
        "36moved1",
        lesions=lambda net, size: left,
        net=None,
        ratio={name: float(i) for i, name in enumerate(names)},
        pandas=pandas,
        my_guess="less",
    )
    assert f"rank correlation over 6 blocks: {said}" in printed
    assert ("Right: less." in printed) == (said == "-1.00")
    assert ("but it is more." in printed) == (said == "+1.00")


def test_06_says_which_rows_of_the_loss_log_count_as_stored():
    """In a copy of the stored results, other numbers make other sentences."""
    stored = experiments.stored("loss_log")
    changed = deepcopy(stored)
    for run in changed["runs"]:
        run["train_loss"][-1] = 0.9 if run["change"] == "+ shortcut" else 0.1 + 0.001 * run["seed"]
    cells = ("37ac0817", "c572ed57", "l06said9")
    given = {"my_largest": None, "my_nothing": None}
    first, second = (
        say(*cells, experiments=SimpleNamespace(**{**vars(experiments), "stored": fake}), **given)
        for fake in (lambda name: stored, lambda name: changed)
    )
    assert "largest fall of the training loss: + shortcut, -" in first
    assert "largest fall of the training loss: + normalized shortcut, -0.79" in second
    assert "training loss, counts: + shortcut +0.79" in second
    assert "− convolution biases +0.000" in second.split("training loss, does not count: ")[1]


# As the toolbox repeats it


class Bare(ast.NodeTransformer):
    """Strips docstrings, types and the toolbox's checks, so that what is taught is left."""

    def visit_FunctionDef(self, node):
        node.returns = None
        self.bare_body(node)
        handed_on = ", ".join(argument.arg for argument in node.args.args[1:])
        only_checks = ast.unparse(node.body) == f"return super().{node.name}({handed_on})"
        return None if only_checks else node

    def visit_ClassDef(self, node):
        return self.bare_body(node)

    def bare_body(self, node):
        if ast.get_docstring(node) is not None:
            node.body = node.body[1:]
        return self.generic_visit(node)

    def visit_arg(self, node):
        node.annotation = None
        return node

    def visit_AnnAssign(self, node):
        if node.value is None:
            return None
        return ast.copy_location(ast.Assign([node.target], node.value), node)

    def visit_Expr(self, node):
        names = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        return None if isinstance(node.value, ast.Call) and "_guards" in names else node


def definitions(source):
    """Return the stripped text of each class and function that a source defines, by name."""
    kinds = (ast.ClassDef, ast.FunctionDef)
    nodes = [node for node in ast.parse(source).body if isinstance(node, kinds)]
    return {node.name: ast.unparse(Bare().visit(node)) for node in nodes}


COMPILED = {
    "nn.Block": "nn.HybridBlock",
    "npx.relu": "nn.Activation('relu')",
    "def forward(self, X)": "def hybrid_forward(self, F, X)",
    "nn.Sequential": "nn.HybridSequential",
}


def compiled(source):
    """Return a definition as the toolbox has it: in the form that MXNet compiles (notebook 04)."""
    for plain, hybrid in COMPILED.items():
        source = source.replace(plain, hybrid)
    return source


@each_notebook
def test_code_taught_is_the_code_in_the_toolbox(notebook):
    toolbox = {}
    for module in TOOLBOX:
        toolbox.update(definitions(module.read_text(encoding="utf-8")))
    for cell in code_cells(notebook):
        if "taught" in tags(cell):
            taught = definitions(cell.source)
            assert taught, f"tagged `taught`, but defines nothing:\n{cell.source}"
            for name in taught.keys() - COMPARED_AS_THEY_RUN - TAUGHT_ALONE:
                assert toolbox.get(name) in (taught[name], compiled(taught[name])), name


def test_the_comparison_overlooks_only_docstrings_types_and_guards():
    taught = definitions("def double(x, times=2):\n    y = times * x\n    return y")
    added = """
def double(x: int, times: int = 2) -> int:
    'Return the double.'
    _guards.check_positive(x=x)
    _guards.check_addable(x, x)
    y: int = times * x
    return y
"""
    assert definitions(added) == taught
    assert definitions(added.replace("= 2", "= 3")) != taught
    assert definitions(added.replace("return y", "return -y")) != taught
    assert definitions(added.replace("_guards.check_positive", "print")) != taught


def test_the_comparison_overlooks_a_method_that_only_checks_and_hands_on():
    taught = definitions("class Layer(Block):\n    size = 1")
    added = """
class Layer(Block):
    size = 1
    def forward(self, X):
        _guards.check_images(X)
        return super().forward(X)
"""
    assert definitions(added) == taught
    assert definitions(added.replace("forward(X)", "forward(2 * X)")) != taught
