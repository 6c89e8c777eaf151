"""Notebooks that work alone, and the address of the course: `make colab` and `make publish`."""

import ast
import hashlib
import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest

import colab
import first_cell
import pack_colab
import publish
import published
import translate
from environments import mirror
from notebooks import NOTEBOOKS, ROOT, code_cells, notebook_paths, save
from utils.setup import fetch

FIRST, SECOND = "https://github.com/one/course", "https://github.com/another/a-course.of-hers"
needs_git = pytest.mark.skipif(shutil.which("git") is None, reason="no git on this machine")
SHORT = NOTEBOOKS / "02_residual_block.ipynb"


def run_cell(source, cwd, home, then="print(sys.path[0], utils.__file__)", **settings):
    """Run a first cell, and code after it, in a Python of its own; return the finished process."""
    code = f"{source}\n{then}"
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "CUDA_VISIBLE_DEVICES": ""}
    environment |= {"no_proxy": "127.0.0.1", **settings}
    command = [sys.executable, "-c", "import sys; exec(sys.stdin.read())"]
    return subprocess.run(
        command, cwd=cwd, env=environment, input=code, capture_output=True, text=True, timeout=120
    )


# Packed


@pytest.mark.slow
@pytest.mark.parametrize("offline", [False, True])
def test_the_toolbox_inside_is_the_one_beside(tmp_path, offline):
    """Every file, but nothing that Python has cached; the sample is in the offline form alone."""
    run = run_cell(first_cell.alone(offline), tmp_path, tmp_path)
    assert run.returncode == 0, run.stderr
    assert str(tmp_path) in run.stdout
    beside, unpacked = ROOT / "utils", tmp_path / "residual-networks" / "utils"
    assert (unpacked / "sample").exists() == offline
    if offline:
        assert fetch.read_folder(unpacked / "sample", fetch.SAMPLE_FILES)
    assert _files(unpacked) == _files(beside)


def _files(folder):
    """The contents of all files, by path, without the data and what Python has cached."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not {"__pycache__", "sample"} & {*path.relative_to(folder).parts}
    }


@pytest.mark.parametrize("path", notebook_paths(), ids=lambda path: path.stem)
def test_a_packed_notebook_is_small_and_has_no_long_line(path, tmp_path):
    """Editors are slow with a line of megabytes, and some open none."""
    packed = tmp_path / path.name
    save(colab.pack(path, first_cell.alone(), ""), packed)
    assert packed.stat().st_size < 400_000
    assert max(map(len, packed.read_text("utf-8").splitlines())) < 2000


@pytest.mark.slow
@pytest.mark.parametrize("options", [[], ["--offline"]])
def test_the_command_packs_either_form(options, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(pack_colab, "ROOT", tmp_path)
    monkeypatch.setattr(pack_colab, "OUTPUT", tmp_path / "colab")
    monkeypatch.setattr(pack_colab, "notebook_paths", lambda folder: [folder / SHORT.name])
    monkeypatch.setattr(sys, "argv", ["pack_colab.py", *options])
    pack_colab.main()
    english, chinese = (
        nbformat.read(tmp_path / "colab" / folder / SHORT.name, as_version=4)
        for folder in ("", "zh")
    )
    source = code_cells(english)[0].source
    assert source == first_cell.alone(offline=bool(options))
    assert code_cells(chinese)[0].source == source + '\n\nutils.language("zh")'
    assert ("a sample of its data" in source.splitlines()[0]) == bool(options)
    assert ("3." if options else "0.") in capsys.readouterr().out.split("  ")[1]


@pytest.mark.parametrize(
    ("setting", "offline"),
    [("", False), ("OFFLINE=", False), ("OFFLINE=0", False), ("OFFLINE=1", True)],
)
@pytest.mark.parametrize("command", ["colab", "assignment"])
def test_make_packs_the_offline_form_when_asked(command, setting, offline):
    dry = ["make", "--dry-run", command, *filter(None, [setting])]
    printed = subprocess.check_output(dry, cwd=ROOT, text=True)
    assert ("--offline" in printed) == offline


# The data of a packed notebook. In these Pythons, the sample stands for all of it.

STAND_IN = "from utils.setup import fetch; fetch.FILES.update(fetch.SAMPLE_FILES); "
STAND_IN += "fetch.MIRRORS[:] = ['{address}']; fetch._download.has_apt = lambda: False; "
STAND_IN += "fetch.DEBIAN_FOLDER = fetch.Path('nowhere'); from utils import data; "
DIGEST = """
import hashlib
print(data.load("quick").source)
splits = [getattr(data.load("quick"), name) for name in ("train", "valid", "test")]
print(hashlib.sha256(b"".join(split.images.tobytes() for split in splits)).hexdigest())
"""
CACHE = ".cache/residual-networks/fashion-mnist"


def quick_images(sample):
    splits = (sample.train, sample.valid, sample.test)
    return hashlib.sha256(b"".join(split.images.tobytes() for split in splits)).hexdigest()


@pytest.mark.slow
@pytest.mark.parametrize("offline", [False, True])
def test_both_forms_give_the_same_few_images(tmp_path, sample, offline):
    """One takes them out of what a mirror sends, the other carries them."""
    with mirror.serving(fetch.sample()[1]) as data:
        then = STAND_IN.format(address=data.address) + DIGEST
        run = run_cell(first_cell.alone(offline), tmp_path, tmp_path, then)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split()[-1] == quick_images(sample)
    assert "verified by the SHA-256" in run.stdout
    assert len(data.asked) == (0 if offline else 4), "the second call finds them in the cache"
    assert (tmp_path / CACHE).exists() != offline


@pytest.mark.slow
@pytest.mark.parametrize("budget", ["quick", "full"])
def test_without_mirror_and_sample_a_sentence_says_what_to_do_and_it_works(tmp_path, budget):
    then = STAND_IN.format(address="http://127.0.0.1:9/") + f"data.load('{budget}')"
    run = run_cell(first_cell.alone(), tmp_path, tmp_path, then)
    sentence = run.stderr.strip().splitlines()[-1]
    assert "Fashion-MNIST could not be fetched" in sentence
    assert "`make colab OFFLINE=1`" in sentence
    assert all(f"{name}.gz" in sentence for name in fetch.FILES)
    (folder,) = re.findall(r"%env FASHION_MNIST_DIR=(.*?)`", sentence)
    for name in fetch.FILES:
        shutil.copy(fetch.SAMPLE_FOLDER / f"{name}.gz", folder)
    run = run_cell(first_cell.alone(), tmp_path, tmp_path, then, FASHION_MNIST_DIR=folder)
    assert run.returncode == 0, run.stderr


@pytest.mark.slow
def test_a_mirror_with_other_contents_is_refused(tmp_path):
    wrong = {name: contents[:-1] + b"?" for name, contents in fetch.sample()[1].items()}
    with mirror.serving(wrong) as data:
        then = STAND_IN.format(address=data.address) + "data.load('quick')"
        run = run_cell(first_cell.alone(), tmp_path, tmp_path, then)
    assert run.stdout.count("has the wrong contents") == 4
    assert "Fashion-MNIST could not be fetched" in run.stderr.strip().splitlines()[-1]
    assert list((tmp_path / CACHE).iterdir()) == []


def test_at_home_the_same_cell_does_nothing(tmp_path):
    """Beside the toolbox it prints nothing, writes nothing, and imports the toolbox."""
    (tmp_path / "notebooks").mkdir()
    shutil.copytree(ROOT / "utils", tmp_path / "utils")
    run = run_cell(first_cell.alone(), tmp_path / "notebooks", tmp_path)
    assert run.stdout.split() == ["..", str(tmp_path / "notebooks/../utils/__init__.py")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notebooks", "utils"]


def test_packing_twice_gives_the_same_text():
    """The times of the files do not matter."""
    packed = first_cell.archive()
    os.utime(ROOT / "utils" / "__init__.py")
    assert first_cell.archive() == packed


@pytest.mark.parametrize("path", notebook_paths(), ids=lambda path: path.stem)
def test_a_packed_notebook_needs_no_file_beside_it(path):
    """No link to a file beside it, no output; its long first cell is folded."""
    notebook = colab.pack(path, "first cell", "")
    assert [cell for cell in code_cells(notebook) if cell.outputs or cell.execution_count] == []
    for cell in notebook.cells:
        assert not re.search(r"\]\((?!https?:)", cell.source) or cell.cell_type == "code"
    first = code_cells(notebook)[0]
    assert first.source == "first cell"
    assert first.metadata["cellView"] == "form"
    nbformat.validate(notebook)


def test_once_published_its_links_lead_to_colab_and_to_the_repository():
    text = "\n".join(cell.source for cell in colab.pack(SHORT, "", FIRST).cells)
    assert "colab.research.google.com/github/one/course/blob/main/notebooks/03_layer" in text
    start = colab.pack(notebook_paths()[0], "", FIRST)
    assert f"({FIRST}/blob/main/notebooks/errors.md)" in str(start.cells)


# Published


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A function that publishes a copy of the course and returns the text of each changed file."""
    shutil.copy(ROOT / "README.md", tmp_path)
    shutil.copytree(NOTEBOOKS, tmp_path / "notebooks", ignore=shutil.ignore_patterns("checkpoints"))
    shutil.copytree(ROOT / "translations", tmp_path / "translations")
    monkeypatch.setattr(publish, "ROOT", tmp_path)
    monkeypatch.setattr(published, "ROOT", tmp_path)
    monkeypatch.setattr(
        publish, "notebook_paths", lambda: sorted((tmp_path / "notebooks").glob("[0-9]*.ipynb"))
    )

    def stamp(address):
        monkeypatch.setattr(sys, "argv", ["publish.py", address])
        publish.main()
        changed = [tmp_path / "README.md", *publish.notebook_paths()]
        return {path.name: path.read_text("utf-8") for path in changed}

    return stamp


def test_before_it_is_published_no_badge_points_anywhere():
    """This holds for the repository as long as its README names no address."""
    if published.address():
        pytest.skip(f"published at {published.address()}")
    for path in [ROOT / "README.md", *notebook_paths()]:
        text = path.read_text("utf-8")
        assert colab.BADGE_IMAGE not in text
        assert colab.BINDER_IMAGE not in text


def test_the_address_stands_in_the_readme_and_in_every_notebook(course):
    stamped = course(FIRST)
    assert f"git clone {FIRST}\n" in stamped["README.md"]
    assert published.address() == FIRST
    for name, text in stamped.items():
        notebook = "00_start_here.ipynb" if name == "README.md" else name
        assert f"{colab.link(FIRST, notebook)}" in text
        assert f"mybinder.org/v2/gh/one/course/main?urlpath=lab/tree/notebooks/{notebook}" in text


def test_the_chinese_edition_follows_and_its_badges_open_it(course, tmp_path):
    course(FIRST)
    assert translate.check(tmp_path) == []
    path = tmp_path / "notebooks_zh" / SHORT.name
    badges = nbformat.read(path, as_version=4).cells[1].source
    assert f"one/course/blob/main/notebooks_zh/{SHORT.name}" in badges
    assert f"urlpath=lab/tree/notebooks_zh/{SHORT.name}" in badges
    readme = (tmp_path / "README.zh-CN.md").read_text("utf-8")
    assert f"git clone {FIRST}\n" in readme
    assert "/notebooks/" not in readme


def test_another_address_takes_the_place_of_the_first(course):
    first = course(FIRST)
    second = course(SECOND + ".git")
    for name, text in first.items():
        moved = text.replace(FIRST, SECOND).replace("one/course", "another/a-course.of-hers")
        assert second[name] == moved.replace("\ncd course\n", "\ncd a-course.of-hers\n")
    assert course(SECOND) == second


def test_a_published_notebook_keeps_its_form(course):
    """Title first, badges second, a first cell that is short enough, and all else as it was."""
    course(FIRST)
    for path in publish.notebook_paths():
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        before = nbformat.read(NOTEBOOKS / path.name, as_version=4)
        before.cells = [cell for cell in before.cells if not colab.has_badges(cell)]
        assert colab.has_badges(notebook.cells.pop(1))
        first = code_cells(notebook)[0]
        assert len(first.source.splitlines()) <= 15
        ast.parse(first.source)
        first.source = code_cells(before)[0].source
        assert notebook == before


@pytest.mark.parametrize(
    "address", ["", "owner/name", "https://github.com/owner", "https://gitlab.com/owner/name"]
)
def test_an_address_that_colab_cannot_open_is_refused(address, course):
    with pytest.raises(SystemExit, match="make publish REPO="):
        course(address)


@needs_git
@pytest.mark.slow
def test_a_published_notebook_alone_clones_the_course(tmp_path):
    """An address on this disk stands in for the published one."""
    origin, alone = tmp_path / "origin", tmp_path / "alone"
    alone.mkdir()
    shutil.copytree(ROOT / "utils", origin / "utils")
    author = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    for command in (["init", "-q"], ["add", "-A"], [*author, "commit", "-qm", "x"]):
        subprocess.run(["git", "-C", origin, *command], check=True)
    cell = first_cell.at_home(f"file://{origin}")
    for _ in range(2):  # the second time it is there
        run = run_cell(cell, alone, tmp_path)
        assert run.returncode == 0, run.stderr
        assert str(alone / "residual-networks" / "utils") in run.stdout


@needs_git
def test_without_network_the_clone_says_what_to_do(tmp_path):
    run = run_cell(first_cell.at_home("http://127.0.0.1:9/owner/name"), tmp_path, tmp_path)
    assert "Check the network, delete residual-networks" in run.stderr
