"""Training: it learns, it is reproducible, and it explains why it stops when it diverges."""

import dataclasses
import math
import signal

import mxnet as mx
import numpy
import pytest
import small_runs
from mxnet import autograd, np, npx
from small_runs import CPU, RECIPE, equal, parameters, run, small_net

from utils import train
from utils.recipes import Recipe
from utils.runs.callbacks import Callback, deferred
from utils.runs.history import DivergedError

pytestmark = pytest.mark.usefixtures("numpy_mode")


@pytest.mark.slow
def test_it_learns_real_images(sample):
    history = run(small_net(), sample, dataclasses.replace(RECIPE, batch_size=64))
    assert history.valid_accuracy[-1] > 0.6
    assert numpy.mean(history.step_losses[-10:]) < numpy.mean(history.step_losses[:10]) / 2


def test_the_history_holds_every_step_and_every_epoch(few):
    net = small_net()
    seen = []
    history = run(net, few, on_step=lambda history: seen.append(len(history.step_losses)))
    steps = len(few.train) // RECIPE.batch_size
    assert history.steps_per_epoch == steps
    assert seen == list(range(1, 2 * steps + 1))
    assert history.epochs == len(history.valid_loss) == len(history.train_accuracy) == 2
    assert history.train_loss[1] == pytest.approx(numpy.mean(history.step_losses[steps:]))
    last = train.evaluate(net, few.valid, CPU)
    assert last == (history.valid_loss[-1], history.valid_accuracy[-1])


LEFT_BEHIND = {
    "an error that comes late": lambda: npx.softmax(np.ones((2, 3), dtype="int32")),
    "another one": lambda: np.ones((3, 4))[np.array([7, 9])],
    "recording": lambda: autograd.set_recording(True),
    "training mode": lambda: autograd.set_training(True),
    "another device": lambda: setattr(mx.Context._default_ctx, "value", mx.cpu(3)),
    "seeds": lambda: (mx.random.seed(7), numpy.random.seed(7)),
}


@pytest.fixture
def own_settings():
    """What a test switches on in MXNet's settings for this thread is switched off afterwards."""
    yield
    autograd.set_recording(False)
    autograd.set_training(False)
    mx.Context._default_ctx.value = CPU


@pytest.mark.usefixtures("own_settings")
@pytest.mark.parametrize("leave", LEFT_BEHIND.values(), ids=LEFT_BEHIND)
def test_what_earlier_code_left_behind_changes_nothing(few, leave):
    recipe = dataclasses.replace(RECIPE, epochs=1)
    net, disturbed = small_net(), small_net()
    expected = run(net, few, recipe).fingerprint(net)
    leave()
    assert run(disturbed, few, recipe).fingerprint(disturbed) == expected


def test_gradients_that_would_be_added_to_old_ones_are_refused(few):
    net = small_net()
    net.collect_params().setattr("grad_req", "add")
    before = parameters(net)
    with pytest.raises(ValueError, match=r"added to old ones.*setattr\('grad_req', 'write'\)"):
        run(net, few)
    assert equal(parameters(net), before)


def test_evaluate_agrees_with_a_computation_in_numpy(few):
    net = small_net()
    scores = train.predict(net, few.valid, CPU).astype("float64")
    assert scores.shape == (len(few.valid), 10)
    chosen = scores[numpy.arange(len(scores)), few.valid.labels]
    loss = (numpy.log(numpy.exp(scores).sum(axis=1)) - chosen).mean()
    accuracy = (scores.argmax(axis=1) == few.valid.labels).mean()
    assert train.evaluate(net, few.valid, CPU) == pytest.approx((loss, accuracy), rel=1e-5)


def test_judging_changes_nothing(few):
    net = small_net()
    before = parameters(net)
    train.evaluate(net, few.valid, CPU)
    assert equal(parameters(net), before)


def test_the_learning_rate_climbs_and_falls_to_zero():
    rate = RECIPE.schedule(100)
    rates = [rate(step) for step in range(1, 101)]
    assert max(rates) == rates[24] == RECIPE.learning_rate
    assert rates[:25] == sorted(rates[:25])
    assert rates[24:] == sorted(rates[24:], reverse=True)
    assert rates[-1] == pytest.approx(0, abs=1e-9)


def test_without_one_cycle_the_learning_rate_stays():
    rate = dataclasses.replace(RECIPE, one_cycle=False).schedule(100)
    assert {rate(step) for step in range(1, 101)} == {RECIPE.learning_rate}


def test_a_run_of_a_single_step_has_a_learning_rate(few):
    recipe = Recipe(epochs=1, batch_size=len(few.train))
    assert run(small_net(), few, recipe).epochs == 1


def test_a_seed_gives_the_same_run_whatever_ran_before(few):
    first, second = small_net(), small_net()
    history = run(first, few)
    numpy.random.rand(7), np.random.uniform(size=7)
    again = run(second, few)
    assert again.step_losses == history.step_losses
    assert equal(parameters(first), parameters(second))
    assert run(small_net(), few, seed=1).step_losses != history.step_losses


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_last_good_weights(few):
    net, good = small_net(), []

    def poison(history):
        if len(history.step_losses) == 8:  # the last step of the first epoch
            good.extend(parameters(net))
        if len(history.step_losses) == 11:
            net.dense.weight.set_data(np.full((10, 64), math.nan))

    with pytest.raises(DivergedError, match="nan at step 12, in epoch 2") as error:
        run(net, few, on_step=poison)
    assert equal(parameters(net), good)
    assert error.value.history.epochs == 1
    assert len(error.value.history.step_losses) == 8


def test_a_learning_rate_far_too_high_diverges_with_a_sentence(few):
    net = small_net()
    before = parameters(net)
    with pytest.raises(DivergedError, match="Lower the learning rate"):
        run(net, few, dataclasses.replace(RECIPE, learning_rate=1e30))
    assert equal(parameters(net), before), "it diverged in the first epoch"


@pytest.mark.parametrize("rate", [math.nan, math.inf, 0, -0.1, "0.1", None])
def test_a_learning_rate_that_is_not_a_positive_number_is_refused(rate):
    with pytest.raises(ValueError, match=r"learning_rate is .* must be a finite number above 0"):
        Recipe(learning_rate=rate)


@pytest.mark.parametrize("epochs", [0, -1, 1.5])
def test_epochs_below_1_are_refused(epochs):
    with pytest.raises(ValueError, match=f"epochs is {epochs}, but"):
        Recipe(epochs=epochs)


def test_a_batch_larger_than_the_data_is_refused(few):
    with pytest.raises(ValueError, match="batch_size is 5000, but there are only 275"):
        run(small_net(), few, Recipe(batch_size=5000))


def test_progress_goes_to_standard_output_with_the_time_left(few, capsys):
    run(small_net(), few)
    printed = capsys.readouterr()
    assert "16/16" in printed.out
    assert "validation accuracy" in printed.out
    assert printed.err == ""


@pytest.mark.slow
def test_a_seed_gives_the_same_run_in_two_processes(few, tmp_path):
    """Both give one SHA-256 of parameters and history, though the second has a busy neighbor."""
    printed = []
    for name in ("first", "second"):
        process = small_runs.start(tmp_path / name, RECIPE.epochs)
        out, complaint = process.communicate(timeout=120)
        assert process.returncode == 0, complaint
        printed.append(out.splitlines()[-1])
    net = small_net()
    here = run(net, few).fingerprint(net)
    assert printed == [f"fingerprint {here}"] * 2
    assert run(small_net(), few, seed=1).fingerprint(net) != here


def test_a_network_that_the_last_step_has_ruined_is_not_kept(few, tmp_path):
    """The loss before the step was a number; that of the validation images is none."""
    recipe = Recipe(epochs=1, batch_size=len(few.train), learning_rate=3e38, one_cycle=False)
    net, path = small_net(), tmp_path / "run.zip"
    before = parameters(net)
    with pytest.raises(DivergedError, match="The loss became nan at step 1, in epoch 1") as error:
        run(net, few, recipe, checkpoint=path)
    assert equal(parameters(net), before)
    assert error.value.history.epochs == 0
    assert not path.exists()


@pytest.mark.parametrize("warm_up", [-0.5, 1, 1.2])
def test_a_warm_up_that_leaves_no_step_to_fall_is_refused(warm_up):
    with pytest.raises(ValueError, match=r"warm_up is .* at least 0 and less than 1"):
        Recipe(warm_up=warm_up)


def test_every_callback_leaves_the_run_even_if_another_one_fails(few, capsys):
    left = []

    class Leaves(Callback):
        def __init__(self, name):
            self.name = name

        def end(self, run, error):
            left.append((self.name, type(error)))
            raise OSError(f"{self.name} cannot leave")

    callbacks = [Leaves("first"), Leaves("second")]
    too_high = dataclasses.replace(RECIPE, learning_rate=1e30)
    with pytest.raises(DivergedError):
        train.fit(small_net(), few, too_high, seed=0, device=CPU, callbacks=callbacks)
    assert left == [("second", DivergedError), ("first", DivergedError)]
    assert "Leaves could not leave the run: first cannot leave" in capsys.readouterr().out
    with pytest.raises(OSError, match="second cannot leave"):
        train.fit(small_net(), few, RECIPE, seed=0, device=CPU, callbacks=callbacks)


def test_an_ignored_interruption_stays_ignored():
    """As in a job that a shell runs in the background."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with deferred():
            signal.raise_signal(signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
