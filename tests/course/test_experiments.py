"""Sweeps: each run in a process of its own, results stored with how they were made."""

import dataclasses
import json
import os

import mxnet as mx
import numpy
import pandas
import pytest

import sweep
from utils import experiments, recipes
from utils.experiments import (
    about_depth,
    difference_counts,
    effects,
    effects_of_depth,
    final,
)
from utils.recipes import Recipe
from utils.runs.history import DivergedError

TINY = Recipe(epochs=2, batch_size=32, size=14)
STORED = sorted(path.stem for path in experiments.RESULTS.glob("*.json"))


@pytest.fixture(scope="module")
def runs():
    trials = experiments.depth_trials((8,), (0, 1), TINY, images=64)
    return experiments.run_all([*trials, trials[0]])


@pytest.mark.slow
@pytest.mark.xdist_group("experiments")
def test_a_result_says_which_run_it_was_and_what_every_epoch_measured(runs):
    assert [(run["family"], run["depth"], run["seed"]) for run in runs] == [
        ("plain", 8, 0),
        ("plain", 8, 1),
        ("residual", 8, 0),
        ("residual", 8, 1),
        ("plain", 8, 0),
    ]
    assert all(len(run[name]) == TINY.epochs for run in runs for name in experiments.MEASURED)


@pytest.mark.slow
@pytest.mark.xdist_group("experiments")
def test_a_seed_gives_the_same_run_in_any_process(runs):
    first, again = ({k: v for k, v in run.items() if k != "seconds"} for run in (runs[0], runs[-1]))
    assert first == again
    assert runs[0]["train_loss"] != runs[1]["train_loss"]


@pytest.mark.slow
@pytest.mark.xdist_group("experiments")
def test_the_processes_compute_with_one_thread_and_this_one_as_before(runs):
    before = os.environ["OMP_NUM_THREADS"]
    with experiments.threads(1):
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert os.environ["OMP_NUM_THREADS"] == before


def test_where_nobody_has_set_the_number_of_threads_it_is_unset_again(monkeypatch):
    """As where MXNet was imported before utils."""
    monkeypatch.delenv("OMP_NUM_THREADS")
    with experiments.threads(1):
        assert os.environ["OMP_NUM_THREADS"] == "1"
    assert "OMP_NUM_THREADS" not in os.environ


@pytest.mark.slow
@pytest.mark.xdist_group("experiments")
def test_a_sweep_goes_on_with_the_runs_that_are_not_stored_yet(runs, tmp_path, capsys):
    kept = tmp_path / "kept.json"
    trials = experiments.depth_trials((8,), (0, 1), TINY, images=64)[:2]
    (first,) = experiments.run_all(trials[:1], kept)
    assert first["train_loss"] == runs[0]["train_loss"]
    stored = json.loads(kept.read_text("utf-8"))
    kept.write_text(json.dumps({key: {**run, "seconds": -1.0} for key, run in stored.items()}))
    capsys.readouterr()
    first, second = experiments.run_all(trials, kept)
    assert first["seconds"] == -1.0, "it was not run again"
    assert second["train_loss"] == runs[1]["train_loss"]
    assert "1/1" in capsys.readouterr().out


def test_each_result_is_stored_before_a_later_run_fails(tmp_path):
    """One process and one after the other: the second run fails when the first has ended."""
    kept = tmp_path / "kept.json"
    (trial,) = experiments.depth_trials((8,), (0,), TINY, families=["plain"], images=64)
    wild = dataclasses.replace(trial, images=16)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experiments.machine, "available_cpus", lambda: 1)
        with pytest.raises(ValueError, match="batch_size is 32, but there are only 16"):
            experiments.run_all([trial, wild], kept)
    assert len(json.loads(kept.read_text("utf-8"))) == 1


def test_results_of_other_code_are_not_taken(tmp_path, monkeypatch):
    (trial,) = experiments.depth_trials((8,), (0,), TINY, families=["plain"], images=64)
    before = experiments._key(trial)
    assert experiments._key(dataclasses.replace(trial)) == before
    assert experiments._key(dataclasses.replace(trial, seed=1)) != before
    monkeypatch.setattr(experiments, "toolbox_version", lambda: "newer")
    assert experiments._key(trial) != before


@pytest.mark.slow
def test_results_of_the_sample_do_not_pass_for_those_of_all_images():
    (trial,) = experiments.depth_trials((8,), (0,), TINY, families=["plain"], images=10_000)
    with pytest.raises(ValueError, match="needs 10000 training images, but there are only 5500"):
        experiments.run(trial)


@pytest.mark.slow
def test_an_error_in_a_run_ends_the_sweep_with_that_error():
    too_few = experiments.depth_trials((8,), (0,), TINY, images=16)
    with pytest.raises(ValueError, match="batch_size is 32, but there are only 16"):
        experiments.run_all(too_few)


@pytest.mark.slow
@pytest.mark.xdist_group("experiments")
def test_the_table_holds_the_last_epoch_of_each_run(runs):
    table = final(runs)
    assert len(table) == len(runs)
    assert table.train_loss[0] == runs[0]["train_loss"][-1]


def losses(family, by_depth):
    return pandas.DataFrame(
        [
            {"family": family, "depth": depth, "train_loss": loss}
            for depth, several in by_depth.items()
            for loss in several
        ]
    )


def test_every_pair_of_depths_is_compared_by_the_larger_spread():
    table = losses("plain", {8: [0.3, 0.4], 20: [9, 9], 56: [1.0, 1.4]})
    rows = effects_of_depth(table)
    assert list(rows.index) == [("plain", 8, 20), ("plain", 8, 56), ("plain", 20, 56)]
    row = rows.loc["plain", 8, 56]
    assert (row.shallower, row.deeper) == pytest.approx((0.35, 1.2))
    assert row.difference == pytest.approx(0.85)
    assert row.spread == pytest.approx(0.2828, abs=1e-4)
    assert row.times == pytest.approx(3.005, abs=1e-3)
    assert row.counts


@pytest.mark.parametrize(
    ("after", "said"),
    [
        (1.3, "Deeper plain networks have a higher training loss: 8 to 56 layers (+0.300, 3.0 "),
        (1.2, "Of plain networks, these differences do not count: 8 to 56 layers (+0.200, 2.0 "),
        (0.9, "Of plain networks, these differences do not count: 8 to 56 layers (-0.100, 1.0 "),
        (0.7, "Deeper plain networks have a lower training loss: 8 to 56 layers (-0.300, 3.0 "),
    ],
)
def test_what_is_said_about_depth_is_what_the_table_says(after, said):
    table = losses("plain", {8: [0.9, 1.0, 1.1], 56: [after - 0.1, after, after + 0.1]})
    assert about_depth(effects_of_depth(table), "plain") == f"{said}times the spread)."


def test_each_pair_is_in_one_of_the_sentences():
    table = losses("plain", {8: [1.0, 1.02], 20: [0.5, 0.52], 32: [0.51, 0.53], 56: [2.0, 2.02]})
    said = about_depth(effects_of_depth(table), "plain")
    assert len(said.splitlines()) == 3
    assert said.count(" layers (") == 6


@pytest.mark.parametrize(
    ("first", "second", "counts"),
    [([1, 2, 3], [4, 5, 6.1], True), ([1, 2, 3], [3, 4, 5], False), ([4, 5, 6.1], [1, 2, 3], True)],
)
def test_a_difference_counts_beyond_twice_the_spread(first, second, counts):
    assert difference_counts(first, second) is counts


def test_one_seed_has_no_spread():
    with pytest.raises(ValueError, match="Pass at least two seeds"):
        effects_of_depth(losses("plain", {8: [0.3], 56: [1.0]}))


def test_a_gain_counts_if_it_is_more_than_twice_the_spread_of_both_rows():
    rows = {"plain": [0.1, 0.3], "+ a": [0.5, 0.5], "+ b": [0.6, 0.6]}
    table = pandas.DataFrame(
        [{"change": change, "accuracy": a} for change, pair in rows.items() for a in pair]
    )
    gains = experiments.gains(table, "accuracy")
    assert list(gains.index) == list(rows)
    assert list(gains.gain[1:]) == pytest.approx([0.3, 0.1])
    assert list(gains.counts) == [False, True, True]
    assert gains.spread["plain"] == pytest.approx(0.1414, abs=1e-4)


def test_an_effect_counts_if_it_is_more_than_twice_the_spread_of_both_rows():
    table = pandas.DataFrame(
        {
            "change": ["the recipe"] * 3 + ["much worse"] * 3 + ["within the spread"] * 3,
            "valid_accuracy": [0.91, 0.92, 0.93, 0.80, 0.81, 0.82, 0.90, 0.91, 0.92],
        }
    )
    rows = effects(table, "valid_accuracy")
    assert list(rows.index) == ["the recipe", "much worse", "within the spread"]
    assert rows.effect.tolist() == pytest.approx([0, -0.11, -0.01])
    assert rows.counts.tolist() == [False, True, False]


def test_each_variant_of_a_recipe_differs_from_it_in_one_thing():
    recipe = recipes.SHORT
    for trial in sweep.ingredients(recipe)[3:]:
        changed = dataclasses.asdict(trial.recipe).items() - dataclasses.asdict(recipe).items()
        assert len(changed) == 1, trial.labels


@pytest.mark.slow
def test_a_run_that_diverges_says_so_in_the_process_that_asked():
    wild = dataclasses.replace(TINY, learning_rate=1e30, warm_up=0.0)
    with pytest.raises(DivergedError, match="Lower the learning rate"):
        experiments.run_all(experiments.depth_trials((8,), (0,), wild, images=64))


# Few labels


def test_few_images_are_of_the_classes_asked_for_and_follow_from_the_seed(sample):
    split = sweep.of_classes(sample.train, range(5, 10))
    assert set(split.labels) == {5, 6, 7, 8, 9}
    few, again, other = (sweep.few_of_each(split, 10, seed) for seed in (0, 0, 1))
    assert numpy.bincount(few.labels)[5:].tolist() == [10] * 5
    assert numpy.array_equal(few.images, again.images)
    assert not numpy.array_equal(few.images, other.images)


@pytest.mark.slow
def test_a_trial_may_prepare_its_network_and_its_images(sample):
    def prepare(net, fashion, trial):
        net.dense.bias.set_data(mx.np.full(10, 7.0))
        seen.append((len(fashion.train), trial.seed))
        return dataclasses.replace(fashion, train=fashion.train.first(32))

    seen = []
    (trial,) = experiments.depth_trials((8,), (3,), TINY, families=["plain"], images=64)
    result = experiments.run(dataclasses.replace(trial, prepare=prepare))
    assert seen == [(64, 3)]
    assert result["train_loss"] != experiments.run(trial)["train_loss"]


# Stored results


def test_every_sweep_has_stored_results_and_nothing_else_has():
    assert set(STORED) == set(sweep.SWEEPS)


@pytest.mark.parametrize("name", STORED)
def test_stored_results_are_those_of_the_command_they_name(name):
    """As many runs, of the same networks, seeds and epochs, as the command makes."""
    stored, trials = experiments.stored(name), sweep.SWEEPS[name]()
    assert stored["command"] == f"make sweep SWEEPS={name}"
    for trial in trials:
        assert {**dataclasses.asdict(trial.recipe), **stored["recipe"]} == dataclasses.asdict(
            trial.recipe
        )
    assert stored["images"] == trials[0].images
    made = [{**trial.labels, "seed": trial.seed} for trial in trials]
    changing = dataclasses.asdict(trials[0].recipe).keys() - stored["recipe"].keys()
    assert changing <= made[0].keys(), "what differs between the runs is written beside each"
    assert [{key: run[key] for key in made[0]} for run in stored["runs"]] == made
    assert stored["seeds"] == sorted({run["seed"] for run in stored["runs"]})
    assert len(stored["seeds"]) >= 3
    for run, trial in zip(stored["runs"], trials):
        assert all(len(run[measure]) == trial.recipe.epochs for measure in experiments.MEASURED)


@pytest.mark.parametrize("name", ["depth", "longer"])
def test_the_stored_claim_holds(name):
    """Deeper is worse for plain networks by more than twice the spread; shortcuts reduce that."""
    rows = effects_of_depth(final(experiments.stored(name)["runs"]))
    plain, residual = rows.loc["plain"], rows.loc["residual"]
    assert plain.counts[8, 56]
    assert plain.counts[20, 56]
    assert (plain.difference[[(8, 56), (20, 56)]] > 0).all()
    assert (residual.difference < plain.difference / 5).all()


@pytest.mark.slow
@pytest.mark.xdist_group("experiments")
def test_a_sweep_writes_what_the_notebooks_read(runs, tmp_path, monkeypatch):
    trials = experiments.depth_trials((8,), (0, 1), TINY, images=64)
    monkeypatch.setattr(experiments, "RESULTS", tmp_path)
    (tmp_path / "depth.json").write_text(sweep.document("depth", trials, runs[:4]))
    assert experiments.stored("depth")["runs"] == runs[:4]
    assert experiments.stored("depth")["seeds"] == [0, 1]


def test_results_that_are_not_there_are_missed_with_those_that_are():
    with pytest.raises(FileNotFoundError, match=r"named 'width'. There are: depth, "):
        experiments.stored("width")
