"""Several devices: they share every batch, and learn what one device learns from the whole."""

import dataclasses
import threading
from types import SimpleNamespace

import mxnet as mx
import numpy
import pytest
import team
from small_runs import CPU, RECIPE, equal, interrupt_at, run, small_net

from utils import _gluon, data, train
from utils.runs import team as sharing

pytestmark = pytest.mark.usefixtures("numpy_mode")

TWO = [mx.cpu(0), mx.cpu(1)]


def spread_net():
    net = small_net()
    train.initialize(net, seed=0, device=TWO)
    return net


@pytest.mark.slow
@pytest.mark.parametrize(("kvstore", "count"), [("local", 2), ("device", 2), ("device", 4)])
def test_several_devices_learn_what_one_learns(sample, kvstore, count):
    """Twenty steps of ResNet-18 on real images, without what cannot be compared.

    Two devices, and then four with the same store: it keeps what it needs for each number apart.
    """
    one, alone = team.twenty_steps(sample, CPU, kvstore)
    several, shared = team.twenty_steps(sample, [mx.cpu(k) for k in range(count)], kvstore)
    for whole, parts in zip(team.learned(one), team.learned(several)):
        assert abs(whole - parts).max() <= 1e-6
    assert alone.step_losses[-1] < alone.step_losses[0] - 0.5
    assert shared.step_losses == pytest.approx(alone.step_losses, abs=1e-5)
    for parameter in several.collect_params().values():
        first, *others = (values.asnumpy() for values in parameter.list_data())
        assert all(numpy.array_equal(first, other) for other in others)


def test_a_run_on_two_devices_goes_on_after_an_interruption(few, tmp_path):
    options = {"device": TWO, "checkpoint": tmp_path / "run.zip", "resume": True}
    whole, stopped, fresh = (spread_net() for _ in range(3))
    expected = run(whole, few, device=TWO).fingerprint(whole)
    with pytest.raises(KeyboardInterrupt):
        run(stopped, few, on_step=interrupt_at(5), **options)
    assert run(fresh, few, **options).fingerprint(fresh) == expected
    learned = _gluon.learned(fresh)
    assert equal(*([p.list_data()[place].asnumpy() for p in learned] for place in (0, 1)))


def test_a_network_is_judged_by_its_first_device(few):
    net = spread_net()
    history = run(net, few, device=TWO)
    assert train.evaluate(net, few.valid, CPU)[0] == history.valid_loss[-1]
    alone = small_net()
    _gluon.put(alone, _gluon.read(net))
    assert train.evaluate(alone, few.valid, CPU)[0] == history.valid_loss[-1]


def test_a_batch_that_does_not_divide_among_the_devices_is_refused(few):
    odd = dataclasses.replace(RECIPE, batch_size=33)
    with pytest.raises(
        ValueError,
        match=r"33, which .* 2 equal parts, one for each device \(2\) of each worker \(1\)",
    ):
        run(spread_net(), few, odd, device=TWO)


@pytest.fixture
def no_distributed_store(monkeypatch):
    """As in MXNet's build for ARM. This process has a role, and the launcher has counted it."""
    features = SimpleNamespace(is_enabled=lambda name: name != "DIST_KVSTORE")
    monkeypatch.setattr(mx.runtime, "Features", lambda: features)
    monkeypatch.setenv("DMLC_ROLE", "worker")


def test_without_a_distributed_store_the_only_worker_adds_alone(no_distributed_store, monkeypatch):
    monkeypatch.setenv("DMLC_NUM_WORKER", "1")
    workers = sharing.Workers("dist_sync")
    assert (workers.size, workers.rank, workers.sums(3)) == (1, 0, [3])


def test_without_a_distributed_store_several_workers_are_refused(no_distributed_store, monkeypatch):
    """Each would train by itself and not know it."""
    monkeypatch.setenv("DMLC_NUM_WORKER", "2")
    with pytest.raises(ValueError, match="'dist_sync', but MXNet's build for this machine has no"):
        sharing.Workers("dist_sync")


@pytest.mark.parametrize(
    ("kvstore", "sentence"),
    [
        ("dist_async", "'dist_async', but it must be one of local, device, dist_sync"),
        ("dist_sync", "has no role in a distributed training. Start it with `python -m utils.runs"),
    ],
)
def test_a_store_that_cannot_work_is_refused(few, monkeypatch, kvstore, sentence):
    monkeypatch.delenv("DMLC_ROLE", raising=False)
    with pytest.raises(ValueError, match=sentence):
        run(small_net(), few, kvstore=kvstore)


@pytest.mark.parametrize("parts", [2, 4])
def test_the_parts_of_a_batch_are_the_whole_one_without_overlap(few, parts):
    def batches(part):
        rng = numpy.random.default_rng(7)
        return list(
            data.batches(
                few.train, 64, CPU, rng, augmentation=data.Augmentation(True, 2), part=part
            )
        )

    assert len(batches((0, 1))) == 4
    divided = [batches((rank, parts)) for rank in range(parts)]
    for whole, *pieces in zip(batches((0, 1)), *divided):
        for expected, found in zip(whole, map(list, zip(*pieces))):
            assert numpy.array_equal(expected.asnumpy(), mx.np.concatenate(found).asnumpy())


def test_a_worker_that_waits_in_vain_raises_in_the_thread_that_asked(monkeypatch, capsys):
    """The process is left to its owner, and one thread serves all exchanges."""
    end = threading.Event()

    class HangingStore:
        type, num_workers, rank = "local", 2, 0

        def init(self, *_):
            end.wait(60)

    monkeypatch.setattr(sharing, "PATIENCE", 0.01)
    monkeypatch.setattr(sharing, "GIVE_UP", 0.05)
    workers = sharing.Workers(HangingStore())
    try:
        for _ in range(2):
            with pytest.raises(sharing.TeamError, match="Worker 0 gives up"):
                workers.sums(1.0)
    finally:
        end.set()
    assert "Worker 0 has waited" in capsys.readouterr().out
    assert [thread.name for thread in threading.enumerate()].count("exchange") == 1
