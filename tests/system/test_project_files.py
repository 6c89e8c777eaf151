"""The files that describe the project: workflows, development container, citation, licenses.

The workflows and the container have never run. These tests hold them to what is in the repository.
"""

import json
import re

import pytest
import tomllib
import yaml
from packaging.version import Version

import set_up
from utils.setup import remedies

ROOT = set_up.ROOT
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DEVCONTAINER = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
DOCKERFILE = (ROOT / ".devcontainer" / "Dockerfile").read_text("utf-8")
CITATION = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
CHANGELOG = (ROOT / "CHANGELOG.md").read_text("utf-8")
RELEASES = re.findall(r"^## \[([\d.]+)\] - (\d{4}-\d\d-\d\d)$", CHANGELOG, re.MULTILINE)
SECTIONS = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}


def check_command(command):
    """A command that a workflow or the container runs: a target of the Makefile, or a script."""
    program, *arguments = command.split()
    if program == "make":
        makefile = (ROOT / "Makefile").read_text("utf-8")
        for target in arguments:
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), command
    elif "/" in program:
        assert (ROOT / program).stat().st_mode & 0o100, f"{program} cannot be executed"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_what_is_there_and_may_only_read(path):
    workflow = yaml.safe_load(path.read_text("utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert set(job.get("permissions", {})) <= {"pages", "id-token"}  # what publishing takes
        for step in job["steps"]:
            check_command(step.get("run", "true"))
            assert re.fullmatch(r"actions/[\w-]+@v\d+", step.get("uses", "actions/none@v1"))


def test_the_tests_are_run_by_a_workflow_the_fast_ones_first():
    jobs = yaml.safe_load((ROOT / ".github/workflows/tests.yml").read_text("utf-8"))["jobs"]
    commands = {name: [step.get("run") for step in job["steps"]] for name, job in jobs.items()}
    assert "make test-fast" in commands["fast"]
    assert ".ci/run" in commands["all"]
    assert jobs["all"]["needs"] == "fast"


def test_workflows_and_container_have_the_python_of_the_course():
    texts = [path.read_text("utf-8") for path in WORKFLOWS]
    read_the_docs = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text("utf-8"))
    assert read_the_docs["build"]["tools"]["python"] == set_up.COURSE_PYTHON
    images = re.findall(r"\bpython:([\d.]+)-", " ".join([*texts, DEVCONTAINER["image"]]))
    versions = re.findall(r'python-version: "([\d.]+)"', " ".join(texts))
    assert DEVCONTAINER["image"].startswith("python:")
    assert {*images, *versions} == {set_up.COURSE_PYTHON}


def test_the_container_sets_the_course_up_and_opens_its_python():
    check_command(DEVCONTAINER["postCreateCommand"])
    vscode = DEVCONTAINER["customizations"]["vscode"]
    assert {"ms-python.python", "ms-toolsai.jupyter"} <= set(vscode["extensions"])
    for extension in vscode["extensions"]:
        assert re.fullmatch(r"[a-z0-9-]+\.[a-z0-9-]+", extension)
    python = vscode["settings"]["python.defaultInterpreterPath"]
    folder = "${containerWorkspaceFolder}"
    assert python.replace(folder, str(ROOT)) == str(set_up.PYTHON)


def test_the_dockerfile_opens_the_notebooks_with_the_python_of_the_course():
    """JupyterLab's port is the one that the page names, and the folder the one that it mounts."""
    steps = dict(line.split(" ", 1) for line in DOCKERFILE.splitlines() if line[:1].isupper())
    assert steps["FROM"] == DEVCONTAINER["image"]  # for every processor: none is named
    check_command("make " + " ".join(json.loads(steps["CMD"])[1:2]))
    assert json.loads(steps["CMD"])[2] == "IP=0.0.0.0"  # which the Makefile hands to JupyterLab
    assert steps["EXPOSE"] == "8888"
    command = remedies.CONTAINER.split(" && ")
    for page in (DOCKERFILE, (ROOT / "docs" / "where_it_runs.md").read_text("utf-8")):
        assert all(line in page for line in command)
    assert f":{steps['WORKDIR']} " in command[1]
    assert steps["ENV"] == f"XDG_CACHE_HOME={steps['WORKDIR']}/.cache"


def test_the_containers_take_the_processor_of_the_machine():
    assert "platform" not in DOCKERFILE
    assert "runArgs" not in DEVCONTAINER


def test_the_citation_names_the_course_and_its_last_release():
    title = (ROOT / "README.md").read_text("utf-8").splitlines()[0]
    assert title == f"# {CITATION['title']}"
    assert RELEASES[0] == (CITATION["version"], str(CITATION["date-released"]))


def test_the_changelog_has_its_form():
    """The newest release first, what is not released above all, and only the known sections."""
    headings = re.findall(r"^## \[(.*?)\]", CHANGELOG, re.MULTILINE)
    assert headings == ["Unreleased", *(version for version, _ in RELEASES)]
    versions = [Version(version) for version, _ in RELEASES]
    assert versions == sorted(versions, reverse=True)
    assert set(re.findall(r"^### (.*)$", CHANGELOG, re.MULTILINE)) <= SECTIONS


def test_the_version_in_work_comes_after_the_last_release():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert Version(project["version"]) > Version(RELEASES[0][0])


def test_the_license_of_the_text_says_what_it_covers():
    text = (ROOT / "LICENSE-TEXT").read_text("utf-8")
    assert "https://creativecommons.org/licenses/by/4.0/legalcode" in text
    for path in re.findall(r"(?<!\S)[a-z][a-z_/]+/(?:LICENSE)?", text):
        assert (ROOT / path).exists(), path
    assert (ROOT / "LICENSE").read_text("utf-8").startswith("MIT License")
