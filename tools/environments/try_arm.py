"""The course on Linux on ARM, on a machine that has no such processor: qemu plays it.

    python -m environments.try_arm [--short] [--on amd64]

debootstrap fills a root folder with a small Debian for ARM, in .cache/arm/. Inside, the course is
set up as a reader would do it. Then ResNet-18 is compared with the one on this machine, and
notebooks 02, 03 and 04 run, with the quick budget. The short form brings little more than numpy and
MXNet, and compares. Both need the rights of root, and programs that `missing` names.

Whatever is downloaded is kept. The emulator is registered for the processes in the root folder
alone, in a user namespace, and they end with this program. Times under emulation say nothing about
times on ARM.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy

from notebooks import ROOT
from utils.setup import gpu, packages, remedies

FOLDER = ROOT / ".cache" / "arm"
QEMU = "/usr/bin/qemu-aarch64-static"
NOTEBOOKS = ("02_residual_block", "03_layer_by_layer", "04_resnet18")
# What the reader of a small Debian installs to follow the README.
DEBIAN = "python3,python3-pip,make,libgomp1,libstdc++6,ca-certificates"
MORE = {"arm64": "", "amd64": ",libquadmath0"}  # which there is no need for on ARM
RELEASE = "bookworm"
STEP = "tools/environments/one_step.py"
# The largest differences that are allowed, as a part of the largest number of that kind.
ALLOWED = {"generator": 1e-6, "linear algebra": 1e-5, "loss": 1e-4, "predictions": 1e-4}
ALLOWED |= {"gradients": 1e-4, "weights": 1e-4}
# The beginning of every program for ARM, and which of its bits count.
MAGIC = r"\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00"
MASK = r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff"
# Run by sh in a namespace of its own: the root folder's name, the downloads', a command. That
# is not started by exec: the first process of a namespace outlives its own faults.
ENTER = rf"""
set -e
root=$1 downloads=$2; shift 2
if [ -n "$ALONE" ]; then ip link set lo up; fi
if [ -e "$root/of-arm64" ]; then
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    printf '%s' ':arm64:M::{MAGIC}:{MASK}:{QEMU}:F' > /proc/sys/fs/binfmt_misc/register
fi
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --bind "$downloads" "$root/downloads"
chroot "$root" "$@" || exit $?
"""
# Settings of this machine that also hold inside: the way to the packages.
KEPT = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY", "https_proxy")
KEPT += ("http_proxy", "no_proxy")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
INSIDE = {
    "PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "OMP_NUM_THREADS": "2",
    "QEMU_CPU": "cortex-a76",  # as in a Raspberry Pi 5
    "SSL_CERT_FILE": str(CERTIFICATES),
    "PIP_CERT": str(CERTIFICATES),
    "PIP_CACHE_DIR": "/downloads/pip",
    "UV_CACHE_DIR": "/downloads/uv",
}


# Run inside: start the command of the Dockerfile, and wait until JupyterLab answers.
ASK = """
import subprocess, sys, time, urllib.request
lab = subprocess.Popen(sys.argv[1:])
while lab.poll() is None:
    try:
        with urllib.request.urlopen("http://127.0.0.1:8888/api") as answer:
            print("JupyterLab answers:", answer.read().decode())
            sys.exit()
    except OSError:
        time.sleep(1)
sys.exit("JupyterLab has ended.")
"""


class TrialError(Exception):
    """Something went wrong in the root folder; the message says what."""


class DownloadError(TrialError):
    """Debian's packages, or Python's, could not be fetched."""


def missing() -> list[str]:
    """Return what this machine lacks for a trial: programs, or the rights of root."""
    programs = ("debootstrap", "qemu-aarch64-static", "unshare", "setpriv", "dpkg-deb", "ip")
    found = [program for program in programs if shutil.which(program) is None]
    return found if os.getuid() == 0 else [*found, "root"]


class Root:
    """A root folder with a small Debian for one kind of processor, and the course in it."""

    def __init__(self, architecture: str, name: str) -> None:
        self.architecture = architecture
        self.folder = FOLDER / f"{name}-{architecture}"
        self.downloads = FOLDER / f"downloads-{architecture}"
        self.course = self.folder / "course"
        self.minutes: dict[str, float] = {}

    def timed(self, step: str) -> _Timed:
        """Note the minutes of a step, and print them."""
        return _Timed(step, self.minutes)

    def make(self) -> None:
        """Fill the folder with Debian's packages, unpacked; none of their scripts is run."""
        if (self.folder / f"of-{self.architecture}").exists():
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        debs = self.downloads / "debs"
        debs.mkdir(parents=True, exist_ok=True)
        options = ["--foreign", "--variant=minbase", f"--arch={self.architecture}"]
        options += [f"--cache-dir={debs}", f"--include={DEBIAN}{MORE[self.architecture]}"]
        _run(["debootstrap", *options, RELEASE, self.folder])
        for package in sorted((self.folder / "var/cache/apt/archives").glob("*.deb")):
            _run(["dpkg-deb", "-x", package, self.folder])
        # What the scripts would have written, as far as it is needed.
        (self.folder / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/sh\n")
        (self.folder / "etc/group").write_text("root:x:0:\n")
        for file in (CERTIFICATES, Path("/etc/resolv.conf")):
            inside = self.folder / file.relative_to("/")
            inside.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(file.resolve(), inside)
        (self.folder / "tmp").chmod(0o1777)
        (self.folder / "downloads").mkdir()
        (self.folder / f"of-{self.architecture}").touch()

    def bring_course(self) -> None:
        """Copy what belongs to the course, in the state that it is in."""
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (self.course / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.course / name)

    def run(self, *command: str, **variables: str) -> str:
        """Run a command inside, in the course's folder; return what it prints, and show it.

        With a variable ALONE it has a network of its own, in which there is nothing else.
        """
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        namespaces = ["--user", "--map-root-user", "--mount", "--pid", "--fork", "--kill-child"]
        namespaces += ["--net"] if "ALONE" in variables else []
        self.downloads.mkdir(parents=True, exist_ok=True)
        entering = ["setpriv", "--pdeathsig", "KILL"]  # all ends with this program
        entering += ["unshare", *namespaces, "sh", "-c", ENTER, "sh", self.folder, self.downloads]
        process = subprocess.Popen(
            [*entering, "sh", "-c", 'cd /course && exec "$@"', "sh", *command],
            env={**kept, **INSIDE, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert process.stdout  # a pipe
        printed = []
        with process:
            try:
                for line in process.stdout:
                    printed.append(line)
                    print(f"  | {line}", end="", flush=True)
            except BaseException:  # a test's time limit is one
                process.kill()
                raise
        if process.returncode:
            raise TrialError(f"{' '.join(command)} ended with {process.returncode}.")
        return "".join(printed)


class _Timed:
    def __init__(self, step: str, minutes: dict[str, float]) -> None:
        self.step, self.minutes = step, minutes

    def __enter__(self) -> None:
        print(f"{self.step} ...", flush=True)
        self.start = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self.minutes[self.step] = (time.monotonic() - self.start) / 60


def _run(command: list) -> None:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise DownloadError(f"{command[0]} failed: {(done.stdout + done.stderr).strip()[-2000:]}")


def compare(root: Root, python: str, **variables: str) -> dict[str, float]:
    """Compute one step inside and here; return the largest difference of each kind of array.

    Raises TrialError where one is larger than allowed, or OpenBLAS warns.
    """
    printed = root.run(python, STEP, "/course/inside.npz", **variables)
    if "warning" in printed.lower():
        raise TrialError("Something warned.")
    here = FOLDER / "here.npz"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "2"}
    subprocess.run([sys.executable, ROOT / STEP, here], check=True, env=env)
    with numpy.load(here) as ours, numpy.load(root.course / "inside.npz") as theirs:
        print(f"{len(ours.files)} arrays compared.")
        differences = largest_differences(dict(ours), dict(theirs))
    for kind, difference in differences.items():
        print(f"  {kind:<15} largest difference {difference:.1e}, allowed {ALLOWED[kind]:.0e}")
        if not difference <= ALLOWED[kind]:
            raise TrialError(f"The {kind} differ.")
    return differences


def largest_differences(ours: dict, theirs: dict) -> dict[str, float]:
    """Return the largest difference of each kind of array, as a part of its largest number.

    A kind is the beginning of a name, up to a colon. (The gradient of a bias before a
    normalization is zero but for rounding, so that arrays cannot be measured by themselves.)
    """
    if ours.keys() != theirs.keys():
        raise TrialError(f"Other arrays: {sorted(ours.keys() ^ theirs.keys())}.")
    largest: dict[str, float] = defaultdict(float)
    differences: dict[str, float] = defaultdict(float)
    for name, array in ours.items():
        kind = name.partition(":")[0]
        largest[kind] = max(largest[kind], float(numpy.abs(array).max()))
        difference = float(numpy.abs(array - theirs[name]).max())
        differences[kind] = max(differences[kind], difference)
    return {kind: differences[kind] / largest[kind] for kind in differences}


def short(architecture: str = "arm64") -> dict[str, float]:
    """Mend MXNet, load it and compare one step, with numpy and little else; return differences."""
    root = Root(architecture, "short")
    root.make()
    root.bring_course()
    processor = {"arm64": "aarch64", "amd64": "x86_64"}[architecture]
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--quiet"]
    target = ["--python-platform", f"{processor}-manylinux_2_28", "--python-version", "3.11"]
    if not (libraries := root.folder / "packages").exists():
        _run([*uv, *target, "--target", libraries, "numpy==1.23.5", "requests", "tqdm"])
    # This machine fetches the packages, since an emulated one is slow to answer servers.
    wheels = root.downloads / "wheels"
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", wheels]
    for package in (packages.MXNET[gpu.CPU_BUILD], *packages.MENDING):
        if not any(wheels.glob(f"{package.name.replace('-', '_')}-{package.version}-*")):
            platform = ["--platform", f"manylinux2014_{processor}", "--only-binary", ":all:"]
            _run([*pip, *platform, package.requirement])
    variables = {"PYTHONPATH": "/packages:/course", "XDG_CACHE_HOME": "/downloads/cache"}
    variables |= {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/downloads/wheels"}
    # What is mended is mended anew, since that is what is tried.
    shutil.rmtree(
        root.downloads / f"cache/residual-networks/packages-{processor}/mxnet==1.9.1",
        ignore_errors=True,
    )
    mend = "from utils.setup import gpu, packages; packages.MXNET[gpu.CPU_BUILD].install()"
    root.run("python3", "-c", mend, **variables)
    return compare(root, "python3", **variables)


def open_lab(root: Root) -> None:
    """Do what the Dockerfile does after the set-up; what listens to all is on a network alone."""
    dockerfile = (ROOT / ".devcontainer" / "Dockerfile").read_text("utf-8")
    command = json.loads(dockerfile.rpartition("\nCMD ")[2])
    root.run("python3", "-c", ASK, *command, ALONE="yes")


def whole(architecture: str) -> Root:
    """Set the course up from nothing, compare one step, and run notebooks; return the root."""
    root = Root(architecture, "whole")
    shutil.rmtree(root.folder, ignore_errors=True)
    with root.timed("a root folder for " + architecture):
        root.make()
        root.bring_course()
    with root.timed("make set-up"):
        root.run("make", "set-up")
    python = ".venv/bin/python"
    with root.timed("one step, compared"):
        compare(root, python)
    report = "from utils.setup import report; print(report.this_machine(in_full=True))"
    with root.timed("the report of 00"):
        root.run(python, "-c", f"import utils; {report}")
    with root.timed("the command of the Dockerfile"):
        open_lab(root)
    for name in NOTEBOOKS:
        with root.timed(f"{name}, quick"):
            run_course = ["tools/run_course.py", "--budget", "quick", f"notebooks/{name}.ipynb"]
            root.run(python, *run_course)
    return root


def main() -> None:
    """Try what the command line asks for, and print a table of minutes."""
    parser = argparse.ArgumentParser(description="Try the course on ARM, emulated.")
    parser.add_argument("--short", action="store_true", help="only mend, load and compare")
    parser.add_argument("--on", choices=["arm64", "amd64"], default="arm64", help="the processor")
    options = parser.parse_args()
    if lacking := missing():
        sys.exit(
            "This needs {lacking}: `sudo apt-get install qemu-user-static debootstrap iproute2`, "
            "then run it as root.".format(lacking=", ".join(lacking))
        )
    try:
        if options.short:
            short(options.on)
            return
        root = whole(options.on)
    except TrialError as error:
        sys.exit(str(error))
    for step, minutes in root.minutes.items():
        print(f"{minutes:6.1f} minutes  {step}")
    print(f"{sum(root.minutes.values()):6.1f} minutes  in all")


if __name__ == "__main__":
    with remedies.explained():
        main()
