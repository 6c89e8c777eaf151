"""A step: its memory, its time by operator and by threads, and by formula for more workers."""

from functools import partial

import mxnet as mx
import pytest

from utils import shapes, throughput, train
from utils.families import Plain, deep_network
from utils.resnet import resnet18
from utils.setup import machine

pytestmark = pytest.mark.usefixtures("numpy_mode")


def test_the_operators_of_a_step_are_those_of_the_network_and_no_file_is_left(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    step = throughput.training_step(16, mx.cpu(), compiled=False)
    times = throughput.by_operator(step, times=2)
    assert {"Convolution", "_backward_Convolution", "BatchNorm", "nag_mom_update"} <= {*times.index}
    assert times.is_monotonic_decreasing
    assert list(tmp_path.iterdir()) == []


def test_the_first_calls_are_not_measured():
    calls = []
    throughput.seconds(lambda: calls.append(0), times=4)
    assert len(calls) == throughput.WARM_UP + 4


@pytest.mark.slow
def test_a_step_takes_more_memory_than_the_outputs_and_more_with_a_larger_batch():
    """Whatever the process that measures has held before."""
    net = resnet18()
    net.initialize()
    outputs = shapes.layer_table(net, (1, 1, 96, 96)).memory["network"]
    held = bytearray(10**9)
    one, eight = (throughput.step_memory(batch_size, size=96) for batch_size in (1, 8))
    assert outputs < one < len(held)
    assert 7 * outputs < eight - one < len(held)


def test_the_peak_of_memory_is_read_where_the_system_writes_it(tmp_path):
    status = tmp_path / "status"
    assert throughput.peak_memory(status) > 10**7
    status.write_text("VmPeak:\t 900 kB\nVmHWM:\t   700 kB\n")
    assert throughput.peak_memory(status) == 700 * 1024


def threads_here(batch_size):
    """Return a time for which images per second equal the number of threads."""
    return batch_size / machine.threads_used()


@pytest.mark.slow
def test_networks_take_their_steps_in_turn_and_the_deeper_one_takes_longer():
    builds = {depth: partial(deep_network, depth, Plain) for depth in (8, 56)}
    seconds = throughput.by_network(builds, batch_size=8, times=3)
    assert list(seconds.index) == [8, 56]
    assert 0 < seconds[8] < seconds[56]


@pytest.mark.slow
def test_each_rate_is_measured_with_its_own_number_of_threads(monkeypatch):
    monkeypatch.setattr(throughput, "_measure", threads_here)
    rates = throughput.by_threads([1, 2, 3], batch_size=12)
    assert rates.to_dict() == {1: 1, 2: 2, 3: 3}


def test_a_gradient_has_a_number_for_each_learned_parameter():
    net = resnet18()
    train.initialize(net, seed=0, device=mx.cpu())
    assert throughput.gradient_bytes(net) == 4 * 11_178_378


def test_a_step_takes_the_computing_and_both_ways_over_the_slowest_link():
    def seconds(workers, servers=1):
        return throughput.seconds_per_step(1.0, 50, 100, workers, servers)

    assert seconds(1) == 1
    assert seconds(2, servers=2) == 1 + 2 * 50 / 100
    assert seconds(2) == 1 + 2 * 2 * 50 / 100, "two gradients arrive over one link"
    assert seconds(8, servers=8) == seconds(2, servers=2)
    assert seconds(2, servers=8) == seconds(2, servers=2), "a worker's own link is no faster"
