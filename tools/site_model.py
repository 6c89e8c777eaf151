"""Train the networks of the page "Where does it look?": python tools/site_model.py [--keep]

Two networks of 14 layers, a residual and a plain one, are trained by `train.fit` and written by
`export.to_onnx`. site/static/where/ receives both files, what the page reads of them (a description
and float16 numbers), test images, and card.json: command, recipe, seed, accuracies, and the SHA-256
of each file. With --keep, everything but the ONNX files is written anew from these.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

import numpy
import onnx
import onnxruntime
from mxnet import gluon, np, npx

import utils  # noqa: F401  (before mxnet: it sets this machine up)
from browser_network import describe, rename, scores, weights
from generated import write_block
from notebooks import ROOT
from site_pictures import looks, receptive_fields
from utils import _gluon, data, experiments, export, families, probes, resnet, train
from utils.recipes import Recipe
from utils.runs import keeper
from utils.setup import fetch, machine, remedies, storage

FOLDER = ROOT / "site" / "static" / "where"
PAGES = ROOT / "site" / "pages"
PAGE = PAGES / "where_does_it_look.md"
CARD = FOLDER / "card.json"
DEPTH, WIDTHS = 14, (16, 32, 64)
RECIPE = Recipe(epochs=1, batch_size=32, learning_rate=0.05, flip=True)
SEED = 0
EACH = 10  # test images of each class: the first ones, in the order of the data


def build(family: str) -> gluon.Block:
    """Return a new network of a family, "residual" or "plain"."""
    return families.deep_network(DEPTH, experiments.FAMILIES[family], WIDTHS)


def examples(split: data.Split) -> data.Split:
    """Return the images of the page: the first ones of each class."""
    firsts = [numpy.flatnonzero(split.labels == label)[:EACH] for label in range(len(data.CLASSES))]
    places = numpy.concatenate(firsts)
    return data.Split(split.images[places], split.labels[places])


def trained(family: str, file: Path) -> dict:
    """Train a network, write it as an ONNX file, and return what was measured."""
    npx.set_np()  # in a process of its own
    device, _ = machine.best_device()
    net = build(family)
    train.initialize(net, seed=SEED, device=device)
    with contextlib.redirect_stdout(io.StringIO()):  # two bars at a time cannot be read
        history = train.fit(net, data.load(), RECIPE, seed=SEED, device=device)
    export.to_onnx(net, file)
    model = onnx.load(file)
    # The weights bear the names of their places in the network, for the page and for its readers.
    rename(model, {parameter.name: place for place, parameter in _gluon.places(net).items()})
    onnx.save(model, file)
    return {
        "parameters": sum(parameter.data().size for parameter in _gluon.learned(net)),
        "validation_accuracy": round(history.valid_accuracy[-1], 4),
    }


def train_both(folder: Path) -> dict[str, dict]:
    """Train the networks at the same time, each in a process with one thread.

    With one thread, a seed gives the same numbers however many processors there are.
    """
    with experiments.threads(1), keeper.processes(len(experiments.FAMILIES)) as pool:
        running = {
            family: pool.submit(trained, family, folder / f"{family}.onnx")
            for family in experiments.FAMILIES
        }
        return {family: future.result() for family, future in running.items()}


def restored(family: str, file: Path) -> gluon.Block:
    """Return the network that an ONNX file of this page holds, in MXNet."""
    net = build(family)
    device = machine.best_device()[0]
    train.initialize(net, seed=SEED, device=device)
    arrays = weights(onnx.load(file))
    for place, parameter in _gluon.places(net).items():
        parameter.set_data(np.array(arrays[place], ctx=device))
    return net


def scores_of(file: Path, images: numpy.ndarray) -> numpy.ndarray:
    """Return the scores (N, 10) that ONNX Runtime gives for images: uint8 (N, 28, 28)."""
    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
    return session.run([export.OUTPUT], {export.INPUT: data.normalize(images)})[0]


def write_network(
    family: str, file: Path, shown: data.Split, folder: Path
) -> tuple[dict, list[int]]:
    """Write what the page reads of an ONNX file.

    Returns how the network does on the page's images, and its answers: the numbers of classes.
    """
    description, numbers = describe(onnx.load(file), family)
    text = json.dumps({"written by": "make site-model", **description}, indent=1)
    (folder / f"{family}.json").write_text(text + "\n", encoding="utf-8")
    (folder / f"{family}.bin").write_bytes(numbers.tobytes())
    exact = scores_of(file, shown.images)
    rounded = scores(description, numbers, shown.images)
    measured = {
        "right_of_the_images": int((exact.argmax(axis=1) == shown.labels).sum()),
        "right_with_float16": int((rounded.argmax(axis=1) == shown.labels).sum()),
        "scores_differ_by_at_most": round(float(abs(exact - rounded).max()), 4),
    }
    return measured, rounded.argmax(axis=1).tolist()


def write_images(shown: data.Split, answers: dict[str, list[int]], folder: Path) -> None:
    """Write the images of the page, their labels, and what each network answers."""
    (folder / "images.bin").write_bytes(shown.images.tobytes())
    described = {
        "written by": "make site-model",
        "classes": data.CLASSES,
        "labels": shown.labels.tolist(),
        "answers": answers,
    }
    (folder / "images.json").write_text(json.dumps(described) + "\n", encoding="utf-8")


def write_pictures(file: Path, shown: data.Split) -> None:
    """Write the pictures that stand on the pages where no script runs."""
    net = restored("residual", file)
    first = data.Split(shown.images[::EACH], shown.labels[::EACH])
    X = np.array(data.normalize(first.images))
    maps, _ = probes.watch(net, {"pool": net.pool}, X)["pool"]
    answers = scores_of(file, first.images).argmax(axis=1)
    of_class = net.dense.weight.data()
    activations = numpy.concatenate(
        [
            probes.class_activation(maps[i : i + 1], of_class[int(answer)]).asnumpy()
            for i, answer in enumerate(answers)
        ]
    )
    names = [[data.CLASSES[label] for label in labels] for labels in (first.labels, answers)]
    pictures = {
        "where_does_it_look": looks(first.images, activations, *names),
        "receptive_field": receptive_fields(resnet.resnet18(), first.images[7], 96),
    }
    for name, picture in pictures.items():
        (PAGES / f"{name}.svg").write_text(picture.svg, encoding="utf-8")
    alts = {name: picture.alt for name, picture in pictures.items()}
    (PAGES / "pictures.json").write_text(json.dumps(alts, indent=1) + "\n", encoding="utf-8")
    picture = pictures["where_does_it_look"]
    write_block(PAGE, "picture", f"![{picture.alt}](where_does_it_look.svg)")


def table(card: dict) -> str:
    """Return the table of the page: the two networks in numbers."""
    rows = {
        "parameters": lambda network: f"{network['parameters']:,}",
        "accuracy on the 5,000 validation images": lambda network: (
            f"{network['validation_accuracy']:.3f}"
        ),
        "right among the {count} images of this page".format(
            count=card["images"]
        ): lambda network: str(network["right_of_the_images"]),
    }
    lines = ["| | residual | plain |", "|:--|--:|--:|"]
    for name, shown in rows.items():
        cells = [shown(card["networks"][family]) for family in experiments.FAMILIES]
        lines.append(f"| {name} | {cells[1]} | {cells[0]} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keep", action="store_true", help="keep the trained networks")
    keep = parser.parse_args().keep
    npx.set_np()
    fashion = data.load()
    if fashion.source.folder == fetch.SAMPLE_FOLDER:
        sys.exit("The networks of the page are trained on all images, and there is only a sample.")
    shown = examples(fashion.test)
    FOLDER.mkdir(parents=True, exist_ok=True)
    with storage.appearing_whole(FOLDER) as part:
        if keep:
            measured = json.loads(CARD.read_text("utf-8"))["networks"]
            for family in measured:
                shutil.copy(FOLDER / f"{family}.onnx", part)
        else:
            measured = train_both(part)
        answers = {}
        for family, network in measured.items():
            file = part / f"{family}.onnx"
            found, answers[family] = write_network(family, file, shown, part)
            network |= found
        write_images(shown, answers, part)
        write_pictures(part / "residual.onnx", shown)
        card = {
            "command": "make site-model",
            "data": "Fashion-MNIST: 55,000 images to train, 5,000 to validate, test images to show",
            "network": f"utils.families.deep_network, {DEPTH} layers, channels {WIDTHS}",
            "recipe": asdict(RECIPE),
            "seed": SEED,
            "images": len(shown),
            "networks": measured,
            "files": {
                path.name: {
                    "bytes": path.stat().st_size,
                    "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                }
                for path in sorted(part.iterdir())
            },
        }
        (part / CARD.name).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    write_block(PAGE, "networks", table(card))
    print(table(card))


if __name__ == "__main__":
    with remedies.explained():
        keeper.end_with_starter()
        main()
