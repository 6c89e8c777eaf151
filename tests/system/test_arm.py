"""On ARM, played by an emulator: MXNet is mended, loaded, and computes what it computes here."""

import numpy
import pytest

from environments import try_arm


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.root
@pytest.mark.timeout(1500)
def test_on_an_emulated_processor_one_step_is_that_of_this_machine():
    """The short form of `make try-arm`. What was downloaded is kept in .cache/arm."""
    if lacking := try_arm.missing():
        pytest.skip(f"needs an emulated ARM processor: {', '.join(lacking)}")
    try:
        differences = try_arm.short()
    except try_arm.DownloadError as error:
        pytest.skip(f"no network to fetch Debian's packages for ARM: {error}")
    assert differences.keys() == try_arm.ALLOWED.keys()


def test_a_difference_is_measured_by_the_largest_number_of_its_kind():
    ours = {"weights: a": numpy.array([10.0, 1.0]), "weights: b": numpy.array([0.1])}
    theirs = {"weights: a": numpy.array([10.0, 1.0]), "weights: b": numpy.array([0.3])}
    assert try_arm.largest_differences(ours, theirs) == {"weights": pytest.approx(0.02)}
    with pytest.raises(try_arm.TrialError, match="weights: b"):
        try_arm.largest_differences(ours, {"weights: a": numpy.zeros(2)})
