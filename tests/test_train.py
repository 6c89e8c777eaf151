"""Training: it learns, it repeats, it resumes, and nothing that goes wrong loses work."""

import dataclasses
import errno
import math
import subprocess
import sys
import textwrap

import mxnet as mx
import numpy
import pytest
from mxnet import np
from mxnet.gluon import nn

from utils import checkpoint, train
from utils.resnet import Residual, named, stem

pytestmark = pytest.mark.usefixtures("numpy_mode")

CPU = mx.cpu()
RECIPE = train.Recipe(epochs=2, batch_size=32, flip=True)


def small_net(seed=0):
    """A stem and one block: enough to have normalizations and a shortcut."""
    net = named(stem=stem(), block=Residual(64), pool=nn.GlobalAvgPool2D(), dense=nn.Dense(10))
    train.initialize(net, seed=seed, device=CPU)
    return net


def parameters(net):
    mx.npx.waitall()
    return [p.data().asnumpy() for p in net.collect_params().values()]


def equal(some, others):
    return all(numpy.array_equal(a, b) for a, b in zip(some, others))


def run(net, few, recipe=RECIPE, **options):
    return train.fit(net, few, recipe, **{"seed": 0, "device": CPU, **options})


def interrupt_at(step):
    def on_step(history):
        if len(history.step_losses) == step:
            raise KeyboardInterrupt

    return on_step


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
    recipe = train.Recipe(epochs=1, batch_size=len(few.train))
    assert run(small_net(), few, recipe).epochs == 1


def test_a_seed_gives_the_same_run_whatever_ran_before(few):
    first, second = small_net(), small_net()
    history = run(first, few)
    numpy.random.rand(7), np.random.uniform(size=7)
    again = run(second, few)
    assert again.step_losses == history.step_losses
    assert equal(parameters(first), parameters(second))
    assert run(small_net(), few, seed=1).step_losses != history.step_losses


def test_an_interrupted_run_goes_on_to_the_same_curve_and_weights(few, tmp_path):
    undisturbed = small_net()
    whole = run(undisturbed, few)
    with pytest.raises(KeyboardInterrupt):
        run(small_net(), few, checkpoint=tmp_path / "run", on_step=interrupt_at(12))
    net = small_net(seed=5)
    resumed = run(net, few, checkpoint=tmp_path / "run", resume=True)
    assert resumed.step_losses == whole.step_losses
    assert resumed.valid_loss == whole.valid_loss
    assert equal(parameters(net), parameters(undisturbed))


def test_a_run_that_was_killed_resumes_in_another_process(few, tmp_path):
    """The checkpoint must not depend on what else was built in the process that wrote it."""
    program = f"""
    import os, sys
    sys.path.insert(0, {str(train.__file__).rsplit("/", 2)[0]!r})
    sys.path.insert(0, {__file__.rsplit("/", 1)[0]!r})
    import utils
    from mxnet import npx
    from mxnet.gluon import nn
    npx.set_np()
    for _ in range(8):
        nn.Conv2D(3, 3)  # other names for the layers that follow
    import test_train, dataclasses
    from utils import data
    sample = data.load("quick")
    part = data.Split(sample.train.images[::20], sample.train.labels[::20])
    few = dataclasses.replace(sample, train=part)
    kill = lambda history: os._exit(9) if len(history.step_losses) == 12 else None
    test_train.run(test_train.small_net(), few, checkpoint={str(tmp_path / "run")!r}, on_step=kill)
    """
    killed = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, timeout=300
    )
    assert killed.returncode == 9, killed.stderr.decode()
    resumed = run(small_net(seed=5), few, checkpoint=tmp_path / "run", resume=True)
    assert resumed.step_losses == run(small_net(), few).step_losses


def test_a_finished_run_resumes_to_itself(few, tmp_path):
    history = run(small_net(), few, checkpoint=tmp_path / "run")
    assert run(small_net(), few, checkpoint=tmp_path / "run", resume=True) == history


def test_the_network_of_a_checkpoint_can_be_used_without_its_run(few, tmp_path):
    trained, net = small_net(), small_net(seed=3)
    run(trained, few, checkpoint=tmp_path / "run")
    described = checkpoint.load_parameters(tmp_path / "run", net)
    assert equal(parameters(net), parameters(trained))
    assert described == {
        "recipe": dataclasses.asdict(RECIPE),
        "seed": 0,
        "images": len(few.train),
    }


class TestACheckpointIsRefused:
    """With a sentence, and the network is as it was."""

    @pytest.fixture
    def written(self, few, tmp_path):
        run(small_net(), few, checkpoint=tmp_path / "run")
        return tmp_path / "run"

    def refused(self, few, path, match, net=None, error=checkpoint.CheckpointError, **options):
        net = net or small_net(seed=3)
        before = parameters(net)
        with pytest.raises(error, match=match):
            run(net, few, checkpoint=path, resume=True, **options)
        assert equal(parameters(net), before)
        if path and not options:  # without a run to go on with, the network is all that is asked
            with pytest.raises(error, match=match):
                checkpoint.load_parameters(path, net)
            assert equal(parameters(net), before)

    def test_when_it_is_not_there(self, few, tmp_path):
        self.refused(few, tmp_path / "none", "no checkpoint at .*none", error=FileNotFoundError)

    def test_when_none_is_named(self, few):
        self.refused(few, None, "Pass checkpoint=", error=ValueError)

    def test_when_the_network_has_seen_no_image_yet(self, written):
        net = stem()
        net.initialize()
        with pytest.raises(checkpoint.CheckpointError, match="has not seen an image yet"):
            checkpoint.load_parameters(written, net)

    @pytest.mark.parametrize("kept", [0, 100, 0.5, 0.999])
    def test_when_it_was_cut_short(self, few, written, kept):
        whole = written.read_bytes()
        written.write_bytes(whole[: kept if kept > 1 else int(kept * len(whole))])
        self.refused(few, written, r"is not a complete checkpoint .* bytes, where \d+ arrays")

    def test_when_a_byte_was_changed(self, few, written):
        whole = bytearray(written.read_bytes())
        whole[len(whole) // 3] ^= 1
        written.write_bytes(whole)
        self.refused(few, written, r"is not a complete checkpoint .* bytes, where \d+ arrays")

    def test_when_it_belongs_to_another_network(self, few, written):
        other = named(stem=stem(), pool=nn.GlobalAvgPool2D(), dense=nn.Dense(10))
        train.initialize(other, seed=0, device=CPU)
        self.refused(few, written, r"it holds \d+ arrays .* this network has \d+ arrays", other)

    def test_when_it_belongs_to_another_run(self, few, written):
        self.refused(few, written, "belongs to another run", seed=1)


def test_a_full_disk_stops_neither_the_training_nor_spoils_the_checkpoint(
    few, tmp_path, monkeypatch, capsys
):
    path = tmp_path / "run"
    whole = run(small_net(), few)
    with pytest.raises(KeyboardInterrupt):
        run(small_net(), few, checkpoint=path, on_step=interrupt_at(12))
    kept = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(checkpoint.zipfile.ZipFile, "write", full)
    assert run(small_net(), few, checkpoint=path).step_losses == whole.step_losses
    assert "could not be written" in capsys.readouterr().out
    monkeypatch.undo()
    assert path.read_bytes() == kept
    assert [file.name for file in tmp_path.iterdir()] == ["run"], "nothing half-written is left"


def test_a_loss_that_is_not_a_number_stops_the_run_and_keeps_the_last_good_weights(few):
    net, good = small_net(), []

    def poison(history):
        if len(history.step_losses) == 8:  # the last step of the first epoch
            good.extend(parameters(net))
        if len(history.step_losses) == 11:
            net.dense.weight.set_data(np.full((10, 64), math.nan))

    with pytest.raises(train.DivergedError, match="nan at step 12, in epoch 2") as error:
        run(net, few, on_step=poison)
    assert equal(parameters(net), good)
    assert error.value.history.epochs == 1
    assert len(error.value.history.step_losses) == 8


def test_a_learning_rate_far_too_high_diverges_with_a_sentence(few):
    net = small_net()
    before = parameters(net)
    with pytest.raises(train.DivergedError, match="Lower the learning rate"):
        run(net, few, dataclasses.replace(RECIPE, learning_rate=1e30))
    assert equal(parameters(net), before), "it diverged in the first epoch"


@pytest.mark.parametrize("rate", [math.nan, math.inf, 0, -0.1, "0.1", None])
def test_a_learning_rate_that_is_not_a_positive_number_is_refused(rate):
    with pytest.raises(ValueError, match=r"learning_rate is .* must be a finite number above 0"):
        train.Recipe(learning_rate=rate)


@pytest.mark.parametrize("epochs", [0, -1, 1.5])
def test_epochs_below_1_are_refused(epochs):
    with pytest.raises(ValueError, match=f"epochs is {epochs}, but"):
        train.Recipe(epochs=epochs)


def test_a_batch_larger_than_the_data_is_refused(few):
    with pytest.raises(ValueError, match="batch_size is 5000, but there are only 275"):
        run(small_net(), few, train.Recipe(batch_size=5000))


def test_progress_goes_to_standard_output_with_the_time_left(few, capsys):
    run(small_net(), few)
    printed = capsys.readouterr()
    assert "16/16" in printed.out
    assert "validation accuracy" in printed.out
    assert printed.err == ""
