"""Checkpoints: whatever stops a run, it resumes to the same end, and no good file is lost."""

import contextlib
import dataclasses
import io
import os
import random
import re
import resource
import shutil
import signal
import tempfile
import zipfile
from pathlib import Path

import pytest
import small_runs
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.manager import start_new_kernel
from mxnet.gluon import nn
from small_runs import CPU, RECIPE, equal, interrupt_at, parameters, run, small_net

from utils import train
from utils.resnet import named, stem
from utils.runs import checkpoint
from utils.setup import storage

pytestmark = pytest.mark.usefixtures("numpy_mode")

KILLS = 20


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.zip"


@pytest.fixture
def undisturbed(few):
    """The fingerprint of a run that nothing disturbs."""
    net = small_net()
    return run(net, few).fingerprint(net)


@pytest.fixture
def written(few, path):
    """The checkpoint of a finished run, with the previous one beside it."""
    run(small_net(), few, checkpoint=path)
    return path


def resumed(few, path, recipe=RECIPE):
    """Resume the run with a network that starts from other weights; return its fingerprint."""
    net = small_net(seed=5)
    return run(net, few, recipe, checkpoint=path, resume=True).fingerprint(net)


@pytest.mark.parametrize("step", [1, 5, 8, 12, 16])
def test_an_interrupted_run_goes_on_to_the_same_end(few, path, undisturbed, step):
    """Step 8 is between two epochs; step 16 is the last one, before its evaluation."""
    with pytest.raises(KeyboardInterrupt):
        run(small_net(), few, checkpoint=path, on_step=interrupt_at(step))
    seen = []
    net = small_net(seed=5)
    on_step = lambda history: seen.append(len(history.step_losses))  # noqa: E731
    history = run(net, few, checkpoint=path, resume=True, on_step=on_step)
    assert history.fingerprint(net) == undisturbed
    assert seen == list(range(step, 17)), "no step is done twice"


def test_an_interruption_waits_until_the_step_is_whole(few, path, undisturbed, monkeypatch):
    """After half a step, only some of the weights would have moved."""
    computed = train.loss_function

    def pressed_meanwhile(scores, y):
        signal.raise_signal(signal.SIGINT)
        return computed(scores, y)

    monkeypatch.setattr(train, "loss_function", pressed_meanwhile)
    for step in range(3):
        with pytest.raises(KeyboardInterrupt):
            run(small_net(), few, checkpoint=path, resume=step > 0)
    monkeypatch.undo()
    assert resumed(few, path) == undisturbed


CELL = """
net, few = small_runs.small_net(), small_runs.few_images(small_runs.data.load("quick"))
on_step = lambda history: print("step", len(history.step_losses), flush=True)
options = {"checkpoint": "run.zip", "resume": True, "on_step": on_step}
print(small_runs.run(net, few, recipe, **options).fingerprint(net))
"""


@pytest.mark.slow
def test_the_stop_button_saves_and_the_cell_goes_on_when_it_runs_again(few, tmp_path):
    """In a Jupyter kernel, interrupted the way JupyterLab does it."""
    recipe = dataclasses.replace(RECIPE, epochs=8)
    net = small_net()
    undisturbed = run(net, few, recipe).fingerprint(net)
    manager, client = start_new_kernel(kernel_name="python3", cwd=str(tmp_path))
    printed, presses = [], [20]

    def kept(message):
        printed.append(message["content"].get("text", ""))

    def pressed_from_step_20_on(message):
        """A message may carry a part of a line, or several; a press may land where none counts."""
        kept(message)
        steps = re.findall(r"step (\d+)\n", "".join(printed))
        if steps and int(steps[-1]) >= presses[-1]:
            presses.append(int(steps[-1]) + 10)
            manager.interrupt_kernel()

    try:
        paths = [str(Path(small_runs.__file__).parent), str(Path(__file__).parents[2])]
        client.execute_interactive(f"import sys; sys.path[:0] = {paths}; import utils, small_runs")
        client.execute_interactive("from mxnet import npx; npx.set_np(); import dataclasses")
        client.execute_interactive("recipe = dataclasses.replace(small_runs.RECIPE, epochs=8)")
        stopped = client.execute_interactive(CELL, output_hook=pressed_from_step_20_on, timeout=120)
        assert stopped["content"]["ename"] == "KeyboardInterrupt"
        printed.clear()
        again = client.execute_interactive(CELL, output_hook=kept, timeout=120)
        assert again["content"]["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    text = "".join(printed)
    assert int(re.search(r"run.zip: the run goes on after step (\d+)", text)[1]) >= 20
    assert "step 19\n" not in text
    assert undisturbed in text


def test_time_spent_counts_on_both_sides_of_an_interruption(few, path):
    with pytest.raises(KeyboardInterrupt):
        run(small_net(), few, checkpoint=path, on_step=interrupt_at(12))
    history = run(small_net(), few, checkpoint=path, resume=True)
    assert len(history.seconds) == 2
    assert history.unfinished == 0


@pytest.mark.slow
def test_killed_at_random_moments_it_goes_on_to_the_same_end(few, path):
    """Twenty times, each in its own process, which saves after every step."""
    recipe = dataclasses.replace(RECIPE, epochs=20)  # 160 steps; each process takes at most six
    net = small_net()
    undisturbed = run(net, few, recipe).fingerprint(net)
    rng = random.Random(0)
    for _ in range(KILLS):
        call = rng.randrange(20_000, 120_000)  # a step with its save takes 20,000 calls
        process = small_runs.start(path, recipe.epochs, str(call))
        _, complaint = process.communicate(timeout=120)
        assert process.returncode == -signal.SIGKILL, complaint
    assert resumed(few, path, recipe) == undisturbed


@pytest.mark.parametrize("moment", small_runs.MOMENTS)
@pytest.mark.slow
def test_killed_while_it_saves_it_goes_on_to_the_same_end(few, path, undisturbed, moment):
    process = small_runs.start(path, RECIPE.epochs, moment)
    _, complaint = process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL, complaint
    assert checkpoint.exists(path)
    left = [file for file in path.parent.iterdir() if file.name.startswith(storage.PART)]
    assert len(left) == (moment not in ("before writing", "after the renamings"))
    assert resumed(few, path) == undisturbed


@pytest.mark.slow
def test_two_processes_may_save_to_one_file(few, path, undisturbed):
    """The same notebook, open twice: the file always comes whole from one of the two."""
    processes = [small_runs.start(path, RECIPE.epochs) for _ in range(2)]
    outputs = [process.communicate(timeout=120) for process in processes]
    assert not any(process.returncode for process in processes), outputs
    assert all(undisturbed in printed for printed, _ in outputs)
    assert resumed(few, path) == undisturbed


def test_what_a_killed_process_left_is_cleared_when_it_is_old(few, path):
    left, fresh = path.parent / f"{storage.PART}old", path.parent / f"{storage.PART}fresh"
    left.mkdir(), fresh.mkdir()
    os.utime(left, (0, 0))
    run(small_net(), few, checkpoint=path)
    assert fresh.exists(), "another process may be writing it"
    assert not left.exists()


def test_a_run_that_has_no_checkpoint_yet_starts_at_its_beginning(few, path, undisturbed, capsys):
    net = small_net()
    history = run(net, few, checkpoint=path, resume=True)
    assert history.fingerprint(net) == undisturbed
    assert "There is no checkpoint" in capsys.readouterr().out


def test_a_finished_run_resumes_to_itself(few, path):
    history = run(small_net(), few, checkpoint=path)
    assert run(small_net(), few, checkpoint=path, resume=True) == history


def test_a_checkpoint_of_the_first_edition_is_read(few, tmp_path):
    """That edition's code wrote the file, interrupted after step 5."""

    def net_like_its(seed):
        net = named(pool=nn.GlobalAvgPool2D(), dense=nn.Dense(10))
        train.initialize(net, seed=seed, device=CPU)
        return net

    path = shutil.copy(Path(__file__).with_name("first_edition_checkpoint.zip"), tmp_path)
    whole, resumed_from_it = net_like_its(seed=0), net_like_its(seed=5)
    expected = run(whole, few)
    history = run(resumed_from_it, few, checkpoint=path, resume=True)
    assert history.step_losses == pytest.approx(expected.step_losses, rel=1e-5)
    assert history.step_hits == expected.step_hits


def test_two_are_kept(few, written):
    files = sorted(file.name for file in written.parent.iterdir())
    assert files == ["run.previous.zip", "run.zip"]


def test_the_network_of_a_checkpoint_can_be_used_without_its_run(few, path):
    trained, net = small_net(), small_net(seed=3)
    run(trained, few, checkpoint=path)
    described = checkpoint.load_parameters(path, net)
    assert equal(parameters(net), parameters(trained))
    assert described == {
        "recipe": dataclasses.asdict(RECIPE),
        "seed": 0,
        "images": len(few.train),
    }


def cut_to(kept):
    return lambda whole: whole[: kept if kept > 1 else int(kept * len(whole))]


def changed_at(place):
    def change(whole):
        changed = bytearray(whole)
        changed[int(place * len(whole))] ^= 1
        return changed

    return change


DAMAGES = {
    "emptied": cut_to(0),
    "cut after 100 bytes": cut_to(100),
    "cut in the middle": cut_to(0.5),
    "cut near the end": cut_to(0.999),
    "a byte changed": changed_at(0.3),
    "a byte changed near the end": changed_at(0.99),
    "another kind of file": lambda whole: b"%PDF-1.7",
}


@pytest.mark.parametrize("damage", DAMAGES)
class TestADamagedCheckpoint:
    def test_gives_way_to_the_one_before(self, few, written, undisturbed, damage, capsys):
        written.write_bytes(DAMAGES[damage](written.read_bytes()))
        good = checkpoint.previous(written).read_bytes()
        assert resumed(few, written) == undisturbed
        printed = capsys.readouterr().out
        assert f"{written} is not a whole checkpoint" in printed
        assert "The checkpoint before it is whole and used instead" in printed
        assert checkpoint.previous(written).read_bytes() == good, "and it has not been replaced"

    def test_is_refused_where_it_is_the_only_one(self, few, written, damage):
        checkpoint.previous(written).unlink()
        written.write_bytes(DAMAGES[damage](written.read_bytes()))
        refused(few, written, r"is not a whole checkpoint .* bytes, where \d+ arrays")


def test_a_changed_byte_anywhere_is_refused_or_changes_no_number(written, tmp_path):
    """Nobody reads some bytes of a ZIP archive, such as the date of an entry."""
    checkpoint.previous(written).unlink()
    whole, states = written.read_bytes(), tmp_path / "states"
    net = small_net(seed=3)
    trainer = RECIPE.trainer(net, 1)
    settings = checkpoint.load_parameters(written, net)

    def loaded():
        history = checkpoint.load(written, net, trainer, settings)
        trainer.save_states(str(states))
        return history, states.read_bytes()

    expected, values = loaded(), parameters(net)
    # The archive's directory is at the end; weights fill most of the rest.
    near_the_end = st.integers(1, 5_000).map(lambda back: len(whole) - back)

    @given(place=st.integers(0, len(whole) - 1) | near_the_end, change=st.integers(1, 255))
    def check(place, change):
        changed = bytearray(whole)
        changed[place] ^= change
        written.write_bytes(changed)
        with contextlib.suppress(checkpoint.CheckpointError):
            assert loaded() == expected
        assert equal(parameters(net), values)

    check()


def test_a_missing_checkpoint_gives_way_to_the_one_before(few, written, undisturbed, capsys):
    written.unlink()
    assert resumed(few, written) == undisturbed
    assert "There is no checkpoint at" in capsys.readouterr().out


def refused(few, path, match, net=None, error=checkpoint.CheckpointError, **options):
    """Check that resuming fails with this message and leaves network and files unchanged."""
    net = net or small_net(seed=3)
    before, files = parameters(net), contents(path)
    with pytest.raises(error, match=match):
        run(net, few, **{"checkpoint": path, "resume": True, **options})
    if not options:  # the file is at fault, so that loading only the network fails, too
        with pytest.raises(error, match=match):
            checkpoint.load_parameters(path, net)
    assert equal(parameters(net), before)
    assert contents(path) == files


def contents(path):
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


def archive(**parts):
    """Return the bytes of a ZIP archive with these entries."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        for name, part in parts.items():
            file.writestr(name.replace("__", "."), part)
    return content.getvalue()


@pytest.mark.parametrize(
    "entries",
    [
        {"readme__txt": "of another program"},
        {"run__json": "[1, 2]"},
        {"run__json": "not JSON"},
        {"run__json": '{"format": 2}'},
        {"run__json": '{"format": 2, "run": {}, "history": {}, "parameters": 3}'},
    ],
)
def test_an_archive_of_another_kind_is_refused(few, path, entries):
    path.write_bytes(archive(**entries))
    refused(few, path, r"is not a whole checkpoint .* bytes, where \d+ arrays")


def test_an_error_of_the_program_is_not_taken_for_damage(few, written, monkeypatch):
    """Nobody should be told to delete a good file."""

    def mistaken(*_, **__):
        raise TypeError("a mistake in the code")

    monkeypatch.setattr("numpy.lib.format.read_array", mistaken)
    with pytest.raises(TypeError, match="a mistake in the code"):
        resumed(few, written)


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is needed, so root has to run this")
def test_a_file_that_may_not_be_read_is_not_called_damaged(few, written):
    written.chmod(0)
    with as_another_user(), pytest.raises(PermissionError):
        checkpoint.load_parameters(written, small_net(seed=3))


class TestACheckpointIsRefused:
    def test_when_there_is_none_to_take_a_network_from(self, path):
        with pytest.raises(FileNotFoundError, match=r"There is no checkpoint at .*run\.zip"):
            checkpoint.load_parameters(path, small_net())

    def test_when_the_network_has_seen_no_image_yet(self, written):
        net = stem()
        net.initialize()
        with pytest.raises(checkpoint.CheckpointError, match="has not seen an image yet"):
            checkpoint.load_parameters(written, net)

    def test_when_it_belongs_to_another_network(self, few, written):
        other = named(stem=stem(), pool=nn.GlobalAvgPool2D(), dense=nn.Dense(10))
        train.initialize(other, seed=0, device=CPU)
        refused(few, written, r"it holds \d+ arrays .* this network has \d+ arrays", other)

    def test_when_it_was_made_with_another_seed(self, few, written):
        refused(few, written, r"another run, with seed 0 \(this call says 1\)\. Use", seed=1)

    def test_when_it_was_made_with_another_recipe(self, few, written):
        recipe = dataclasses.replace(RECIPE, learning_rate=0.2, epochs=3)
        match = r"with epochs 2 \(this call says 3\), learning_rate 0.1 \(this call says 0.2\)\."
        refused(few, written, match, recipe=recipe)

    def test_when_another_version_wrote_it(self, few, written, monkeypatch):
        monkeypatch.setattr(checkpoint, "FORMAT", 3)
        refused(few, written, r"another version of this course \(its format is 2, not 3\)")


class TestWhatCannotBeWritten:
    """Training goes on and says so; earlier checkpoints stay unchanged."""

    def goes_on(self, few, path, capsys, **options):
        kept = contents(path)
        net = small_net()
        history = run(net, few, checkpoint=path, resume=True, **options)
        printed = capsys.readouterr().out
        assert f"The checkpoint {path} could not be written" in printed
        assert contents(path) == kept, "nothing half-written is left"
        return history.fingerprint(net)

    @pytest.fixture
    def begun(self, few, path):
        with pytest.raises(KeyboardInterrupt):
            run(small_net(), few, checkpoint=path, on_step=interrupt_at(12))
        return path

    def test_on_a_full_disk(self, few, begun, undisturbed, capsys):
        """The system limits files to 100 kB, so that a write fails halfway."""
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)

        def fill_the_disk(_):
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limits[1]))

        try:
            assert self.goes_on(few, begun, capsys, on_step=fill_the_disk) == undisturbed
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    def test_in_a_folder_that_is_read_only(self, few, undisturbed, capsys):
        with tempfile.TemporaryDirectory() as folder:
            os.chmod(folder, 0o555)
            with as_another_user():
                assert self.goes_on(few, Path(folder, "run"), capsys) == undisturbed

    def test_in_a_folder_that_is_a_file(self, few, tmp_path, undisturbed, capsys):
        (tmp_path / "file").write_text("")
        net = small_net()
        history = run(net, few, checkpoint=tmp_path / "file" / "run")
        assert history.fingerprint(net) == undisturbed
        assert "could not be written" in capsys.readouterr().out


class as_another_user:  # noqa: N801
    """Give up root's right to write everywhere, for a while."""

    def __enter__(self):
        self.user = os.geteuid()
        if self.user == 0:
            os.seteuid(65534)

    def __exit__(self, *_):
        os.seteuid(self.user)
