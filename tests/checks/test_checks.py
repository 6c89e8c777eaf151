"""The checks: every wrong version gets its diagnosis, every right one passes."""

import contextlib
import gc
import os
import random
import re
import signal
import time
import weakref

import mxnet as mx
import numpy
import pytest
from answers import RIGHT, SHAPES, WRONG
from matplotlib import pyplot as plt
from mxnet import autograd, init, np, npx
from mxnet.gluon import nn
from right_blocks import RIGHT_BLOCKS
from wrong_blocks import Layers, ShortcutTwice
from wrong_exercises import convolution_scaled

from utils import checks, data, train
from utils.checks import _ask, _errors
from utils.resnet import Residual, resnet18

NO_RESULT = {"does not end", "raises an error"}
# A report is made once, for all tests. In random order, the first of these may have to make each.
asks_all_versions = pytest.mark.timeout(1800)


def each_of(versions):
    """Return all versions as parameters; of each quick check, a fast run takes the first one."""
    parameters, checked = [], {"resnet34", "zoo_resnet18"}
    for version in versions:
        marks = [pytest.mark.slow] if version.check in checked else []
        parameters.append(pytest.param(version, id=str(version), marks=marks))
        checked.add(version.check)
    return parameters


@pytest.mark.xdist_group("versions")
@pytest.mark.parametrize("version", each_of(WRONG))
def test_a_wrong_version_gets_its_diagnosis(version):
    assert version.report.diagnosis == version.diagnosis, version.report


@pytest.mark.parametrize("version", each_of(RIGHT))
def test_a_right_version_in_any_style_passes(version):
    assert version.report.passed, version.report


@pytest.mark.slow
@asks_all_versions
@pytest.mark.xdist_group("versions")
def test_no_question_is_idle():
    """Without any one of the questions, a wrong version would pass."""
    asked, needed = {}, set()
    for version in WRONG:
        answers = version.report.answers
        wrong = [answer for answer in answers if not answer.passed]
        for answer in answers:  # a question that checks share is named after the first of them
            asked.setdefault((answer.name, answer.question), f"{version.check}: {answer.name}")
        if len(wrong) == 1:
            needed.add((wrong[0].name, wrong[0].question))
    assert [label for question, label in asked.items() if question not in needed] == []


def test_each_check_has_wrong_and_right_versions():
    names = set(checks.__all__) - {"Report"}
    assert {version.check for version in WRONG} == {version.check for version in RIGHT} == names


# What a learner reads, and a grader


@pytest.fixture(scope="module")
def report():
    return checks.residual_block(ShortcutTwice)


def test_the_report_says_what_was_seen_why_it_matters_and_where_to_look(report):
    text = str(report)
    assert "Look first at: shortcut added twice." in text
    assert "the output should be x, but it is 2x" in text
    assert "Why it matters: " in text
    assert "Where to look: " in text
    assert text.count("✗ look") == sum(not answer.passed for answer in report.answers)
    assert text.count("Where to look: ") == 1, "the first mistake alone is explained"


def test_the_table_says_the_same_as_the_text(report):
    page = report._repr_html_()
    for answer in report.answers:
        assert answer.name in page
    assert "shortcut added twice" in page
    assert "Where to look: " in page
    assert page.count("<tr") == page.count("</tr>") == len(report.answers)


def test_a_mistake_common_to_all_questions_is_shown_once():
    report = checks.residual_block(None)
    assert len({answer.message for answer in report.answers}) == 1
    assert report._repr_html_().count("<tr") == str(report).count("✗ look") == 1
    assert "0 of 17 answers are right" in str(report)


def test_a_learners_text_is_escaped_in_the_table():
    page = checks.residual_block("<script>alert(1)</script>")._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_a_report_holds_names_weights_and_a_score(report):
    answers = {answer.name: answer for answer in report.answers}
    assert len(answers) == len(report.answers)
    assert not answers["shortcut"].passed
    assert answers["weights"].passed
    assert answers["weights"].message == ""
    assert answers["shortcut"].weight == 2
    lost = sum(answer.weight for answer in report.answers if not answer.passed)
    assert report.score == report.total - lost
    assert checks.residual_block(Residual).score == report.total


@pytest.mark.slow
@asks_all_versions
@pytest.mark.xdist_group("versions")
def test_messages_do_not_give_away_the_line_of_code():
    for version in WRONG:
        for answer in version.report.answers:
            if answer.mistake and answer.diagnosis not in NO_RESULT:
                assert not re.search(r"\bself\.", answer.message), version
                assert "!" not in answer.message.replace("!=", ""), version


# Errors that come late: MXNet holds them back until somebody waits for everything

LATE = {
    "softmax of whole numbers": lambda: npx.softmax(np.ones((2, 3), dtype="int32")),
    "convolution of whole numbers": lambda: npx.pooling(
        np.ones((1, 1, 4, 4), dtype="int32"), kernel=(2, 2)
    ),
    "index that is too large": lambda: np.ones((3, 4))[np.array([7, 9])],
    "index of truth values": lambda: npx.pick(np.ones((2, 3)), np.array([True, False])),
    "matrix without an inverse": lambda: np.linalg.inv(np.zeros((2, 2))),
    "two at once": lambda: [npx.relu(np.ones(3, dtype=bool)) for _ in range(2)],
}


@pytest.mark.usefixtures("numpy_mode")
@pytest.mark.parametrize("late", LATE.values(), ids=LATE)
def test_an_error_of_earlier_code_is_not_blamed_on_what_is_checked(late):
    net = resnet18()
    net.initialize()
    for check in (
        lambda: checks.residual_block(Residual),
        lambda: checks.resnet18(net),
        lambda: checks.training(train_step=train.train_step),
    ):
        late()
        report = check()
        assert report.passed, report
    npx.waitall()  # nothing is left behind


def test_what_the_thread_of_earlier_code_switched_on_does_not_count():
    autograd.set_recording(True)
    autograd.set_training(True)
    try:
        assert checks.residual_block(Residual).passed
    finally:
        autograd.set_recording(False)
        autograd.set_training(False)


class FailsLate(Layers):
    def forward(self, X):
        LATE["softmax of whole numbers"]()
        return super().forward(X)


class FailsLateForOtherShapes(Layers):
    def forward(self, X):
        if X.shape[2] != X.shape[3]:
            LATE["softmax of whole numbers"]()
        return super().forward(X)


@pytest.mark.slow
def test_an_error_that_comes_late_belongs_to_the_question_in_which_it_arose():
    assert checks.residual_block(FailsLate).diagnosis == "raises an error"
    report = checks.residual_block(FailsLateForOtherShapes)
    assert [answer.name for answer in report.answers if not answer.passed] == ["shapes"]
    npx.waitall()


# Code that misbehaves


# The exception that stops a thread may arrive in a destructor, which Python reports and ignores.
stops_a_thread = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class LoopsInItsForward(Layers):
    def forward(self, X):
        while True:
            pass


class LoopsWhereItIsMade(Layers):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        super().__init__(num_channels, use_1x1conv, strides)
        while True:
            pass


class LoopsAndCatchesEverything(Layers):
    released = False  # True at the end of the test, so that no thread keeps running

    def forward(self, X):
        while not self.released:
            with contextlib.suppress(BaseException):
                X = X + 1


class Sleeps(Layers):
    def forward(self, X):
        time.sleep(2)
        return super().forward(X)


@stops_a_thread
@pytest.mark.parametrize(
    "endless", [LoopsInItsForward, LoopsWhereItIsMade, LoopsAndCatchesEverything, Sleeps]
)
def test_code_that_does_not_end_is_stopped(monkeypatch, endless):
    monkeypatch.setattr(_ask, "SECONDS", 0.5)
    monkeypatch.setattr(_ask, "LEFTOVER_SECONDS", 0.05)
    report = checks.residual_block(endless)
    endless.released = True
    assert report.diagnosis == "does not end", report
    assert all(answer.diagnosis == "does not end" for answer in report.answers)


class LoopsForOtherShapes(Layers):
    def forward(self, X):
        while X.shape[2] != X.shape[3]:
            pass
        return super().forward(X)


class RaisesForOtherShapes(Layers):
    def forward(self, X):
        if X.shape[2] != X.shape[3]:
            raise KeyError("not square")
        return super().forward(X)


@pytest.mark.parametrize("version", [LoopsForOtherShapes, RaisesForOtherShapes])
def test_one_failed_question_does_not_hide_the_others(monkeypatch, version):
    monkeypatch.setattr(_ask, "SECONDS", 5)
    monkeypatch.setattr(_ask, "LEFTOVER_SECONDS", 5)
    report = checks.residual_block(version)
    assert [answer.name for answer in report.answers if not answer.passed] == ["shapes"]


def test_a_keyboard_interrupt_is_passed_on():
    # A process started in the background may ignore the signal.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)

    try:
        with pytest.raises(KeyboardInterrupt):
            _ask.error_of(5, interrupted)
    finally:
        signal.signal(signal.SIGINT, before)


def test_an_error_is_reported_with_its_place():
    message = next(v.report for v in WRONG if v.name == "Raises").answers[0].message
    assert "AttributeError: 'Raises' object has no attribute 'conv4'" in message
    assert "in `forward`, at the line `return self.conv4(X)`" in message


def message_of(check, name):
    return next(v.report for v in WRONG if (v.check, v.name) == (check, name)).first_wrong.message


def test_common_errors_are_explained():
    assert "inside `autograd.record()`" in message_of("training", "step_without_record")
    assert "Is `backward` called" in message_of("training", "step_without_backward")
    assert "num_workers=0" in message_of("training", "epoch_with_other_processes")
    assert "The check itself made this call" in message_of("training", "fit_with_another_signature")
    assert "channels" in message_of("stem", "stem_that_needs_channels")


class ForgetsItsParent(nn.Block):
    def __init__(self, num_channels, use_1x1conv=False, strides=1):
        self.conv = nn.Conv2D(num_channels, 3)


class UsesAnOldFunction(Layers):
    def forward(self, X):
        return mx.nd.relu(X)


class RaisesWithoutAMessage(Layers):
    class Error(Exception):
        def __str__(self):
            return None

    def forward(self, X):
        raise self.Error


@pytest.mark.parametrize(
    ("version", "part"),
    [
        (ForgetsItsParent, "call the `__init__` of the parent"),
        (UsesAnOldFunction, "at the line `return mx.nd.relu(X)`. MXNet has two kinds of arrays"),
        (RaisesWithoutAMessage, "The code raised Error: (without a message)."),
    ],
)
def test_an_error_of_a_block_is_explained(version, part):
    assert part in checks.residual_block(version).first_wrong.message


def test_an_error_inside_the_course_names_the_learners_line():
    def evaluate(net, split, device):
        return data.Split(split.images, [])

    place = "in `evaluate`, at the line `return data.Split(split.images, [])`"
    assert place in checks.training(evaluate=evaluate).first_wrong.message


def test_an_error_in_code_without_a_file_names_the_function():
    names = {}
    exec("def evaluate(net, split, device):\n    return split.pictures", names)
    message = checks.training(evaluate=names["evaluate"]).first_wrong.message
    assert message.endswith("It happened in `evaluate`.")


def test_an_unused_part_is_called_by_the_learners_name():
    assert "`conv3.weight`" in message_of("residual_block", "Unused1x1WhereShapesAreEqual")
    assert "`bn3.gamma`" in message_of("residual_block", "ThirdNormalizationNeverCalled")


DESIGNS = {
    "pre-activation",
    "squeeze-and-excitation",
    "residual with a scale of its own",
    "stochastic depth",
    "bottleneck",
}


@pytest.mark.slow
@pytest.mark.xdist_group("versions")
def test_another_design_is_named_whatever_question_it_fails():
    versions = [v for v in WRONG if v.check == "residual_block" and v.diagnosis in DESIGNS]
    assert {version.diagnosis for version in versions} == DESIGNS
    for version in versions:
        failed = [answer for answer in version.report.answers if not answer.passed]
        assert {answer.diagnosis for answer in failed} == {version.diagnosis}, version.report
        assert "This exercise asks for another one" in failed[0].message


def test_a_layer_without_effect_is_called_or_not():
    called = "is called, but other values of this parameter do not change the output"
    assert f"`bn1.gamma` {called}" in message_of(
        "residual_block", "ResultOfTheFirstNormalizationDropped"
    ).replace("The layer of ", "")
    assert "never called" in message_of("residual_block", "ThirdNormalizationNeverCalled")


def test_a_misspelled_name_is_no_matter_of_shapes():
    message = message_of("residual_block", "MisspelledBesideThe1x1")
    assert "object has no attribute 'conv_3'" in message


def test_a_failed_sum_is_explained_without_giving_away_the_fix():
    message = message_of("stage", "stage_without_the_1x1")
    assert "(2, 4, 6, 6) into (2, 8, 3, 3), but its shortcut brings (2, 4, 6, 6)" in message
    assert "use_1x1conv" not in message


def test_small_numbers_are_reported_with_their_digits():
    assert "goes down to -0.02," in message_of("residual_block", "LeakyReLUAtTheEnd")
    assert "became as large as 2." in message_of("residual_block", "AbsoluteValueAtTheEnd")


def test_a_long_message_is_cut():
    assert len(_errors.error_text(ValueError("x" * 10**6))) < 300
    assert len(_ask.short("x" * 10**6)) < 100
    assert len(_ask.short(list(range(10**6)))) < 100
    assert (
        _ask.short(numpy.zeros((3000, 3000))) == "an array of `numpy` with the shape (3000, 3000)"
    )


# A check leaves nothing behind


def test_output_of_the_learners_code_is_dropped(capsys):
    class Prints(Residual):
        def hybrid_forward(self, F, X):
            print(X.shape)
            return super().hybrid_forward(F, X)

    assert checks.residual_block(Prints).passed
    assert capsys.readouterr().out == ""


def test_files_and_figures_of_the_learner_are_left_alone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "best.params").write_text("three hours")
    plt.figure(7)

    def evaluate(net, split, device):
        net.save_parameters("best.params")
        os.chdir("..")
        plt.figure()
        return train.evaluate(net, split, device)

    assert checks.training(evaluate=evaluate).passed
    assert os.getcwd() == str(tmp_path)
    assert (tmp_path / "best.params").read_text() == "three hours"
    assert plt.get_fignums() == [7]
    plt.close(7)


def test_each_question_starts_with_the_thread_reset():
    names = []

    class ChangesTheDevice(Residual):
        def __init__(self, num_channels, use_1x1conv=False, strides=1):
            super().__init__(num_channels, use_1x1conv, strides)
            names.append(self.name)
            mx.cpu(1).__enter__()

    checks.residual_block(ChangesTheDevice)
    assert checks.residual_block(Residual).passed
    assert names.count("changesthedevice0") > 1


@pytest.mark.usefixtures("numpy_mode")
@pytest.mark.parametrize("seed", [0, 10, 16])
def test_a_diagnosis_does_not_depend_on_what_was_drawn_before(seed):
    mx.random.seed(seed)
    report = checks.scaled_residual(convolution_scaled)
    assert report.diagnosis == "residual changed in another way"


@pytest.mark.usefixtures("numpy_mode")
def test_the_readers_random_numbers_still_follow_from_their_seed():
    def drawn(seed, between=lambda: None):
        random.seed(seed)
        numpy.random.seed(seed)
        mx.random.seed(seed)
        between()
        return random.random(), numpy.random.random(), np.random.uniform(size=3).tolist()

    def check():
        checks.stage("no stage")

    assert drawn(1)[:2] == drawn(1, check)[:2]
    assert drawn(1, check) == drawn(1, check)
    assert drawn(1, check) != drawn(2, check)


def values(net):
    npx.waitall()  # oneDNN may be changing the layout of a kernel, for code that was given up
    return [p.data().asnumpy() for p in net.collect_params().values()]


@pytest.mark.usefixtures("numpy_mode")
@pytest.mark.parametrize("compiled", [False, True])
def test_a_network_is_given_back_with_its_parameters(compiled):
    net, X = resnet18(), np.ones((2, 1, 28, 28))
    net.initialize(init.Xavier())
    net.hybridize(active=compiled, static_alloc=compiled, static_shape=compiled)
    scores, before = net(X).asnumpy(), values(net)
    assert checks.resnet18(net).passed
    for ours, theirs in zip(before, values(net)):
        numpy.testing.assert_array_equal(ours, theirs)
    numpy.testing.assert_array_equal(net(X).asnumpy(), scores)


class SleepsOnSmallImages(nn.Block):
    def __init__(self):
        super().__init__()
        self.net = resnet18()

    def forward(self, X):
        if X.shape[2] == 8:
            time.sleep(2)
        return self.net(X)


@pytest.mark.slow
@stops_a_thread
@pytest.mark.usefixtures("numpy_mode")
def test_a_network_that_was_stopped_keeps_its_parameters(monkeypatch):
    monkeypatch.setattr(_ask, "SECONDS", 1.5)
    monkeypatch.setattr(_ask, "LEFTOVER_SECONDS", 0.1)
    net = SleepsOnSmallImages()
    net.initialize(init.Xavier())
    net(np.ones((1, 1, 28, 28)))
    before = values(net)
    assert "does not end" in [answer.diagnosis for answer in checks.resnet18(net).answers]
    time.sleep(2)
    for ours, theirs in zip(before, values(net)):
        numpy.testing.assert_array_equal(ours, theirs)


@pytest.mark.usefixtures("numpy_mode")
def test_an_uninitialized_network_is_given_back_uninitialized():
    net = resnet18()
    assert checks.resnet18(net).passed
    with pytest.raises(RuntimeError, match="has not been initialized"):
        net(np.ones((2, 3, 28, 28)))
    net.initialize()
    assert net(np.ones((2, 3, 28, 28))).shape == (2, 10), "also for other channels"


def test_checks_work_without_numpy_mode():
    assert not mx.util.is_np_array()
    assert checks.residual_block(RIGHT_BLOCKS[1]).passed
    assert checks.shapes(SHAPES).passed
    assert not mx.util.is_np_array()


def test_shapes_for_another_image_can_be_checked():
    report = checks.shapes({**SHAPES, "stage4": (1, 512, 7, 7)}, (1, 1, 224, 224))
    assert next(answer for answer in report.answers if answer.name == "stage4").passed
    assert not next(answer for answer in report.answers if answer.name == "stem").passed


@pytest.mark.usefixtures("numpy_mode")
def test_a_plain_sequential_counts_as_a_stem():
    net = nn.Sequential()
    net.add(nn.Conv2D(64, 7, 2, 3), nn.BatchNorm(), nn.Lambda(npx.relu), nn.MaxPool2D(3, 2, 1))
    assert checks.stem(net).passed


def test_a_report_does_not_keep_the_learners_network_alive():
    made = []

    class Watched(ShortcutTwice):
        def __init__(self, num_channels, use_1x1conv=False, strides=1):
            super().__init__(num_channels, use_1x1conv, strides)
            made.append(weakref.ref(self))

    report = checks.residual_block(Watched)
    assert not report.passed
    gc.collect()
    assert made
    assert [block() for block in made if block() is not None] == []
