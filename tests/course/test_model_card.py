"""The model card: its numbers are computed from the network and the data, and it is valid."""

import dataclasses
import hashlib
import re

import mistune
import mxnet as mx
import numpy
import pandas
import pytest
import yaml
from small_runs import RECIPE, few_images, small_net

from utils import data, export, model_card, shapes, train

pytestmark = pytest.mark.usefixtures("numpy_mode")


@pytest.fixture
def file(tmp_path):
    return export.to_onnx(small_net(), tmp_path / "small.onnx")


@pytest.fixture(scope="module")
def scores(sample):
    """Scores that are right for about 7 images in 10 and most often take a dress for a coat."""
    labels = sample.test.labels
    rng = numpy.random.default_rng(0)
    answers = numpy.where(rng.random(len(labels)) < 0.7, labels, rng.integers(0, 10, len(labels)))
    dresses = numpy.flatnonzero(labels == data.CLASSES.index("dress"))
    answers[dresses[:60]] = data.CLASSES.index("coat")
    return numpy.eye(10, dtype="float32")[answers]


def card(file, sample, scores, **changed):
    settings = {"recipe": RECIPE, "seed": 3, **changed}
    return model_card.write(file, small_net(), few_images(sample), scores, **settings)


def tables(path):
    """Return the tables that a Markdown parser finds in a card."""
    _, _, body = path.read_text("utf-8").split("---\n", 2)
    html = str(mistune.create_markdown(plugins=["table"])(body))
    found = re.findall("<table>.*?</table>", html, re.S)
    rows = [re.findall("<tr>(.*?)</tr>", table, re.S) for table in found]
    cells = [[re.findall("<t[hd]>(.*?)</t[hd]>", row, re.S) for row in table] for table in rows]
    return [pandas.DataFrame(table, columns=header) for header, *table in cells]


def test_the_accuracy_of_each_class_is_the_one_that_numpy_computes(file, sample, scores):
    path = card(file, sample, scores)
    *_, accuracy = tables(path)
    assert list(accuracy["class"]) == data.CLASSES
    right = scores.argmax(axis=1) == sample.test.labels
    for label, row in accuracy.iterrows():
        of_class = right[sample.test.labels == label]
        assert int(row.images) == len(of_class)
        assert int(row.recognized) == of_class.sum()
        assert float(row.accuracy) == pytest.approx(of_class.mean(), abs=5e-4)
    total = f"It recognizes {right.sum()} of all 1,000 images: accuracy {right.mean():.4f}."
    assert total in path.read_text("utf-8")


def test_the_head_is_the_yaml_that_model_hubs_read(file, sample, scores):
    text = card(file, sample, scores).read_text("utf-8")
    assert text.startswith("---\n")
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["license"] == "mit"
    assert head["library_name"] == "onnx"
    assert "resnet" in head["tags"]
    assert head["datasets"] == ["zalando-datasets/fashion_mnist"]
    assert head["metrics"] == ["accuracy"]
    (model,) = head["model-index"]
    (result,) = model["results"]
    assert model["name"] == "small"
    assert (result["task"]["type"], result["dataset"]["split"]) == (head["pipeline_tag"], "test")
    right = scores.argmax(axis=1) == sample.test.labels
    assert result["metrics"] == [{"type": "accuracy", "value": round(right.mean(), 4)}]


def test_the_largest_confusion_is_named(file, sample, scores):
    text = card(file, sample, scores).read_text("utf-8")
    dresses = sample.test.labels == data.CLASSES.index("dress")
    taken = (scores[dresses].argmax(axis=1) == data.CLASSES.index("coat")).sum()
    assert f"mistake: dress taken for coat, {taken} of {dresses.sum()} images." in text
    perfect = numpy.eye(10, dtype="float32")[sample.test.labels]
    assert "It made no mistake" in card(file, sample, perfect).read_text("utf-8")


def test_the_data_and_the_whole_recipe_are_there(file, sample, scores):
    path = card(file, sample, scores)
    splits, settings, _ = tables(path)
    assert dict(zip(splits.split, splits.images)) == {
        "train": "275",
        "valid": "500",
        "test": "1,000",
    }
    stored = {name[6:-7]: value for name, value in settings.itertuples(index=False)}  # <code>
    expected = {**dataclasses.asdict(RECIPE), "seed": 3}
    assert stored == {name: str(value) for name, value in expected.items()}
    assert f"MXNet {mx.__version__}" in path.read_text("utf-8")


def test_the_parameters_are_those_of_the_table_of_layers(file, sample, scores):
    net, text = small_net(), card(file, sample, scores).read_text("utf-8")
    learned = shapes.layer_table(net, (1, 1, 28, 28)).parameters["network"]
    assert f"{learned:,} learned; {2 * 3 * 64:,} running means and variances\n" in text
    assert "Layers and blocks: 3 Conv2D, 3 BatchNorm," in text


def test_the_input_is_as_the_network_takes_it(file, sample, scores):
    text = card(file, sample, scores).read_text("utf-8")
    assert "`images`, float32 (N, 1, 28, 28)" in text
    assert "scaled from" not in text
    ((mean, std),) = re.findall(r"\(p / 255 − (\S+)\) / (\S+)", text)
    pixels = sample.test.images[:1]
    by_hand = (pixels[:, None] / 255 - float(mean)) / float(std)
    assert abs(by_hand - data.normalize(pixels)).max() < 1e-5
    assert f"in this order: {', '.join(data.CLASSES)}" in text
    large = dataclasses.replace(RECIPE, size=96)
    text = card(file, sample, scores, recipe=large).read_text("utf-8")
    assert "(N, 1, 96, 96), any N, scaled from 28×28" in text


def test_a_changed_file_is_not_the_one_of_its_card(file, sample, scores):
    path = card(file, sample, scores)
    assert path == file.with_suffix(".md")
    (digest,) = re.findall(r"`([0-9a-f]{64})`", path.read_text("utf-8"))
    assert hashlib.sha256(file.read_bytes()).hexdigest() == digest
    changed = bytearray(file.read_bytes())
    changed[len(changed) // 2] ^= 1
    file.write_bytes(changed)
    assert hashlib.sha256(file.read_bytes()).hexdigest() != digest


def test_the_scores_of_train_predict_are_what_it_takes(file, sample):
    scores = train.predict(small_net(), sample.test, mx.cpu())
    assert "Accuracy on the test images" in card(file, sample, scores).read_text("utf-8")


class TestACardIsRefused:
    def refused(self, file, sample, scores, match):
        with pytest.raises(ValueError, match=match):
            card(file, sample, scores)
        assert [path.name for path in file.parent.iterdir()] == [file.name]

    def test_for_scores_of_other_images(self, file, sample, scores):
        self.refused(file, sample, scores[:-1], r"\(999, 10\), .* Needed are .* shape \(1000, 10\)")
        self.refused(file, sample, scores.argmax(axis=1), r"\(1000,\), and .* train\.predict")

    def test_for_scores_that_are_not_numbers(self, file, sample, scores):
        broken = numpy.where(scores, numpy.nan, 0)
        self.refused(file, sample, broken, "and 1000 of them are not finite")

    def test_for_a_file_that_is_not_there(self, tmp_path, sample, scores):
        with pytest.raises(FileNotFoundError, match=r"none\.onnx"):
            card(tmp_path / "none.onnx", sample, scores)
