"""The page of errors: every message on it comes from an example that was run."""

import re
import subprocess
import sys

import pytest

import error_page
from error_entries import SECTIONS, SILENCES, Mistake


@pytest.fixture(scope="module")
def committed():
    return error_page.PAGE.read_text(encoding="utf-8")


def test_page_says_what_its_examples_say_today(committed, tmp_path):
    """All of them are run, the mended ones too. `make refresh` makes the page again."""
    made = tmp_path / "errors.md"
    subprocess.run([sys.executable, error_page.__file__, made], check=True)
    assert made.read_text(encoding="utf-8") == committed


def test_page_shows_nothing_of_the_machine_or_of_one_run(committed):
    """No path, no place in MXNet's source, no time, no address, no stack trace."""
    assert (
        re.findall(r"/\w+/|\w\.(?:cc|h|py):\d|\d\d:\d\d:\d\d|0x[0-9a-f]+|Traceback", committed)
        == []
    )


def test_every_entry_is_on_the_page_and_no_two_have_one_heading(committed):
    headings = [f"### `{mistake.words}`" for part in SECTIONS.values() for mistake in part]
    headings += [f"### {silence.title}" for silence in SILENCES]
    assert re.findall("^### .*$", committed, re.MULTILINE) == headings
    assert len(set(headings)) == len(headings)


@pytest.mark.parametrize("alone", [False, True], ids=["notebook", "Python alone"])
def test_an_example_that_raises_nothing_is_refused(alone):
    harmless = Mistake(words="never said", wrong="x = 1", cause="", cure="", alone=alone)
    with pytest.raises(error_page.EntryError, match=r"'never said' raises nothing:\nx = 1"):
        error_page.message(harmless)


def test_the_script_ends_with_that_sentence_and_leaves_the_page(monkeypatch, committed):
    harmless = Mistake(words="never said", wrong="x = 1", cause="", cure="")
    monkeypatch.setattr(error_page, "SECTIONS", {"Shapes": [harmless]})
    with pytest.raises(SystemExit, match="raises nothing"):
        error_page.main()
    assert error_page.PAGE.read_text(encoding="utf-8") == committed


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        pytest.param({"words": "other words"}, "raises ZeroDivisionError", id="another message"),
        pytest.param({"until": "words"}, "cannot end with 'words'", id="another end"),
        pytest.param({"also": ("x = 1",)}, "raises nothing", id="a second example that runs"),
    ],
)
def test_an_example_that_says_something_else_is_refused(entry, complaint):
    fields = {"words": "division by zero", "wrong": "1 / 0", "cause": "", "cure": ""}
    with pytest.raises(error_page.EntryError, match=complaint):
        error_page.message(Mistake(**{**fields, **entry}))


def test_a_cure_that_does_not_help_is_refused():
    with pytest.raises(error_page.EntryError, match="should run, but raises ZeroDivisionError"):
        error_page.printed("1 / 0")
    absent = Mistake(words="zero", wrong="1 / 0", cause="", cure="", mend=("/ 2", "/ 3"))
    with pytest.raises(error_page.EntryError, match="must hold '/ 2' once"):
        error_page.mended(absent)


def test_examples_do_not_meet_one_another(monkeypatch):
    """Names of layers are counted from zero, and folder and environment are put back."""
    monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    example = (
        'assert "FASHION_MNIST_DIR" not in os.environ and not list(Path(".").iterdir())\n'
        'os.environ["FASHION_MNIST_DIR"] = "."\n'
        'Path("file").touch()\n'
        "print(nn.Dense(1).name)"
    )
    assert [error_page.printed(example) for _ in range(2)] == ["dense0", "dense0"]


def test_a_block_with_hybrid_forward_runs_in_python_once():
    """The silent example of `forward` says so."""
    silence = next(one for one in SILENCES if "forward(self, X)" in one.wrong)
    compiled = silence.wrong.replace("forward(self, X)", "hybrid_forward(self, F, X)")
    compiled = compiled.replace("npx.relu", "F.npx.relu")
    assert error_page.printed(compiled) == "Python runs"
