"""The verdict on one item."""

import numpy
import pytest

from grader import limits
from grader.answers import Answers
from grader.jail import Ending, Jail
from grader.marking import Item, diagnoses, difference, inequality, mark, unanswered, unusable
from jailed import frames
from jailed.frames import Frame
from utils.student import VARIANTS

RIGHT = Frame(0, arrays=[numpy.linspace(0, 1, 12).reshape(3, 4), numpy.array(5.0)])


def changed(first):
    return Frame(0, arrays=[first, numpy.array(5.0)])


@pytest.mark.parametrize("factor", [1, 1 + 1e-5])
def test_the_same_numbers_are_right(factor):
    assert difference(RIGHT, changed(RIGHT.arrays[0] * factor)) == ""


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (Frame(0, error="KeyError"), "raised KeyError"),
        (Frame(0, error="SystemExit"), "raised SystemExit"),
        (Frame(0, error="MXNetError"), "raised MXNetError"),
        (Frame(0, error="Height40487"), "raised an error"),
        (Frame(0, error="print"), "raised an error"),
        (Frame(0, error="EndlessError"), "did not finish in time"),
        (Frame(0, error="MissingError"), "ends before it defines"),
        (Frame(0, error="MissingError", text="KeyError"), "raised KeyError before it defined"),
        (Frame(0, error="MissingError", text="Height40487"), "raised an error before it defined"),
        (Frame(0, error="MissingError", text="EndlessError"), "did not finish in time"),
        (changed(RIGHT.arrays[0] * numpy.nan), "not finite"),
        (changed(RIGHT.arrays[0] + numpy.inf), "not finite"),
    ],
)
def test_a_sentence_says_why_a_frame_cannot_be_compared(given, sentence):
    assert sentence in unusable(given)
    assert unusable(given).endswith(".")


def test_a_missing_answer_is_explained_by_what_stopped_the_code():
    stopped = "It did not end within 60 seconds."
    assert unanswered(stopped) == f"Your code gave no answer. {stopped}"
    assert unanswered() == "Your code gave no answer."


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (Frame(0), "the wrong shape"),
        (changed(RIGHT.arrays[0].T), "the wrong shape"),
        (changed(RIGHT.arrays[0] * 2), "Only 15% of the numbers"),
        (
            Frame(0, arrays=[numpy.full((3, 4), 9.0), numpy.array(9.0)]),
            "Fewer than 1% of the numbers",
        ),
        (changed(RIGHT.arrays[0] + numpy.eye(3, 4) / 99), "Only 76% of the numbers"),
    ],
)
def test_a_difference_is_described_without_any_of_the_numbers(given, sentence):
    assert sentence in difference(RIGHT, given)


def test_whole_numbers_have_no_tolerance():
    right, near = (Frame(0, arrays=[numpy.array(count)]) for count in (11_178_378.0, 11_178_379.0))
    assert difference(right, near) == ""
    assert inequality(right, near) == "The number is wrong."
    assert inequality(right, right) == ""


class Forged(Jail):
    """A jail whose program answers the only request with `text`."""

    text = ""

    def run(self, program, given=b""):
        sent = [Frame(frames.STARTED), Frame(frames.READY), Frame(0, text=self.text)]
        return Ending(b"".join(map(frames.write, sent)), "")


@pytest.mark.parametrize("text", ["no shortcut", "1x1 convolution always", "x" * 80])
def test_the_name_of_a_mistake_is_passed_on(text, monkeypatch):
    monkeypatch.setattr(Forged, "text", text)
    assert diagnoses([], {"block": "check"}, Forged(limits.read().jail, {})) == {"block": text}


@pytest.mark.parametrize(
    "text", ["", " no shortcut", "<script>", "no\nshortcut", "x" * 81, "naïve", "100% right", "\0"]
)
def test_a_text_that_is_not_the_name_of_a_mistake_is_dropped(text, monkeypatch):
    monkeypatch.setattr(Forged, "text", text)
    assert diagnoses([], {"block": "check"}, Forged(limits.read().jail, {})) == {}


def test_an_answer_that_uses_a_broken_one_is_explained_by_it():
    class Unnamed(Jail):
        def run(self, program, given=b""):
            sent = [Frame(frames.STARTED), Frame(frames.READY), Frame(0, error="NameError")]
            return Ending(b"".join(map(frames.write, sent)), "")

    item = Item("total", "Its sum", 2, {})
    found = Answers({"total": "def total(): return part()"}, broken="SyntaxError in line 3: it is.")
    jail = Unnamed(limits.read().jail, {})
    (marked,) = mark([], found, [item], [{}], VARIANTS[0], jail)
    assert marked.points == 0
    assert marked.why == (
        "Your code raised NameError. Another cell of the notebook cannot run. SyntaxError in line "
        "3: it is."
    )
