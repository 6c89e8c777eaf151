"""Fashion-MNIST in memory: splits, batches, and the bundled sample against the whole."""

import gzip
from collections import Counter
from pathlib import Path

import mxnet as mx
import numpy
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utils import data
from utils.setup import fetch

ROOT = Path(__file__).parents[2]
AUGMENTED = data.Augmentation(flip=True, shift=2)
CPU = mx.cpu()

pytestmark = pytest.mark.usefixtures("numpy_mode")


@pytest.fixture
def rng():
    return numpy.random.default_rng(0)


def numbered(count):
    """Return images that stay distinct when mirrored; the label is the number modulo 10."""
    images = numpy.zeros((count, 28, 28), "uint8")
    images[:, 0, 0] = numpy.arange(count)
    images[:, 1, 0] = 255
    return data.Split(images, numpy.arange(count, dtype="int32") % 10)


def pixels(X):
    """Undo `normalize`: return uint8 images (N, 28, 28)."""
    values = (X.asnumpy()[:, 0] * data.STD + data.MEAN) * 255
    return numpy.rint(values).astype("uint8")


def numbers(X):
    """Return the numbers of numbered images, mirrored or not."""
    images = pixels(X)
    return numpy.maximum(images[:, 0, 0], images[:, 0, 27])


# The splits


@pytest.mark.network
def test_all_of_it_is_55000_and_5000_and_10000_images_with_classes_in_equal_numbers(real_data):
    assert [len(split) for split in (real_data.train, real_data.valid, real_data.test)] == [
        55_000,
        5_000,
        10_000,
    ]
    for split in (real_data.train, real_data.valid, real_data.test):
        assert set(numpy.bincount(split.labels)) == {len(split) // 10}


def test_the_sample_is_5500_and_500_and_1000_images_with_classes_in_equal_numbers(sample):
    assert [len(split) for split in (sample.train, sample.valid, sample.test)] == [
        5_500,
        500,
        1_000,
    ]
    for split in (sample.train, sample.valid, sample.test):
        assert split.images.dtype == numpy.uint8
        assert split.images.shape == (len(split), 28, 28)
        assert split.labels.dtype == numpy.int32
        assert set(numpy.bincount(split.labels)) == {len(split) // 10}


def test_training_and_validation_images_are_the_original_training_file_split_in_two(sample):
    """No image is lost and none is in both parts."""
    contents = fetch.sample()[1]["train-images-idx3-ubyte"][16:]
    original = [contents[start : start + 784] for start in range(0, len(contents), 784)]
    split = [image.tobytes() for part in (sample.train, sample.valid) for image in part.images]
    assert sorted(split) == sorted(original)


def test_the_quick_budget_needs_nothing_but_the_sample(monkeypatch):
    monkeypatch.setenv("FASHION_MNIST_DIR", "/no/such/folder")
    assert data.load("quick").source.folder == fetch.SAMPLE_FOLDER


def test_each_file_is_unpacked_and_verified_once(monkeypatch):
    calls = []
    unpack = fetch.unpack
    monkeypatch.setattr(fetch, "unpack", lambda *given: calls.append(given[2]) or unpack(*given))
    data.load("quick")
    assert len(calls) == len(set(calls)) == 4


def test_an_unknown_budget_is_refused():
    with pytest.raises(ValueError, match="budget is 'fast', but it must be 'full'"):
        data.load("fast")


# The sample


@pytest.mark.network
def test_the_sample_is_what_is_taken_out_of_the_real_data(real_data):
    """So a notebook without it has the same images. Nobody has edited it by hand."""
    _, real = fetch.find()
    made = fetch.sample_of(real)
    assert made == fetch.sample()[1]
    for name, contents in made.items():
        packed = (fetch.SAMPLE_FOLDER / f"{name}.gz").read_bytes()
        assert packed[4:8] == bytes(4), "the header of .gz holds no time: the same bytes each run"
        assert gzip.decompress(packed) == contents
    header = 16
    for part in ("train", "t10k"):
        whole = real[f"{part}-images-idx3-ubyte"]
        images = {whole[at : at + 784] for at in range(header, len(whole), 784)}
        ours = made[f"{part}-images-idx3-ubyte"]
        assert all(ours[at : at + 784] in images for at in range(header, len(ours), 784))


@pytest.mark.network
def test_without_the_sample_the_quick_budget_gives_the_same_images(
    real_data, sample, monkeypatch, tmp_path
):
    """A notebook that was packed without it takes them out of all images."""
    monkeypatch.setattr(fetch, "SAMPLE_FOLDER", tmp_path / "sample")
    taken = data.load("quick")
    assert taken.source.folder == real_data.source.folder
    for name in ("train", "valid", "test"):
        ours, theirs = getattr(taken, name), getattr(sample, name)
        assert numpy.array_equal(ours.images, theirs.images)
        assert numpy.array_equal(ours.labels, theirs.labels)


def test_the_sample_is_small_and_comes_with_its_license():
    sizes = [path.stat().st_size for path in fetch.SAMPLE_FOLDER.iterdir()]
    assert sum(sizes) < 3.2e6
    assert "Copyright (c) 2017 Zalando SE" in (fetch.SAMPLE_FOLDER / "LICENSE").read_text()


# Normalization


@pytest.mark.network
def test_mean_and_std_are_those_of_the_training_images(real_data):
    counts = numpy.bincount(real_data.train.images.ravel(), minlength=256)
    values = numpy.arange(256) / 255
    mean = numpy.average(values, weights=counts)
    std = numpy.average((values - mean) ** 2, weights=counts) ** 0.5
    assert mean == pytest.approx(data.MEAN, abs=5e-5)
    assert std == pytest.approx(data.STD, abs=5e-5)


def test_normalize_gives_mean_0_and_deviation_1(sample):
    X = data.normalize(sample.train.images)
    assert X.dtype == numpy.float32
    assert X.shape == (5_500, 1, 28, 28)
    expected = (sample.train.images[:, None] / 255 - data.MEAN) / data.STD
    assert numpy.abs(X - expected).max() < 1e-6
    assert abs(X.mean()) < 0.01
    assert abs(X.std() - 1) < 0.01


# Batches


def test_a_pass_for_evaluation_shows_every_image_once_and_in_order(sample):
    X, y = zip(*data.batches(sample.valid, 64, CPU))
    assert [len(labels) for labels in y] == [64] * 7 + [52]
    assert numpy.array_equal(numpy.concatenate([pixels(x) for x in X]), sample.valid.images)
    assert numpy.array_equal(mx.np.concatenate(y).asnumpy(), sample.valid.labels)


def test_a_batch_is_made_of_mxnet_arrays_on_the_device(sample):
    X, y = next(data.batches(sample.test, 32, CPU))
    assert isinstance(X, mx.np.ndarray)
    assert isinstance(y, mx.np.ndarray)
    assert (X.shape, X.dtype, X.ctx) == ((32, 1, 28, 28), numpy.float32, CPU)
    assert (y.shape, y.dtype, y.ctx) == ((32,), numpy.int32, CPU)


def test_a_pass_for_training_shuffles_and_leaves_the_incomplete_batch_out(rng):
    split = numbered(250)
    seen = [(numbers(X), y.asnumpy()) for X, y in data.batches(split, 64, CPU, rng)]
    assert len(seen) == 3
    order = numpy.concatenate([number for number, _ in seen])
    assert len(set(order)) == 192, "no image comes twice"
    assert not numpy.array_equal(order, numpy.sort(order))
    assert numpy.array_equal(order % 10, numpy.concatenate([y for _, y in seen]))


def test_the_same_seed_gives_the_same_batches_and_each_pass_another_order():
    split = numbered(200)

    def orders(seed, passes=2):
        rng = numpy.random.default_rng(seed)
        made = [
            data.batches(split, 50, CPU, rng, augmentation=data.Augmentation(flip=True))
            for _ in range(passes)
        ]
        return [numpy.concatenate([pixels(X) for X, _ in batches]) for batches in made]

    first, second = orders(1)
    again, _ = orders(1)
    other, _ = orders(2)
    assert numpy.array_equal(first, again)
    assert not numpy.array_equal(first, second)
    assert not numpy.array_equal(first, other)


def test_flips_mirror_half_of_the_images_left_right_and_leave_the_originals_alone(rng):
    split = numbered(250)
    originals = split.images.copy()
    mirrored = 0
    for X, _ in data.batches(split, 50, CPU, rng, augmentation=data.Augmentation(flip=True)):
        for image, number in zip(pixels(X), numbers(X)):
            flipped = image[1, 27] == 255
            expected = originals[number][:, ::-1] if flipped else originals[number]
            assert numpy.array_equal(image, expected)
            mirrored += flipped
    assert 90 < mirrored < 160
    assert numpy.array_equal(split.images, originals)


def test_images_shift_by_at_most_the_given_pixels_with_black_behind_them(rng):
    """Each of the 25 shifts occurs about equally often."""
    images = rng.integers(1, 256, (2000, 28, 28), "uint8")
    split = data.Split(images, numpy.zeros(2000, "int32"))
    originals, counts = images.copy(), Counter()
    order = numpy.random.default_rng(0).permutation(2000)
    (X, _), *_ = data.batches(
        split, 2000, CPU, numpy.random.default_rng(0), augmentation=data.Augmentation(shift=2)
    )
    for image, number in zip(pixels(X), order):
        framed = numpy.pad(images[number], 2)
        moves = [
            (down, right)
            for down in range(5)
            for right in range(5)
            if numpy.array_equal(image, framed[down : down + 28, right : right + 28])
        ]
        assert len(moves) == 1
        counts[moves[0]] += 1
    assert len(counts) == 25
    assert min(counts.values()) > 40
    assert numpy.array_equal(split.images, originals)


@pytest.mark.parametrize("start", [0, 1, 3])
def test_a_pass_that_goes_on_has_the_batches_of_the_whole_one(start):
    split = numbered(250)
    whole, rest = (
        list(
            data.batches(
                split, 64, CPU, numpy.random.default_rng(3), augmentation=AUGMENTED, start=begin
            )
        )
        for begin in (0, start)
    )
    assert len(rest) == len(whole) - start
    for (X, y), (again, label) in zip(whole[start:], rest):
        assert numpy.array_equal(X.asnumpy(), again.asnumpy())
        assert numpy.array_equal(y.asnumpy(), label.asnumpy())


@st.composite
def passes(draw):
    """Draw the number of images, training or evaluation, batches, parts and the first step."""
    parts = draw(st.integers(1, 4))
    batch_size = parts * draw(st.integers(1, 6))
    training = draw(st.booleans())
    count = draw(st.integers(batch_size if training else 1, 40))
    return count, training, batch_size, parts, draw(st.integers(0, 5))


@given(passes())
@settings(max_examples=60, deadline=None)
def test_any_parts_from_any_start_divide_a_pass_without_gap_or_overlap(drawn):
    count, training, batch_size, parts, start = drawn
    split = numbered(count)

    def arrays(**place):
        rng = numpy.random.default_rng(3) if training else None
        batches = data.batches(split, batch_size, CPU, rng, augmentation=AUGMENTED, **place)
        return [(X.asnumpy(), y.asnumpy()) for X, y in batches]

    whole = arrays()
    assert sum(len(y) for _, y in whole) == (count - count % batch_size if training else count)
    divided = [arrays(start=start, part=(rank, parts)) for rank in range(parts)]
    for batch, *batch_parts in zip(whole[start:], *divided, strict=True):
        for array, pieces in zip(batch, zip(*batch_parts)):
            numpy.testing.assert_array_equal(numpy.concatenate(pieces), array)
            if len(array) == batch_size:
                assert {len(piece) for piece in pieces} == {batch_size // parts}


def test_nothing_is_changed_unless_asked_nor_in_a_pass_for_evaluation(rng):
    split = numbered(50)
    for batches in (
        data.batches(split, 50, CPU, rng),
        data.batches(split, 50, CPU, augmentation=AUGMENTED),
    ):
        X, _ = next(batches)
        assert numpy.array_equal(pixels(X), split.images[numbers(X)])


@pytest.mark.parametrize("size", [14, 96])
def test_another_size_is_interpolated_between_the_pixels(sample, size):
    """Compared with numpy's interpolation along each row, then along each column."""
    X, _ = next(data.batches(sample.test, 4, CPU, size=size))
    assert X.shape == (4, 1, size, size)
    assert isinstance(X, mx.np.ndarray)
    at = numpy.linspace(0, 27, size)

    def stretch(rows):
        return numpy.stack([numpy.interp(at, numpy.arange(28), row) for row in rows])

    for image, resized in zip(data.normalize(sample.test.images[:4])[:, 0], X.asnumpy()[:, 0]):
        assert numpy.abs(stretch(stretch(image).T).T - resized).max() < 1e-4


# Bad input


@pytest.mark.parametrize("shift", [-1, 28, 0.5, "2", None])
def test_a_shift_that_leaves_nothing_of_an_image_is_refused(shift):
    with pytest.raises(ValueError, match=rf"shift is {shift!r}, but it must be a whole number of"):
        data.Augmentation(shift=shift)


@pytest.mark.parametrize("batch_size", [0, -8, 2.5, "64", True, None])
def test_a_batch_size_that_is_not_a_positive_whole_number_is_refused(sample, batch_size):
    """At the call, not when the first batch is drawn."""
    with pytest.raises(ValueError, match=r"batch_size is .*whole number of at least 1"):
        data.batches(sample.test, batch_size, CPU)


def test_a_training_batch_larger_than_the_data_is_refused(rng):
    with pytest.raises(ValueError, match="batch_size is 64, but there are 50 images"):
        data.batches(numbered(50), 64, CPU, rng)
    ((X, _),) = data.batches(numbered(50), 64, CPU)
    assert len(X) == 50, "to evaluate, one smaller batch will do"


IMAGES = numpy.zeros((3, 28, 28), "uint8")
LABELS = numpy.array([0, 5, 9], "int32")


@pytest.mark.parametrize(
    ("images", "labels", "error", "complaint"),
    [
        (IMAGES, numpy.array([0, 10, 1], "int32"), ValueError, "Label 1 is 10, but .* 0 to 9"),
        (IMAGES, numpy.array([0, 1, -1], "int32"), ValueError, "Label 2 is -1, but .* 0 to 9"),
        (IMAGES, LABELS[:2], ValueError, "There are 3 images but 2 labels"),
        (IMAGES, LABELS.astype("float32"), TypeError, "labels are float32.*int32"),
        (IMAGES, [0, 5, 9], TypeError, "labels are list.*numpy array of int32"),
        (IMAGES, LABELS[:, None], ValueError, r"labels have the shape \(3, 1\)"),
        (IMAGES.astype("float32"), LABELS, TypeError, "images are float32.*uint8"),
        (IMAGES[:, None], LABELS, ValueError, r"images have the shape \(3, 1, 28, 28\)"),
        (IMAGES[:, :14], LABELS, ValueError, r"images have the shape \(3, 14, 28\)"),
    ],
)
def test_images_and_labels_that_do_not_fit_are_refused(images, labels, error, complaint):
    with pytest.raises(error, match=complaint):
        data.Split(images, labels)


def test_normalize_refuses_what_is_normalized_already(sample):
    X = data.normalize(sample.test.images)
    with pytest.raises(TypeError, match=r"images are float32, but they must be .*uint8"):
        data.normalize(X)
