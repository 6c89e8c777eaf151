"""The example for Kubernetes: valid by the published schemas, of one piece, and its roles meet."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import pytest
import yaml
from kubernetes_validate import ValidationError, validate
from kubernetes_validate.utils import all_versions

from utils import launch

ROOT = Path(__file__).parents[1]
MANIFEST = (ROOT / "tools/kubernetes/training.yaml").read_text()
DOCUMENTS = {
    (document["kind"], document["metadata"]["name"]): document
    for document in yaml.safe_load_all(MANIFEST)
}
ROLES = ["scheduler", "server", "worker"]
OLDEST, *_, NEWEST = all_versions()

WORKER = """
import utils
import mxnet as mx

store = mx.kv.create("dist_sync")
store.init("sum", mx.nd.zeros(1))
store.push("sum", mx.nd.ones(1) * (store.rank + 1))
total = mx.nd.zeros(1)
store.pull("sum", out=total)
print(f"worker {store.rank} of {store.num_workers} pulled {total.asscalar()}")
"""


def job(role):
    return DOCUMENTS["Job", f"training-{role}"]["spec"]


def container(role):
    return job(role)["template"]["spec"]["containers"][0]


def environment(role):
    """Return the variables of a role's container as Kubernetes would set them."""
    variables = {}
    for source in container(role)["envFrom"]:
        variables.update(DOCUMENTS["ConfigMap", source["configMapRef"]["name"]]["data"])
    return {**variables, **{each["name"]: value(each, role) for each in container(role)["env"]}}


def value(variable, role):
    """Return the value of a variable; the pod is on this machine."""
    if "value" in variable:
        return variable["value"]
    origin = variable["valueFrom"]
    if "fieldRef" in origin:
        return {"status.podIP": "127.0.0.1"}[origin["fieldRef"]["fieldPath"]]
    limits = container(role)["resources"]["limits"]
    return {"limits.cpu": limits["cpu"]}[origin["resourceFieldRef"]["resource"]]


def validate_all(manifest, version):
    """Raise ValidationError where a field is missing, unknown or of another type."""
    for document in yaml.safe_load_all(manifest):
        validate(document, version, strict=True)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_of_this_version_knows_every_field(version):
    validate_all(MANIFEST, version)


@pytest.mark.parametrize("field", ["selector", "accessModes", "backoffLimit", "configMapRef"])
def test_a_misspelled_field_is_refused(field):
    misspelled = MANIFEST.replace(f"{field}:", f"{field}s:")
    with pytest.raises(ValidationError, match=f"'{field}s' was unexpected"):
        validate_all(misspelled, OLDEST)


@pytest.mark.parametrize("role", ["server", "worker"])
def test_as_many_pods_start_as_every_role_waits_for(role):
    awaited = {environment(each)[f"DMLC_NUM_{role.upper()}"] for each in ROLES}
    assert awaited == {str(job(role)["completions"])} == {str(job(role)["parallelism"])}


def test_every_role_finds_the_scheduler_and_no_other_pod_behind_the_service():
    roots = {
        (environment(each)["DMLC_PS_ROOT_URI"], environment(each)["DMLC_PS_ROOT_PORT"])
        for each in ROLES
    }
    ((name, port),) = roots
    service = DOCUMENTS["Service", name]["spec"]
    assert port in [str(each["port"]) for each in service["ports"]]
    labels = {each: job(each)["template"]["metadata"]["labels"].items() for each in ROLES}
    assert [each for each in ROLES if service["selector"].items() <= labels[each]] == ["scheduler"]


@pytest.fixture
def start(tmp_path):
    """Start a role's command with its variables, on this machine; none outlives the test."""
    here = {"DMLC_PS_ROOT_URI": "localhost", "DMLC_PS_ROOT_PORT": str(launch.free_port())}
    (tmp_path / "train.py").write_text(WORKER)
    with contextlib.ExitStack() as at_the_end:

        def start_role(role):
            process = subprocess.Popen(
                [sys.executable, *container(role)["command"][1:]],
                cwd=tmp_path,
                env={**os.environ, "PYTHONPATH": str(ROOT), **environment(role), **here},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            at_the_end.enter_context(process)
            at_the_end.callback(process.kill)
            return process

        yield start_role


@pytest.mark.skipif(
    not mx.runtime.Features().is_enabled("DIST_KVSTORE"),
    reason="MXNet has no parameter server on this system",
)
def test_with_these_variables_the_roles_find_one_another(start):
    """The scheduler has a name, as in a cluster. Its role and the server's end with the workers."""
    others = [start("scheduler"), start("server")]
    workers = [start("worker") for _ in range(job("worker")["parallelism"])]
    printed = [worker.communicate(timeout=120)[0] for worker in workers]
    assert sorted(printed) == ["worker 0 of 2 pulled 3.0\n", "worker 1 of 2 pulled 3.0\n"]
    assert [process.wait(timeout=120) for process in others] == [0, 0]
