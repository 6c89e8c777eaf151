"""Launching over a file of hosts: two of them, each with an ssh server of its own."""

import contextlib
import ipaddress
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest
from test_launch import Running, learned

from utils.runs import launch as launcher

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
MARK = secrets.token_hex(3)  # other runs of these tests may be making hosts at the same time
NAMES = (f"host-a-{MARK}", f"host-b-{MARK}")
BRIDGE = f"bridge-{MARK}"


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def free_subnet():
    """Return a network of 254 addresses that this machine has no route to yet."""
    routes = [route["dst"] for route in json.loads(run("ip", "-json", "route"))]
    taken = [ipaddress.ip_network(to, strict=False) for to in routes if to != "default"]
    while True:
        subnet = ipaddress.ip_network(f"10.{secrets.randbelow(256)}.{secrets.randbelow(256)}.0/24")
        if not any(subnet.overlaps(other) for other in taken):
            return subnet


def free_port():
    """Return a port that is free on every address of this machine."""
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def namespaces():
    """Two hosts made with network namespaces, joined by a bridge; yield address and prefix."""
    made = []
    try:
        gateway, *addresses = free_subnet().hosts()
        run("ip", "link", "add", BRIDGE, "type", "bridge")
        made.append(("ip", "link", "delete", BRIDGE))
        run("ip", "address", "add", f"{gateway}/24", "dev", BRIDGE)
        run("ip", "link", "set", BRIDGE, "up")
        found = {}
        for name, address in zip(NAMES, map(str, addresses)):
            inside = ("ip", "netns", "exec", name)
            run("ip", "netns", "add", name)
            made.append(("ip", "netns", "delete", name))
            run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
            run("ip", "link", "set", name, "master", BRIDGE, "up")
            run(*inside, "ip", "address", "add", f"{address}/24", "dev", "eth0")
            run(*inside, "ip", "link", "set", "eth0", "up")
            run(*inside, "ip", "link", "set", "lo", "up")
            found[name] = (address, inside)
        yield found
    finally:
        for command in reversed(made):
            subprocess.run(command, capture_output=True)


@contextlib.contextmanager
def loopback():
    """Two addresses of this machine, where no namespaces can be made."""
    yield {name: (f"127.0.0.{number}", ()) for number, name in enumerate(NAMES, 2)}


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """Two hosts with ssh servers: the ssh command that reaches them, and their addresses."""
    if not Path(SSHD).is_file() or not shutil.which("ssh"):
        pytest.skip("the test of hosts needs the packages openssh-server and openssh-client")
    folder = tmp_path_factory.mktemp("ssh")
    for key in ("host", "user"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key)
    (folder / "authorized").write_text((folder / "user.pub").read_text())
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            found = stack.enter_context(namespaces())
        except (OSError, subprocess.CalledProcessError):
            found = stack.enter_context(loopback())
        port = free_port()
        config = [f"IdentityFile {folder}/user", f"UserKnownHostsFile {folder}/known"]
        config += ["StrictHostKeyChecking accept-new", "LogLevel ERROR", f"Port {port}"]
        servers = []
        for name, (address, inside) in found.items():
            config += [f"Host {name}", f"HostName {address}"]
            options = [f"HostKey={folder}/host", f"AuthorizedKeysFile={folder}/authorized"]
            options += ["StrictModes=no", "UsePAM=no", "PidFile=none", f"ListenAddress={address}"]
            command = [*inside, SSHD, "-D", "-e", "-f", "/dev/null", "-p", str(port)]
            command += [part for option in options for part in ("-o", option)]
            servers.append(subprocess.Popen(command, stderr=subprocess.DEVNULL))
        (folder / "config").write_text("\n".join(config) + "\n")
        ssh = f"ssh -F {folder}/config"
        try:
            for name in NAMES:
                _wait_for([*ssh.split(), name, "true"])
            yield ssh, {name: address for name, (address, _) in found.items()}
        finally:
            for server in servers:
                server.kill()
                server.wait()


def _wait_for(command):
    limit = time.monotonic() + 20
    while subprocess.run(command, capture_output=True).returncode:
        assert time.monotonic() < limit, f"{command} does not work"
        time.sleep(0.2)


@pytest.fixture
def over_ssh(machines, tmp_path):
    """Return a function that launches two workers on the two hosts."""
    ssh, addresses = machines
    file = tmp_path / "hosts.txt"
    lines = [f"{name} {address}" for name, address in addresses.items()]
    file.write_text("# name for ssh, address for the others\n" + "\n".join(lines) + "\n")
    running = []

    def start(*arguments):
        running.append(Running("--hosts", file, "--ssh", ssh, arguments=[tmp_path, *arguments]))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.process.kill()


def alive(processes):
    return [process for process in processes if Path(f"/proc/{process}").exists()]


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.xdist_group("launch")
def test_two_hosts_learn_what_two_local_workers_learn(over_ssh, machines, tmp_path):
    running = over_ssh()
    assert running.finish() == 0, running.output
    assert f"Scheduler at {machines[1][NAMES[0]]}" in running.output
    (tmp_path / "local").mkdir()
    local = Running(arguments=[tmp_path / "local"])
    assert local.finish() == 0, local.output
    assert len(learned(running)) == 2
    assert learned(running) == learned(local)


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.xdist_group("launch")
def test_what_dies_on_a_host_ends_the_processes_of_all_hosts(over_ssh):
    running = over_ssh("epochs=50")
    running.read_until("step 3")
    os.kill(running.roles["worker 1"], signal.SIGKILL)
    assert running.finish() == 1
    assert f"The worker 1 on {NAMES[1]} was killed by SIGKILL." in running.output
    assert alive(running.roles.values()) == []


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.xdist_group("launch")
def test_a_lost_connection_ends_the_processes_of_all_hosts(over_ssh):
    running = over_ssh("epochs=50")
    running.read_until("step 3")
    connections = Path(f"/proc/{running.process.pid}/task/{running.process.pid}/children")
    for process in connections.read_text().split():
        if NAMES[1].encode() in Path(f"/proc/{process}/cmdline").read_bytes():
            os.kill(int(process), signal.SIGKILL)
            break
    assert running.finish() == 1
    assert f"on {NAMES[1]} was killed by SIGKILL." in running.output
    limit = time.monotonic() + 20
    while alive(running.roles.values()) and time.monotonic() < limit:
        time.sleep(0.2)
    assert alive(running.roles.values()) == []


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.xdist_group("launch")
def test_a_host_that_nobody_knows_or_that_does_not_answer_is_named(machines, tmp_path):
    ssh, _ = machines
    file = tmp_path / "hosts.txt"
    file.write_text("nowhere.invalid\n")
    running = Running("--hosts", file, arguments=[tmp_path])
    assert running.finish() == 1
    assert f"The host nowhere.invalid in line 1 of {file} is not known" in running.output
    file.write_text("somebody@127.0.0.1\n")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody listens there
        port = silent.getsockname()[1]
        running = Running("--hosts", file, "--ssh", f"{ssh} -p {port}", arguments=[tmp_path])
        assert running.finish() == 1
    assert "on somebody@127.0.0.1 could not be reached, or was lost" in running.output
    assert "Try `ssh somebody@127.0.0.1 true`" in running.output


def test_a_file_of_hosts_has_names_addresses_and_remarks(tmp_path):
    file = tmp_path / "hosts.txt"
    file.write_text("# ours\n\nme@127.0.0.1\nmachine 127.0.0.2  # with an address\n")
    found = launcher.read_hosts(file)
    assert found == [
        launcher.Host("me@127.0.0.1", "127.0.0.1"),
        launcher.Host("machine", "127.0.0.2"),
    ]
    file.write_text("# nobody\n")
    with pytest.raises(launcher.LaunchError, match="names no host"):
        launcher.read_hosts(file)
    file.write_text("localhost\n")
    with pytest.raises(launcher.LaunchError, match="by which other machines cannot reach"):
        launcher.read_hosts(file)
    with pytest.raises(launcher.LaunchError, match="cannot be read: No such file"):
        launcher.read_hosts(tmp_path / "missing.txt")
