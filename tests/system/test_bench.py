"""The benchmark: its measurements run, and its report follows from the results."""

import json
import re
import subprocess
import sys

import pytest

from bench import parts, report
from generated import block
from notebooks import ROOT
from pictures import described

RUN = {"seconds": [60, 120, 180], "valid_accuracy": [0.85, 0.91, 0.92], "test_accuracy": 0.919}
SLOW = {"seconds": [90, 180, 270], "valid_accuracy": [0.85, 0.90, 0.91], "test_accuracy": 0.912}


def results(**measured):
    where = {"run": "one run", "machine": "a machine"}
    return {name: {"is": value, **where} for name, value in measured.items()}


def throughput(course, pytorch, d2l):
    medians = {"course 96": course, "pytorch 96": pytorch, "d2l 96": d2l, "matrix": 100_000.0}
    medians |= {"course 28": 9, "pytorch 28": 9, "d2l 28": 9, "inputs 96": 9, "inputs 28": 9}
    return {"medians": medians, "all": {}, "macs_per_image": {"96": 500.0, "28": 50.0}}


def verdict(goal, **measured):
    (line,) = (line for line in report.verdicts(results(**measured)) if goal in line)
    return line


@pytest.mark.parametrize(
    ("course", "said"), [(200, "reached      .*ratio 1.60"), (120, "NOT reached  .*ratio 0.96")]
)
def test_a_goal_is_reached_or_not_with_the_ratio(course, said):
    line = verdict("PyTorch", throughput=throughput(course, 100, 50))
    assert re.match(said, line), line


def test_without_pytorch_the_others_are_compared():
    measured = throughput(200, 100, 50)
    del measured["medians"]["pytorch 96"], measured["medians"]["pytorch 28"]
    lines = report.verdicts(results(throughput=measured))
    assert not any("PyTorch" in line for line in lines)
    assert any("times d2l's throughput: 4 (at least 2.3" in line for line in lines)


def test_the_time_to_an_accuracy_is_the_end_of_the_first_epoch_that_has_it():
    assert report.seconds_to(RUN, 0.90) == 120
    assert report.seconds_to(RUN, 0.93) is None


def test_a_run_that_never_gets_there_counts_against_the_median():
    assert verdict("0.918", seeds=[RUN, RUN, SLOW]).startswith("reached")
    assert verdict("0.918", seeds=[RUN, SLOW, SLOW]).startswith("NOT reached")


def test_the_spread_is_that_of_the_test_accuracies():
    assert "0.007 (at most 0.006; ratio 0.86)" in verdict("spread", seeds=[RUN, SLOW])


def test_the_time_of_d2l_is_extrapolated_from_its_rate_and_its_epochs():
    seconds = report.d2l_seconds(results(throughput=throughput(200, 100, 50)))
    assert seconds == 10 * 60_000 / 50


def test_figures_of_two_runs_form_no_ratio():
    """The second may come from another machine, or from a busy one."""
    measured = results(throughput=throughput(200, 100, 50), seeds=[RUN, RUN])
    assert any("times sooner there than d2l's" in line for line in report.verdicts(measured))
    measured["seeds"]["run"] = "another run"
    *_, last = report.verdicts(measured)
    assert not any("times sooner" in line for line in report.verdicts(measured))
    assert "two runs" in last
    assert 'make bench PARTS="throughput seeds"' in last


def test_the_table_says_on_which_machine_each_run_measured_what():
    measured = results(throughput=throughput(200, 100, 50), seeds=[RUN], tools={})
    measured["seeds"] |= {"run": "another run", "machine": "another machine"}
    text = report.table(measured)
    assert "On a machine: throughput in the run of one run; tools in the run of one run." in text
    assert "On another machine: seeds in the run of another run." in text


@pytest.mark.parametrize(
    ("left_out", "said"), [([], "2.0 times PyTorch, 4.0 times d2l"), (["pytorch"], "4.0 times d2l")]
)
def test_the_figure_says_how_many_times_faster(left_out, said):
    measured = throughput(200, 100, 50)
    measured["all"] = {name: [rate] * 3 for name, rate in measured["medians"].items()}
    for name in left_out:
        del measured["medians"][f"{name} 96"]
    drawing = report.figure(results(throughput=measured, seeds=[RUN, SLOW]))
    rates, accuracies = drawing.axes
    assert "At 96×96 pixels, this course: 200; " in drawing.alt
    assert ("PyTorch, eager: 100" in drawing.alt) is not bool(left_out)
    assert "The recipe, 2 runs: 0.850 after the first epoch, 0.910 to 0.920 at best" in drawing.alt
    assert "it ends after 3.0 to 4.5 minutes" in drawing.alt
    assert rates.get_title().endswith(f"at 96×96: {said}")
    assert len([line for line in accuracies.lines if len(line.get_xdata()) == 3]) == 2


@pytest.mark.slow
def test_a_measurement_runs_and_says_what_it_needed():
    measured = parts.course("step", batch=8, steps=1)
    assert measured["images_per_second"] == pytest.approx(8 / measured["seconds"])
    assert measured["peak_mib"] > 100


@pytest.mark.slow
def test_the_multiplications_of_a_step_follow_from_the_layers():
    """Counted by hand for an input of 32x32: forward, and for both kinds of gradients."""
    small, large = (parts.course("costs", size=32, batch=batch)["macs"] for batch in (1, 2))
    assert large == 2 * small
    stem, stage1 = 64 * 49 * 16**2, 4 * 64 * 64 * 9 * 8**2
    stages = sum((64 * 2**i) ** 2 * (8 / 2**i) ** 2 * (9 / 2 + 3 * 9 + 1 / 2) for i in range(1, 4))
    assert small == 2 * stem + 3 * (stage1 + stages + 512 * 10)


@pytest.mark.slow
def test_a_measurement_that_fails_says_so_with_its_last_words():
    with pytest.raises(RuntimeError, match=r"course\.py step --size 0 failed(.|\n)*size is 0"):
        parts.course("step", size=0)


def test_where_pytorch_cannot_be_installed_it_is_left_out_with_a_sentence(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(parts, "BUILD", tmp_path)
    monkeypatch.setattr(parts, "PYTORCH", "no-such-package==1")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert parts.pytorch() is None
    assert "PyTorch is left out: no-such-package==1 could not be" in capsys.readouterr().out


@pytest.mark.slow
def test_a_part_that_does_not_exist_is_refused_with_those_that_do():
    command = [sys.executable, "-m", "bench", "speed"]
    refused = subprocess.run(command, cwd=ROOT / "tools", capture_output=True, text=True)
    assert refused.returncode == 2
    assert "there is no part 'speed'; there are throughput, seeds" in refused.stderr


def test_the_table_on_its_page_is_that_of_the_stored_results():
    stored = json.loads(report.RESULTS.read_text("utf-8"))
    assert block(report.PAGE, "benchmark") == report.table(stored)


def test_the_page_says_in_words_what_its_figure_shows():
    """`make bench` writes both."""
    drawing = report.figure(json.loads(report.RESULTS.read_text("utf-8")))
    page = report.PAGE.read_text("utf-8")
    assert described(page, "bench", drawing.alt) == page
