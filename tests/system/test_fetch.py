"""Finding, fetching and verifying the data. Here the bundled sample stands for all of it."""

import contextlib
import gzip
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from utils.setup import _download, fetch, report

ROOT = Path(__file__).parents[2]
SAMPLE = fetch.SAMPLE_FOLDER
IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


class Handler(BaseHTTPRequestHandler):
    """Serves the sample's files. The first part of the path, a mirror, says in which manner."""

    def do_GET(self):
        path = re.sub(r"^https?://[^/]*", "", self.path)  # a proxy gets the whole address
        manner, name = path.strip("/").split("/", 1)
        self.server.asked.append((manner, name))
        getattr(self, manner)(name)

    def good(self, name):
        path = self.server.folder / name
        self.send(path.read_bytes()) if path.exists() else self.send_error(404)

    def wrong(self, name):
        self.send(b"<html>Please log in to this network</html>")

    def swapped(self, name):
        self.good("t10k-labels-idx1-ubyte.gz" if "images" in name else "t10k-images-idx3-ubyte.gz")

    def absent(self, name):
        self.send_error(404)

    def refusing(self, name):
        """As a proxy does that wants a password."""
        self.send_error(407)

    def truncating(self, name):
        packed = (self.server.folder / name).read_bytes()
        self.send(packed[: len(packed) // 2], length=len(packed))

    def shortened(self, name):
        packed = (self.server.folder / name).read_bytes()
        self.send(packed[: len(packed) // 2])

    def stalling(self, name):
        self.send(b"\x1f\x8b", length=5000)
        self.server.end.wait(30)

    def trickling(self, name):
        self.send(b"\x1f\x8b", length=5000)
        with contextlib.suppress(OSError):
            while not self.server.end.wait(0.05):
                self.wfile.write(b"\0")
                self.wfile.flush()

    def silent(self, name):
        self.server.end.wait(30)

    def halting(self, name):
        """Deliver the first file, and stall in the middle of the second."""
        self.good(name) if len(self.server.asked) == 1 else self.stalling(name)

    def together(self, name):
        """Deliver a file to two processes at the same moment."""
        self.server.two.wait(10)
        self.good(name)

    def send(self, body, length=None):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *arguments):
        pass


@contextlib.contextmanager
def serving(folder):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.folder, server.asked, server.end = folder, [], threading.Event()
    server.two = threading.Barrier(2)
    server.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.end.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server():
    with serving(fetch.SAMPLE_FOLDER) as running:
        yield running


@pytest.fixture(autouse=True)
def bare_machine(tmp_path, monkeypatch):
    """A machine without data, apt or network, where the sample counts as all of the data."""
    (tmp_path / "empty").mkdir()
    for variable in ("FASHION_MNIST_DIR", "XDG_CACHE_HOME", "MXNET_HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setattr(fetch, "DEBIAN_FOLDER", tmp_path / "debian")
    monkeypatch.setattr(fetch, "MIRRORS", [])
    monkeypatch.setattr(_download, "PATIENCE", 0.5)
    for name, digest in fetch.SAMPLE_FILES.items():
        monkeypatch.setitem(fetch.FILES, name, digest)


@pytest.fixture
def cache(tmp_path):
    return tmp_path / ".cache" / "residual-networks" / "fashion-mnist"


def fill(folder):
    """Put the four files into a folder."""
    shutil.copytree(SAMPLE, folder, ignore=shutil.ignore_patterns("*E*"))


def is_whole(folder):
    """Whether a folder holds the four right files and nothing else."""
    fetch.read_folder(folder, fetch.SAMPLE_FILES)
    return {path.name for path in folder.iterdir()} == {f"{name}.gz" for name in fetch.FILES}


def is_sample(source):
    return source.folder == fetch.SAMPLE_FOLDER


# Finding


def test_the_first_place_that_has_the_data_is_taken(tmp_path, monkeypatch, cache):
    """FASHION_MNIST_DIR, then the course's cache, MXNet's cache, Debian's package."""
    chosen = tmp_path / "chosen"
    monkeypatch.setenv("FASHION_MNIST_DIR", str(chosen))
    places = [chosen, cache, tmp_path / ".mxnet/datasets/fashion-mnist", tmp_path / "debian"]
    for folder in places:
        fill(folder)
    for folder in places:
        assert fetch.find()[0].folder == folder
        shutil.rmtree(folder)
        monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    assert is_sample(fetch.find()[0])


def test_the_caches_move_with_their_variables(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("MXNET_HOME", str(tmp_path / "mxnet"))
    assert fetch.cache_folder() == tmp_path / "xdg/residual-networks/fashion-mnist"
    fill(tmp_path / "mxnet/datasets/fashion-mnist")
    assert fetch.find()[0].folder == tmp_path / "mxnet/datasets/fashion-mnist"


def test_files_may_be_packed_or_not(tmp_path, monkeypatch):
    """Only the contents count: unpacked, or packed again with another result."""
    chosen = tmp_path / "chosen"
    fill(chosen)
    images = chosen / f"{IMAGES}.gz"
    labels = chosen / f"{LABELS}.gz"
    (chosen / IMAGES).write_bytes(gzip.decompress(images.read_bytes()))
    images.unlink()
    labels.write_bytes(gzip.compress(gzip.decompress(labels.read_bytes()), compresslevel=1))
    monkeypatch.setenv("FASHION_MNIST_DIR", str(chosen))
    source, contents = fetch.find()
    assert source.folder == chosen
    assert contents == fetch.sample()[1]


def remove(path):
    path.unlink()


def truncate(path):
    path.write_bytes(path.read_bytes()[:-100])


def damage(path):
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2] ^= 0xFF
    path.write_bytes(packed)


def swap(path):
    path.write_bytes(path.with_name("t10k-labels-idx1-ubyte.gz").read_bytes())


def replace(path):
    path.write_bytes(gzip.compress(b"another file"))


FAULTS = [
    (remove, "has no readable file train-labels-idx1-ubyte.gz"),
    (truncate, "is truncated"),
    (damage, "train-labels-idx1-ubyte.gz (is damaged|has the wrong contents)"),
    (swap, "train-labels-idx1-ubyte.gz has the contents of t10k-labels-idx1-ubyte"),
    (replace, "train-labels-idx1-ubyte.gz has the wrong contents"),
]


@pytest.mark.parametrize(("spoil", "complaint"), FAULTS)
def test_a_wrong_folder_is_refused(tmp_path, monkeypatch, server, spoil, complaint):
    """What FASHION_MNIST_DIR names is used or refused: no other place is used silently."""
    chosen = tmp_path / "chosen"
    fill(chosen)
    spoil(chosen / f"{LABELS}.gz")
    monkeypatch.setenv("FASHION_MNIST_DIR", str(chosen))
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    with pytest.raises(fetch.DataError, match=complaint) as refusal:
        fetch.find()
    assert str(chosen) in str(refusal.value)
    assert "unset FASHION_MNIST_DIR" in str(refusal.value)
    assert server.asked == []


@pytest.mark.parametrize(("spoil", "complaint"), FAULTS)
def test_a_wrong_file_in_the_courses_cache_is_replaced(
    monkeypatch, capsys, server, cache, spoil, complaint
):
    fill(cache)
    spoil(cache / f"{LABELS}.gz")
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    _, contents = fetch.find()
    assert contents == fetch.sample()[1]
    assert server.asked == [("good", f"{LABELS}.gz")], "the other three are right"
    assert is_whole(cache)
    assert str(cache) in capsys.readouterr().out


def test_a_wrong_file_in_mxnets_cache_is_refused_and_left_alone(
    tmp_path, monkeypatch, capsys, server, cache
):
    other = tmp_path / ".mxnet/datasets/fashion-mnist"
    fill(other)
    replace(other / f"{LABELS}.gz")
    before = (other / f"{LABELS}.gz").read_bytes()
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    assert fetch.find()[0].folder == cache
    assert f"{other / LABELS}.gz has the wrong contents" in capsys.readouterr().out
    assert (other / f"{LABELS}.gz").read_bytes() == before


# Fetching


def test_fetched_files_are_kept_and_found_the_next_time(monkeypatch, server, cache):
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    first = fetch.find()
    second = fetch.find()
    assert first[1] == second[1] == fetch.sample()[1]
    assert second[0].what == "Fashion-MNIST from the course's cache"
    assert len(server.asked) == 4
    assert is_whole(cache)


@pytest.mark.parametrize(
    ("manner", "complaint"),
    [
        ("wrong", "has the wrong contents"),
        ("swapped", "has the contents of t10k-labels-idx1-ubyte"),
        ("absent", "answers 404"),
        ("truncating", "broke off"),
        ("shortened", "is truncated"),
    ],
)
def test_a_mirror_with_a_wrong_file_is_passed_over(
    monkeypatch, capsys, server, cache, manner, complaint
):
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/{manner}/", f"{server.url}/good/"])
    assert fetch.find()[1] == fetch.sample()[1]
    assert is_whole(cache)
    assert f"{server.url}/{manner}/{IMAGES}.gz {complaint}" in capsys.readouterr().out


@pytest.mark.parametrize("manner", ["stalling", "trickling", "silent"])
def test_a_mirror_that_holds_us_up_is_asked_only_once(monkeypatch, capsys, server, cache, manner):
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/{manner}/", f"{server.url}/good/"])
    assert fetch.find()[1] == fetch.sample()[1]
    assert [asked for asked, _ in server.asked] == [manner, *["good"] * 4]
    assert is_whole(cache)
    assert f"{server.url}/{manner}/ is too slow." in capsys.readouterr().out


def test_a_server_that_goes_silent_meets_the_read_timeout(monkeypatch, capsys, server):
    monkeypatch.setattr(_download, "CONNECT_AND_READ_TIMEOUT", (0.2, 0.2))
    monkeypatch.setattr(_download, "PATIENCE", 60)
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/stalling/"])
    assert is_sample(fetch.find()[0])
    assert f"{server.url}/stalling/ does not answer." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("setting", "value", "advice"),
    [
        ("REQUESTS_CA_BUNDLE", "/no/such.pem", "REQUESTS_CA_BUNDLE names /no/such.pem"),
        ("HTTPS_PROXY", "http://ada:se#cret@127.0.0.1:9", "%23 for #"),
        ("HTTPS_PROXY", "ftp://127.0.0.1:9", "HTTPS_PROXY=http://"),
        ("ALL_PROXY", "socks9://127.0.0.1:9", "ALL_PROXY=http://"),
        ("HTTP_PROXY", "{proxy}", "a name and a password"),
    ],
)
def test_what_this_machine_gets_wrong_is_said_once_and_without_a_traceback(
    monkeypatch, capsys, server, setting, value, advice
):
    """An error that left the thread of a download would fail this test."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv(setting, value.format(proxy=server.url))
    scheme = "http" if setting == "HTTP_PROXY" else "https"
    mirrors = [f"{scheme}://{name}.invalid/refusing/" for name in ("one", "two")]
    monkeypatch.setattr(fetch, "MIRRORS", mirrors)
    assert is_sample(fetch.find()[0])
    printed = capsys.readouterr()
    assert printed.out.count(advice) == 1
    assert "wrong contents" not in printed.out
    assert "Traceback" not in printed.out + printed.err


def test_without_a_network_the_sample_takes_over_with_one_warning(monkeypatch, capsys, cache):
    monkeypatch.setattr(fetch, "MIRRORS", ["http://127.0.0.1:9/", "http://no.such.host.invalid/"])
    source, contents = fetch.find()
    assert is_sample(source)
    assert contents == fetch.sample()[1]
    output = capsys.readouterr()
    assert output.out.count("could not be fetched") == 1
    assert "set FASHION_MNIST_DIR" in output.out
    assert output.err == ""
    assert list(cache.iterdir()) == []


def test_what_some_mirrors_delivered_is_kept_for_the_next_time(monkeypatch, server, cache):
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/halting/"])
    assert is_sample(fetch.find()[0])
    assert [path.name for path in cache.iterdir()] == [f"{IMAGES}.gz"]
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    assert not is_sample(fetch.find()[0])
    assert ("good", f"{IMAGES}.gz") not in server.asked


# A notebook that was packed without the sample


@pytest.fixture
def without_sample(tmp_path, monkeypatch, server):
    """A toolbox without the sample. Returns what the sample holds."""
    _, contents = fetch.sample()
    monkeypatch.setattr(fetch, "SAMPLE_FOLDER", tmp_path / "utils" / "sample")
    return contents


def test_the_sample_is_taken_out_of_all_images_wherever_they_are(
    tmp_path, monkeypatch, server, cache, without_sample
):
    chosen = tmp_path / "chosen"
    monkeypatch.setenv("FASHION_MNIST_DIR", str(chosen))
    for folder in (chosen, cache, tmp_path / ".mxnet/datasets/fashion-mnist", tmp_path / "debian"):
        fill(folder)
        source, contents = fetch.sample()
        assert contents == without_sample
        assert source.folder == folder
        assert source.what.startswith("A sample of Fashion-MNIST from")
        shutil.rmtree(folder)
        monkeypatch.delenv("FASHION_MNIST_DIR", raising=False)
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    assert fetch.sample()[1] == without_sample
    assert is_whole(cache)


@pytest.mark.parametrize(
    "manner", ["wrong", "swapped", "absent", "truncating", "shortened", "stalling", "refusing"]
)
@pytest.mark.parametrize("wanted", [fetch.sample, fetch.find])
def test_where_the_mirrors_fail_too_one_sentence_says_what_to_do(
    monkeypatch, capsys, server, cache, without_sample, manner, wanted
):
    """Nothing that a mirror got wrong is used or kept."""
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/{manner}/"])
    with pytest.raises(fetch.DataError, match="could not be fetched") as refusal:
        wanted()
    sentence = str(refusal.value)
    assert len(re.findall(r"\.(?= |$)", sentence)) == 1
    assert all(f"{name}.gz" in sentence for name in fetch.FILES)
    assert f"%env FASHION_MNIST_DIR={Path.cwd()}`" in sentence
    assert "make colab OFFLINE=1" in sentence
    assert "goes on with a sample" not in capsys.readouterr().out
    assert list(cache.iterdir()) == []
    assert report.data_fact().fix == sentence


# A cache that cannot be written


@pytest.fixture
def read_only_cache(monkeypatch):
    """A cache that nobody can write, not even root."""
    folder = Path("/sys/kernel")
    if not folder.exists():
        pytest.skip("only Linux has a folder that not even root can write")
    monkeypatch.setattr(fetch, "cache_folder", lambda: folder)
    return folder


def test_with_a_read_only_cache_the_data_is_used_from_memory(
    monkeypatch, capsys, server, read_only_cache
):
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    source, contents = fetch.find()
    assert source.what == "Fashion-MNIST, fetched into memory only"
    assert contents == fetch.sample()[1]
    output = capsys.readouterr().out
    assert output.count(f"cannot be kept in {read_only_cache}: ") == 1
    assert "set XDG_CACHE_HOME" in output


def test_with_a_read_only_cache_apt_works_in_the_systems_temporary_folder(
    monkeypatch, read_only_cache
):
    folders = []
    monkeypatch.setattr(_download, "has_apt", lambda: True)
    monkeypatch.setattr(_download, "from_debian", lambda folder: folders.append(folder) or {})
    fetch.find()
    assert folders == [None]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full stands for a full disk")
def test_with_a_full_disk_the_data_is_used_from_memory(monkeypatch, capsys, server, cache):
    def write_on_a_full_disk(path, content):
        path.touch()
        with open("/dev/full", "wb") as file:
            file.write(content)

    monkeypatch.setattr(Path, "write_bytes", write_on_a_full_disk)
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    source, contents = fetch.find()
    assert source.what == "Fashion-MNIST, fetched into memory only"
    assert contents == fetch.sample()[1]
    assert capsys.readouterr().out.count("No space left on device") == 1
    assert list(cache.iterdir()) == [], "no half-written file is left"


# Several processes, and processes that die


def start(url, before="pass"):
    """Start a process that fetches from one mirror. `before` is Python code to run first."""
    program = f"""
import os, sys
from utils.setup import _download, fetch
fetch.FILES.update(fetch.SAMPLE_FILES)
fetch.MIRRORS[:] = ["{url}"]
{before}
# A process that starts late may find what the others have fetched.
good = "Fashion-MNIST, fetched", "Fashion-MNIST from the course's cache"
sys.exit(fetch.find()[0].what not in good)
"""
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.mark.parametrize(("count", "manner"), [(2, "together"), (10, "good")])
@pytest.mark.slow
def test_many_processes_may_fetch_at_once(server, cache, count, manner):
    processes = [start(f"{server.url}/{manner}/") for _ in range(count)]
    outputs = [process.communicate()[0] for process in processes]
    assert not any(process.returncode for process in processes), outputs
    assert is_whole(cache)


def test_a_fetch_killed_in_the_middle_of_a_file_continues_with_that_file(
    monkeypatch, server, cache
):
    process = start(f"{server.url}/halting/")
    while len(server.asked) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert [path.name for path in cache.iterdir()] == [f"{IMAGES}.gz"]
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    fetch.find()
    assert ("good", f"{IMAGES}.gz") not in server.asked
    assert is_whole(cache)


def test_what_a_fetch_killed_while_it_wrote_left_behind_is_cleared_later(
    monkeypatch, server, cache
):
    start(f"{server.url}/good/", "os.replace = lambda *_: os.kill(os.getpid(), 9)").communicate()
    (left,) = cache.iterdir()
    assert left.name.startswith(".part-")
    (cache / ".part-apt-killed" / "lists").mkdir(parents=True)
    fetch.find()
    assert left.exists(), "it may belong to a fetch that is still running"
    for path in (left, cache / ".part-apt-killed"):
        os.utime(path, (0, 0))
    monkeypatch.setattr(fetch, "MIRRORS", [f"{server.url}/good/"])
    fetch.find()
    assert is_whole(cache)


# Debian's package


@pytest.fixture
def debian(tmp_path, monkeypatch):
    """apt and dpkg, and a Debian archive with the package, made here and served over HTTP."""
    monkeypatch.setenv("PATH", os.defpath)
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        pytest.skip("apt and dpkg are on Debian and Ubuntu only")
    archive, tree = tmp_path / "archive" / "good", tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    archive.mkdir(parents=True)
    control = (
        f"Package: {_download.PACKAGE}\nVersion: 1\nArchitecture: all\n"
        "Maintainer: nobody <nobody@localhost>\nDescription: images\n"
    )
    (tree / "DEBIAN/control").write_text(control)
    fill(tree / "usr/share/datasets/fashion-mnist")
    package = archive / "images.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--build", tree, package], check=True, timeout=60)
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    (archive / "Packages").write_text(
        f"{control}Filename: ./images.deb\nSize: {package.stat().st_size}\nSHA256: {digest}\n"
    )
    with serving(archive) as running:
        (tmp_path / "sources.list").write_text(f"deb [trusted=yes] {running.url}/good ./\n")
        (tmp_path / "apt.conf").write_text(
            f'Dir::Etc::SourceList "{tmp_path}/sources.list"; Dir::Etc::SourceParts "-";'
            'Dir::State "/no/such/folder"; Dir::Cache "/no/such/folder";'  # not this machine's own
        )
        monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
        yield running


def test_apt_delivers_what_the_mirrors_do_not(debian, cache):
    source, contents = fetch.find()
    assert source.folder == cache
    assert contents == fetch.sample()[1]
    assert is_whole(cache), "apt's own files are gone"


def test_where_the_archive_lacks_the_package_apts_reason_is_given(debian, capsys):
    (debian.folder / "Packages").write_text("")
    assert is_sample(fetch.find()[0])
    assert "Unable to locate package dataset-fashion-mnist" in capsys.readouterr().out


def test_a_package_with_other_contents_is_refused(debian, monkeypatch, capsys, cache):
    monkeypatch.setitem(fetch.FILES, LABELS, "0" * 64)
    assert is_sample(fetch.find()[0])
    assert (
        f"apt could not deliver the data: {LABELS}.gz of the package has the wrong"
        in capsys.readouterr().out
    )
    assert list(cache.iterdir()) == []


def test_on_a_disk_without_room_for_apt_the_sample_takes_over(debian, monkeypatch, capsys, cache):
    monkeypatch.setattr(_download, "DISK_SPACE", 10**18)
    assert is_sample(fetch.find()[0])
    assert f"the disk of {cache} has" in capsys.readouterr().out
    assert debian.asked == [], "apt-get, which hangs on a full disk, was not started"


def test_an_apt_that_hangs_is_stopped(tmp_path, monkeypatch, capsys):
    for name in ("apt-get", "dpkg-deb"):
        (tmp_path / "empty" / name).write_text("#!/bin/sh\nexec /bin/sleep 60\n")
        (tmp_path / "empty" / name).chmod(0o755)
    monkeypatch.setattr(_download, "UPDATE_TIMEOUT", 0.2)
    monkeypatch.setattr(_download, "PACKAGE_TIMEOUT", 0.2)
    assert is_sample(fetch.find()[0])
    assert "apt could not deliver the data: it did not finish in time" in capsys.readouterr().out


# The command


def command(**variables):
    """Run `python -m utils.setup.fetch` on a machine without a network."""
    nowhere = "http://127.0.0.1:9"
    proxies = {"http_proxy": nowhere, "https_proxy": nowhere, "no_proxy": ""}
    return subprocess.run(
        [sys.executable, "-m", "utils.setup.fetch"],
        cwd=ROOT,
        env={**os.environ, **proxies, **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_the_command_ends_with_one_line_that_says_where_the_data_is():
    run = command()
    assert run.returncode == 0, "the sample will do"
    assert run.stdout.splitlines()[-1].endswith("verified by the SHA-256 of its contents.")


def test_the_command_refuses_a_wrong_folder_with_a_sentence(tmp_path):
    run = command(FASHION_MNIST_DIR=str(tmp_path / "empty"))
    assert run.returncode == 1
    assert run.stderr.startswith(f"{tmp_path / 'empty'} has no readable file {IMAGES}.gz")
    assert "Traceback" not in run.stderr
