"""Behind a mirror of packages: the settings that docs/readers_in_china.md names, and no other way.

apt's are in test_fetch.py, which serves a Debian archive.
"""

import base64
import hashlib
import io
import os
import re
import zipfile

import pytest

import set_up
from environments import mirror
from notebooks import ROOT
from utils.setup import packages

WHEEL = "a_tiny_one-1.0-py3-none-any.whl"
LONG_AGO = (1980, 1, 1, 0, 0, 0)


def wheel():
    """A package with one module, as pip and uv install it."""
    info = "a_tiny_one-1.0.dist-info"
    files = {
        "a_tiny_one.py": "",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: a-tiny-one\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())
        rows.append(f"{name},sha256={digest.decode().rstrip('=')},{len(text)}\n")
    files[f"{info}/RECORD"] = "".join([*rows, f"{info}/RECORD,,\n"])
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, text in files.items():
            packed.writestr(zipfile.ZipInfo(name, LONG_AGO), text)
    return buffer.getvalue()


@pytest.fixture
def index(monkeypatch, tmp_path):
    """A mirror with one package; nothing else is in reach, and nothing is in a cache."""
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # nobody listens there
        monkeypatch.setenv(name.lower(), "http://127.0.0.1:9")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv"))
    page = f'<!doctype html><html><body><a href="../../{WHEEL}">{WHEEL}</a></body></html>'
    with mirror.offering({"simple/a-tiny-one/": page.encode(), WHEEL: wheel()}) as served:
        yield served


def test_pip_asks_the_mirror_of_pip_index_url(index, monkeypatch, tmp_path):
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.address}simple")
    packages.pip_install(["--target", tmp_path / "here", "a-tiny-one"], "It failed.")
    assert (tmp_path / "here" / "a_tiny_one.py").exists()
    assert WHEEL in index.asked


def test_pip_asks_the_mirror_of_its_own_settings(index, monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text(f"[global]\nindex-url = {index.address}simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    packages.pip_install(["--target", tmp_path / "here", "a-tiny-one"], "It failed.")
    assert WHEEL in index.asked


@pytest.mark.slow
@pytest.mark.parametrize("honest", [True, False])
def test_uv_asks_the_mirror_of_uv_default_index_and_refuses_another_file(
    index, monkeypatch, tmp_path, honest
):
    """As set-up installs a lock, with its hashes verified."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.address}simple")
    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    monkeypatch.setattr(set_up, "find_uv", lambda _: set_up.PYTHON.with_name("uv"))
    digest = hashlib.sha256(wheel() if honest else b"").hexdigest()
    lock = tmp_path / "requirements.txt"
    lock.write_text(f"a-tiny-one==1.0 --hash=sha256:{digest}\n")
    folder = tmp_path / ".venv"
    with (tmp_path / "lock").open("w") as alone:
        if honest:
            set_up.install(lock, folder, "1 kB", alone.fileno())
        else:
            with pytest.raises(packages.InstallError, match="not the one that requirements"):
                set_up.install(lock, folder, "1 kB", alone.fileno())
    assert WHEEL in index.asked
    assert bool([*folder.rglob("a_tiny_one.py")]) == honest


@pytest.mark.slow
def test_uv_asks_the_mirror_of_uv_python_install_mirror(index, monkeypatch, tmp_path):
    """It does not have Python, so this fails, but it is asked for the course's version."""
    monkeypatch.setenv("UV_PYTHON_INSTALL_MIRROR", f"{index.address}python-build-standalone")
    monkeypatch.setenv("UV_PYTHON_PREFERENCE", "only-managed")
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "python"))
    monkeypatch.setattr(set_up, "ROOT", tmp_path)
    monkeypatch.setattr(set_up, "find_uv", lambda _: set_up.PYTHON.with_name("uv"))
    with (tmp_path / "lock").open("w") as alone, pytest.raises(packages.InstallError):
        set_up.install(set_up.LOCK, tmp_path / ".venv", "1 kB", alone.fileno())
    (asked, *_) = index.asked
    assert re.match(rf"python-build-standalone/\d+/cpython-{set_up.COURSE_PYTHON}", asked)


def test_the_page_names_these_settings_and_no_host_of_a_registry():
    page = (ROOT / "docs" / "readers_in_china.md").read_text("utf-8")
    exported = re.findall(r"^export (\w+)=(\S+)$", page, re.MULTILINE)
    assert [name for name, _ in exported] == [
        "PIP_INDEX_URL",
        "UV_DEFAULT_INDEX",
        "UV_PYTHON_INSTALL_MIRROR",
        "FASHION_MNIST_DIR",
    ]
    assert all(
        value.startswith(("https://MIRROR/", "https://ANOTHER/", "/path/")) for _, value in exported
    )
