"""The download of a learning platform becomes one notebook for each student."""

import os
import stat
import unicodedata
import zipfile

import pytest

from grader import collect, limits
from grader.collect import Found

LIMITS = limits.read()


def put(folder, *names):
    """Write files with these names; return the folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def unpacked(folder, entries):
    """Collect from an archive with these entries, pairs of a name or ZipInfo and the contents."""
    archive, target = folder / "all.zip", folder / "unpacked"
    target.mkdir()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry, contents in entries:
            packed.writestr(entry, contents)
    collect.unpack(archive, target, LIMITS.archive, LIMITS.file)
    return collect.collect(target, "ps1")


@pytest.mark.parametrize(
    "name",
    [
        "ada/ps1.ipynb",
        "ada/ps1/ps1.ipynb",
        "ada/my solution.ipynb",
        "ada.ipynb",
        "ada_ps1.ipynb",
        "ada-ps1.ipynb",
        "ada_123_assignsubmission_file_/ps1.ipynb",
        "ada_LATE_12345_67890_ps1-2.ipynb",
    ],
    ids=["folder", "nbgrader", "own name", "flat", "_ps1", "-ps1", "Moodle", "Canvas"],
)
def test_a_student_is_found_under_each_platforms_naming(tmp_path, name):
    assert collect.collect(put(tmp_path, name), "ps1") == {"ada": Found(tmp_path / name)}


def test_each_student_gets_a_notebook_or_a_reason(tmp_path):
    put(
        tmp_path, "ada/ps1.ipynb", "ada/trial.ipynb", "bob/report.pdf", "eve/1.ipynb", "eve/2.ipynb"
    )
    put(tmp_path, "read me.txt", "ada/.ipynb_checkpoints/ps1-checkpoint.ipynb", "+=/ps1.ipynb")
    found = collect.collect(tmp_path, "ps1")
    assert found["ada"].path == tmp_path / "ada/ps1.ipynb"
    assert "no notebook" in found["bob"].reason
    assert "2 notebooks" in found["eve"].reason
    assert "characters" in found["'+='"].reason
    assert len(found) == 4


@pytest.mark.parametrize("name", ["Sean O'Brien", "Ju\u0308rgen", "देवी", "Ng, A.", "x_y", "a@b.c"])
def test_people_have_all_kinds_of_names(tmp_path, name):
    found = collect.collect(put(tmp_path, f"{name}/ps1.ipynb", "bob/ps1.ipynb"), "ps1")
    assert found[unicodedata.normalize("NFC", name)].path


@pytest.mark.parametrize(
    "name", ["=HYPERLINK(1)", "-x", "a\nb", "a*", "[a]", "<b>", "@", "n" * 150]
)
def test_a_name_that_is_unsafe_in_paths_or_tables_is_refused(tmp_path, name):
    found = collect.collect(put(tmp_path, f"{name}/ps1.ipynb", "bob/ps1.ipynb"), "ps1")
    assert "characters" in found[ascii(name)].reason
    assert found["bob"].path


def test_a_name_that_is_not_text_is_escaped(tmp_path):
    (tmp_path / os.fsdecode(b"J\xfcrgen")).mkdir()
    assert list(collect.collect(tmp_path, "ps1")) == [r"'J\udcfcrgen'"]


def test_students_of_the_same_name_are_told_apart_by_number(tmp_path):
    names = [f"Ming Li_{number}_assignsubmission_file_/ps1.ipynb" for number in (12, 13)]
    assert collect.collect(put(tmp_path, *names), "ps1").keys() == {"Ming Li 12", "Ming Li 13"}


def test_files_added_by_a_mac_and_an_enclosing_folder_are_ignored(tmp_path):
    names = ["all/ada/ps1.ipynb", "all/ada/._ps1.ipynb", "all/bob/ps1.ipynb"]
    put(tmp_path, *names, "__MACOSX/all/ada/ps1.ipynb", "all/.DS_Store")
    assert collect.collect(tmp_path, "ps1").keys() == {"ada", "bob"}


def test_none_of_two_submissions_by_one_student_is_chosen(tmp_path):
    found = collect.collect(put(tmp_path, "ada_1_2_ps1.ipynb", "ada_1_3_ps1.ipynb"), "ps1")
    assert "2 notebooks" in found["ada"].reason


def test_links_to_folders_are_not_followed(tmp_path):
    put(tmp_path / "elsewhere", "secret.ipynb")
    (tmp_path / "in" / "ada").mkdir(parents=True)
    (tmp_path / "in" / "ada" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "eve").symlink_to(tmp_path / "elsewhere")
    assert collect.collect(tmp_path / "in", "ps1").keys() == {"ada"}
    assert collect.collect(tmp_path / "in", "ps1")["ada"].path is None


@pytest.mark.parametrize("name", [None, "nothing.txt"])
def test_without_submissions_it_says_what_it_expects(tmp_path, name):
    folder = put(tmp_path / "in", *([name] if name else []))
    with pytest.raises(collect.CollectError, match="folder"):
        collect.collect(folder, "ps1")


def test_an_archive_is_read_like_a_folder(tmp_path):
    found = unpacked(tmp_path, [("ada/ps1.ipynb", "{}"), ("bob/report.pdf", "%PDF")])
    assert found["ada"].path.read_text() == "{}"
    assert "no notebook" in found["bob"].reason


def test_names_that_lead_out_of_the_folder_are_left_out(tmp_path):
    names = ["../eve/ps1.ipynb", "/tmp/eve/ps1.ipynb", "ada/../../ps1.ipynb", "ada/ps1.ipynb"]
    assert unpacked(tmp_path, [(name, "{}") for name in names]).keys() == {"ada"}
    assert not (tmp_path / "eve").exists()
    assert not (tmp_path / "ps1.ipynb").exists()


def test_a_zip_bomb_is_unpacked_only_up_to_the_limit(tmp_path):
    found = unpacked(tmp_path, [("ada/ps1.ipynb", bytes(50 * 2**20)), ("bob/ps1.ipynb", "{}")])
    assert found["ada"].path.stat().st_size == LIMITS.file.megabytes * 2**20 + 1
    assert found["bob"].path.read_text() == "{}"


def test_a_link_in_an_archive_becomes_a_file(tmp_path):
    entry = zipfile.ZipInfo("ada/ps1.ipynb")
    entry.create_system, entry.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    path = unpacked(tmp_path, [(entry, "/etc/passwd")])["ada"].path
    assert not path.is_symlink()
    assert path.read_text() == "/etc/passwd"


def test_a_damaged_entry_affects_only_its_student(tmp_path):
    archive, target = tmp_path / "all.zip", tmp_path / "unpacked"
    target.mkdir()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("ada/ps1.ipynb", "x" * 1000)
        packed.writestr("bob/ps1.ipynb", "{}")
        packed.writestr(f"eve/{'long' * 100}.ipynb", "{}")
    archive.write_bytes(archive.read_bytes().replace(b"xxxx", b"yyyy", 1))
    collect.unpack(archive, target, LIMITS.archive, LIMITS.file)
    found = collect.collect(target, "ps1")
    assert found["bob"].path.read_text() == "{}"
    assert "no notebook" in found["eve"].reason
    assert found.keys() == {"ada", "bob", "eve"}


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04 and no more"])
def test_a_file_that_is_not_an_archive_is_refused_with_a_sentence(tmp_path, contents):
    (tmp_path / "all.zip").write_bytes(contents)
    with pytest.raises(collect.CollectError, match="cannot be read as a zip archive"):
        collect.unpack(tmp_path / "all.zip", tmp_path / "unpacked", LIMITS.archive, LIMITS.file)


def test_an_archive_with_too_many_entries_is_refused(tmp_path):
    few = limits.ArchiveLimits(entries=2)
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for number in range(3):
            packed.writestr(f"{number}/ps1.ipynb", "{}")
    with pytest.raises(collect.CollectError, match="3 entries, more than 2"):
        collect.unpack(tmp_path / "all.zip", tmp_path, few, LIMITS.file)
