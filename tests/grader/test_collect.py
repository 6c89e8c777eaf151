"""The download of a learning platform becomes one notebook for each student."""

import dataclasses
import json
import os
import stat
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import archives
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import grade
from grader import collect, limits
from utils.student import canonical

LIMITS = limits.read()


def notebook(student="replace-me", more=""):
    """A notebook with the name that a student has written into it."""
    source = f"student = {student!r}\nmy = variant_of(student)\n{more}"
    cell = {"cell_type": "code", "source": source, "metadata": {}, "outputs": []}
    return json.dumps({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]})


def put(folder, *names):
    """Write files with these names; return the folder."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return folder


def collected(submissions, page=""):
    """What is found in a folder or an archive."""
    with tempfile.TemporaryDirectory() as scratch:
        found = collect.collect(submissions, "ps1", Path(scratch), LIMITS, page)
        paths = [each.path for each in found.values() if each.path]
        assert all(path.is_symlink() or path.exists() for path in paths)
    return found


def paths(found):
    return {student: each.path for student, each in found.items()}


def unpacked(folder, entries):
    """Collect from an archive with these entries, pairs of a name or ZipInfo and the contents."""
    archive, target = folder / "all.zip", folder / "unpacked"
    target.mkdir()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as packed:
        for entry, contents in entries:
            packed.writestr(entry, contents)
    return collect.collect(archive, "ps1", target, LIMITS)


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
    assert paths(collected(put(tmp_path, name))) == {"ada": tmp_path / name}


def test_each_student_gets_a_notebook_or_a_reason(tmp_path):
    put(
        tmp_path, "ada/ps1.ipynb", "ada/trial.ipynb", "bob/report.pdf", "eve/1.ipynb", "eve/2.ipynb"
    )
    put(tmp_path, "read me.txt", "ada/.ipynb_checkpoints/ps1-checkpoint.ipynb", "+=/ps1.ipynb")
    found = collected(tmp_path)
    assert found["ada"].path == tmp_path / "ada/ps1.ipynb"
    assert "no notebook" in found["bob"].reason
    assert "2 notebooks" in found["eve"].reason
    assert "no notebook, only report.pdf" in found["bob"].reason
    assert found["%2B="].path == tmp_path / "+=/ps1.ipynb"
    assert len(found) == 4


@pytest.mark.parametrize("name", ["Sean O'Brien", "Ju\u0308rgen", "देवी", "Ng, A.", "x_y", "a@b.c"])
def test_people_have_all_kinds_of_names(tmp_path, name):
    found = collected(put(tmp_path, f"{name}/ps1.ipynb", "bob/ps1.ipynb"))
    assert found[unicodedata.normalize("NFC", name)].path


@pytest.mark.parametrize(
    ("name", "escaped"),
    [
        ("=HYPERLINK(1)", "%3DHYPERLINK(1)"),
        ("-x", "%2Dx"),
        ("@", "%40"),
        ("a*", "a%2A"),
        ("[a]", "%5Ba%5D"),
        ("<b>", "%3Cb%3E"),
        ("100%", "100%25"),
        ("a\nb", "a%0Ab"),
        ("فا\u200cطمه", "فا%E2%80%8Cطمه"),  # noqa: RUF001
    ],
)
def test_what_is_unsafe_in_a_name_is_escaped(tmp_path, name, escaped):
    found = collected(put(tmp_path, f"{name}/ps1.ipynb", "bob/ps1.ipynb"))
    assert found[escaped].path == tmp_path / name / "ps1.ipynb"
    assert found["bob"].path


def test_a_long_name_is_cut_and_two_long_names_stay_two(tmp_path):
    found = collected(put(tmp_path, f"{'字' * 80}一/ps1.ipynb", f"{'字' * 80}二/ps1.ipynb"))
    assert len(found) == 2
    assert all(student.startswith("字" * 50) for student in found)
    assert all(len(f"{student}.entered".encode()) < 255 for student in found)


@pytest.mark.parametrize(
    "name",
    [
        "“ps1.ipynb”的副本.ipynb",
        "Ann's ps1.ipynb",
        "ps1[1].ipynb",
        "ps1 – Kopie.ipynb",
        "作业（一）.ipynb",  # noqa: RUF001
        "ps1.ipynb.json",
        "ps1.ipynb.txt",
        "PS1.IPYNB",
        "ps1",
        "ps1.json",
        "प्रश्न.ipynb",
        "การบ้าน.ipynb",
        ".ps1.ipynb",
        "..\\..\\ps1;rm -rf.ipynb",
        os.fsdecode(b"\xff\n.ipynb"),
    ],
)
def test_a_notebook_may_have_any_name(tmp_path, name):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada" / name).write_text(notebook())
    put(tmp_path, "ada/data.json", "ada/report.pdf", "bob/ps1.ipynb")
    assert collected(tmp_path)["ada"].path == tmp_path / "ada" / name


@pytest.mark.parametrize(
    "name", ["ada_ps1 (1)", "ada-ps1[1]", "ada PS1 – Kopie", "ada_ps1_final", "“ada.ipynb”的副本"]
)
def test_what_a_browser_appends_to_a_file_does_not_change_the_students_numbers(tmp_path, name):
    (tmp_path / f"{name}.ipynb").write_text(notebook("Ada"))
    put(tmp_path, "bob.ipynb")
    (numbers,) = [each.name for student, each in collected(tmp_path).items() if student != "bob"]
    assert canonical(numbers) == "ada"


def test_a_notebook_that_was_handed_in_twice_counts_once(tmp_path):
    for name in ("ada/1.ipynb", "ada/1 (copy).ipynb", "bob/1.ipynb", "bob/2.ipynb"):
        put(tmp_path, name).joinpath(name).write_text(notebook(more="2" in name and "#"))
    found = collected(tmp_path)
    assert found["ada"].path
    assert "2 notebooks" in found["bob"].reason


def test_students_of_the_same_name_are_told_apart_by_number(tmp_path):
    """Whether they write it or not, the notebook's numbers are theirs."""
    for number, written in ((12, "Ming Li"), (13, "ming li 13"), (14, "Bob")):
        path = f"Ming Li_{number}_assignsubmission_file_/ps1.ipynb"
        put(tmp_path, path).joinpath(path).write_text(notebook(written))
    assert {student: each.name for student, each in collected(tmp_path).items()} == {
        "Ming Li 12": "Ming Li",
        "Ming Li 13": "ming li 13",
        "Ming Li 14": "Ming Li",
    }


def test_files_added_by_a_mac_and_an_enclosing_folder_are_ignored(tmp_path):
    names = ["all/ada/ps1.ipynb", "all/ada/._ps1.ipynb", "all/bob/ps1.ipynb"]
    put(tmp_path, *names, "__MACOSX/all/ada/ps1.ipynb", "all/.DS_Store")
    assert collected(tmp_path).keys() == {"ada", "bob"}


def test_a_flat_download_may_be_in_one_more_folder(tmp_path):
    found = collected(put(tmp_path, "all/ada_1_2_ps1.ipynb", "all/bob_3_4_report.pdf"))
    assert found["ada"].path
    assert "only bob_3_4_report.pdf" in found["bob"].reason


def test_none_of_two_submissions_by_one_student_is_chosen(tmp_path):
    found = collected(put(tmp_path, "ada_1_2_ps1.ipynb", "ada_1_3_ps1.ipynb"))
    assert "2 notebooks" in found["ada"].reason


def test_links_to_folders_are_not_followed(tmp_path):
    put(tmp_path / "elsewhere", "secret.ipynb")
    (tmp_path / "in" / "ada").mkdir(parents=True)
    (tmp_path / "in" / "ada" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "in" / "eve").symlink_to(tmp_path / "elsewhere")
    put(tmp_path, "in/bob/ps1.ipynb")
    assert collected(tmp_path / "in").keys() == {"ada", "bob"}
    assert collected(tmp_path / "in")["ada"].path is None


@pytest.mark.parametrize("name", [None, "nothing.txt"])
def test_without_submissions_it_says_what_it_expects(tmp_path, name):
    folder = put(tmp_path / "in", *([name] if name else []))
    with pytest.raises(collect.CollectError, match="folder"):
        collected(folder)


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
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("ada/ps1.ipynb", "x" * 1000)
        packed.writestr("bob/ps1.ipynb", "{}")
        packed.writestr(f"eve/{'long' * 100}.ipynb", "{}")
    archive.write_bytes(archive.read_bytes().replace(b"xxxx", b"yyyy", 1))
    found = collect.collect(archive, "ps1", tmp_path, LIMITS)
    assert "cannot be read from its archive: Bad CRC-32" in found["ada"].reason
    assert found["bob"].path.read_text() == "{}"
    assert found["eve"].path.read_text() == "{}"
    assert found.keys() == {"ada", "bob", "eve"}


def test_an_encrypted_notebook_is_named_as_that(tmp_path):
    written = bytearray(archives.flagged([("ada/ps1.ipynb", b"{}"), ("bob/1.ipynb", b"{}")]))
    for magic, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        written[written.index(magic) + flags] |= 1
    (tmp_path / "all.zip").write_bytes(written)
    found = collected(tmp_path / "all.zip")
    assert "encrypted" in found["ada"].reason
    assert found["bob"].path


def test_an_archive_that_a_student_handed_in_cannot_fill_the_disk(tmp_path):
    few = dataclasses.replace(LIMITS, archive=limits.ArchiveLimits(entries=9, megabytes=1))
    zeros = archives.flagged([(f"{number}.ipynb", bytes(2**20)) for number in range(3)])
    many = archives.flagged([(f"{number}.ipynb", b"") for number in range(10)])
    bomb = archives.flagged([("more.zip", archives.flagged([("again.zip", zeros)]))])
    handed_in = [("eve/ps1.zip", zeros), ("mallory/ps1.zip", many), ("oscar/ps1.zip", bomb)]
    written = archives.flagged([*handed_in, ("cut/ps1.zip", zeros[:-30]), ("bob/ps1.ipynb", b"{}")])
    (tmp_path / "all.zip").write_bytes(written)
    found = collect.collect(tmp_path / "all.zip", "ps1", tmp_path, few)
    assert "holds more than 1 MB" in found["eve"].reason
    assert "10 entries" in found["mallory"].reason
    assert "holds more than 1 MB" in found["oscar"].reason
    assert "cannot be read as a zip archive" in found["cut"].reason
    assert found["bob"].path
    assert sum(path.stat().st_size for path in tmp_path.glob("[0-9]*")) < 10 * 2**20


@pytest.mark.parametrize(
    "name", ["ada/my work.zip", "ada_123_assignsubmission_file_/a.zip", "ada_1_2_a.zip", "ada.zip"]
)
def test_a_student_may_hand_in_an_archive(tmp_path, name):
    """Also in a folder, and as the only one."""
    inside = [("a/b/ps1.ipynb", b"{}"), ("__MACOSX/a/b/._ps1.ipynb", b"\0"), ("a/data.csv", b"1")]
    put(tmp_path / "in", name).joinpath(name).write_bytes(archives.finder(inside))
    found = collect.collect(tmp_path / "in", "ps1", tmp_path, LIMITS)
    assert found["ada"].path.read_text() == "{}"


@pytest.mark.parametrize("contents", [b"", b"PK\x03\x04 and no more", b"7z\xbc\xaf\x27\x1c"])
def test_a_file_that_is_not_an_archive_is_refused_with_a_sentence(tmp_path, contents):
    (tmp_path / "all.zip").write_bytes(contents)
    with pytest.raises(collect.CollectError, match=r"cannot be read as a zip archive: .*Unpack it"):
        collected(tmp_path / "all.zip")


def test_an_archive_with_too_many_entries_is_refused(tmp_path):
    few = dataclasses.replace(LIMITS, archive=dataclasses.replace(LIMITS.archive, entries=2))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for number in range(3):
            packed.writestr(f"{number}/ps1.ipynb", "{}")
    with pytest.raises(collect.CollectError, match="3 entries, more than 2"):
        collect.collect(tmp_path / "all.zip", "ps1", tmp_path, few)


# Archives of other systems. What students are called, and what they write into the notebook: some
# write nothing, and some write their names in another way.

CLASSES = {
    "cp850": "Jürgen Groß|Søren Ærø|José Ibáñez|Zoë Noël|Åsa Öberg|François Dupré|Ada",
    "cp852": "Łukasz Żak|Jiří Novák|Zoltán Nagy|Božena Němcová|Ștefan Țîrlea|Ada",
    "cp866": "Анна Петрова|Илья Ёжиков|Ada|Юрий Щербак",
    "gbk": "张伟|王芳|李娜|刘洋|欧阳娜娜|Ming Li|陈喆",
    "cp932": "山田太郎|佐藤花子|能美ソ|高橋カナ|Ada",
    "cp949": "김민준|이서연|박지후|남궁민|Ada",
    "cp874": "สมชาย|สุดา|Ada",
}
CLASSES["cp852"] = CLASSES["cp852"].replace("Ștefan Țîrlea|", "")  # its letters came later
WRITTEN_BY = {0: str, 1: str.upper, 2: lambda _: "replace-me", 3: lambda name: name}


def submissions(page):
    """Twelve submissions: their paths, and their notebooks."""
    students = CLASSES[page].split("|")
    students += [f"{student} {students[0]}" for student in students]
    return [
        (f"{student}/ps1.ipynb", notebook(WRITTEN_BY[number % 4](student), f"# {number}").encode())
        for number, student in enumerate(students[:12])
    ]


def read_from(path, written):
    """The students in an archive, with what each has handed in and the name for their numbers."""
    path.write_bytes(written)
    (path.parent / path.stem).mkdir()
    found = collect.collect(path, "ps1", path.parent / path.stem, LIMITS)
    return {
        student: (canonical(each.name), each.path.read_bytes() if each.path else vars(each))
        for student, each in found.items()
    }


@pytest.mark.parametrize("page", CLASSES)
@pytest.mark.parametrize("form", [*archives.FORMS, "windows", "7-Zip"])
def test_a_batch_is_the_same_in_every_form_of_archive(tmp_path, page, form):
    batch = submissions(page)
    write = (
        archives.FORMS.get(form)
        or {
            "windows": archives.windows(page),
            "7-Zip": archives.seven_zip(page),
        }[form]
    )
    found = read_from(tmp_path / "form.zip", write(batch))
    wanted = {path.partition("/")[0]: contents for path, contents in batch}
    assert found == {student: (canonical(student), wanted[student]) for student in wanted}


def test_one_notebook_decides_how_all_names_of_an_archive_are_read(tmp_path):
    """Also where it is the only one, and a classmate has copied it."""
    batch = [("김민준", "김민준"), ("이서연", "replace-me"), ("박지후", "김민준")]
    files = [(f"{student}/ps1.ipynb", notebook(written).encode()) for student, written in batch]
    found = read_from(tmp_path / "all.zip", archives.windows("cp949")(files))
    assert found == {
        name: (canonical(name), contents) for (name, _), (_, contents) in zip(batch, files)
    }


def test_a_students_own_notebook_counts_more_than_those_of_all_others(tmp_path):
    """As in an archive to which a colleague has added a submission."""
    archive = archives.Zip(archives.DOS)
    for student, page in (("张伟", "gbk"), ("李娜", "gbk"), ("김민준", "cp949")):
        archive.add(f"{student}/ps1.ipynb".encode(page), notebook(student).encode())
    assert read_from(tmp_path / "all.zip", archive.bytes()).keys() == {"张伟", "李娜", "김민준"}


@pytest.mark.parametrize(("written", "students"), [("Renę", {"Renę"}), ("RENE", {"Ren%EA"})])
def test_of_two_readings_that_differ_by_an_accent_the_written_one_counts(
    tmp_path, written, students
):
    archive = archives.Zip(archives.UNIX)
    archive.add("Renę/ps1.ipynb".encode("cp1250"), notebook(written).encode())
    assert read_from(tmp_path / "all.zip", archive.bytes()).keys() == students


def test_where_two_readings_remain_there_is_a_remark_and_no_mark(tmp_path):
    files = [(f"{name}/ps1.ipynb", notebook().encode()) for name in ("张伟", "李娜", "ada")]
    path = tmp_path / "all.zip"
    path.write_bytes(archives.windows("gbk")(files))
    found = collected(path)
    assert found.keys() == {"%D5%C5%CE%B0", "%C0%EE%C4%C8", "ada"}
    assert found["ada"].path
    unclear = found["%D5%C5%CE%B0"]
    assert unclear.path is None
    assert "may be" in unclear.unclear
    assert "张伟 (gbk)" in unclear.unclear
    assert "GRADE_ARGS=--code-page=" in unclear.unclear
    assert collected(path, "gbk").keys() == {"张伟", "李娜", "ada"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "neither a folder"),
        (["--code-page=gbk"], "neither a folder"),
        (["--code-page=gkb"], "not a code page"),
    ],
)
def test_the_command_takes_only_code_pages_that_exist(options, said, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["grade.py", "ps1", "nowhere", *options])
    monkeypatch.setattr(grade, "missing", lambda: "")
    monkeypatch.setattr(grade.assignment, "load", lambda *_: None)
    monkeypatch.setattr(grade.Gradebook, "check", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        grade.main()
    assert said in f"{ended.value} {capsys.readouterr().err}"


def test_no_submission_is_lost_where_namesakes_are_unclear(tmp_path):
    files = [(f"张伟_{number}_assignsubmission_file_/ps1.ipynb", b"{}") for number in (7, 8)]
    (tmp_path / "all.zip").write_bytes(archives.windows("gbk")(files))
    assert collected(tmp_path / "all.zip").keys() == {"%D5%C5%CE%B0 7", "%D5%C5%CE%B0 8"}


def test_a_name_in_bytes_on_a_disk_is_read_with_the_help_of_the_notebook(tmp_path):
    """So unzip leaves them that knows no code pages."""
    for name, written in ((b"J\xfcrgen \xdf", "Jürgen ß"), (b"M\xfcller", "replace-me")):
        folder = tmp_path / os.fsdecode(name)
        folder.mkdir()
        (folder / "ps1.ipynb").write_text(notebook(written))
    assert collected(tmp_path).keys() == {"Jürgen ß", "Müller"}


def test_no_reading_of_a_name_makes_one_student_of_two(tmp_path):
    """The number that a student is told apart by may be another one's name."""
    names = [f"Li_{number}_assignsubmission_file_/ps1.ipynb" for number in (1, 2)]
    assert len(collected(put(tmp_path, *names, "Li 1/ps1.ipynb"))) == 3


# Properties

LETTERS = st.characters(exclude_characters="/\0", exclude_categories=["Cs"])
ANY_NAME = st.text(LETTERS, min_size=1, max_size=40).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 240
)
ANY_BYTES = st.binary(min_size=1, max_size=40).filter(
    lambda name: not set(name) & {0, 0x2F} and name not in (b".", b"..")
)
LEFT = ("._", "__MACOSX", ".DS_Store", ".ipynb_checkpoints", ".git")


def is_kept(name):
    return not name.strip().startswith(LEFT)


@given(name=ANY_NAME.filter(is_kept) | ANY_BYTES.map(os.fsdecode).filter(is_kept))
@example("ps1.ipynb")
@example("作业（一）")  # noqa: RUF001
@example("\u202e=cmd|'")
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_file_of_any_name_is_read_and_its_students_name_is_read_or_escaped(tmp_path, name):
    with tempfile.TemporaryDirectory(dir=tmp_path) as scratch:
        inside, of_student = Path(scratch, "ada", name), Path(scratch, name, "ps1.ipynb")
        for path in (inside, of_student):
            path.parent.mkdir()
            path.write_text(notebook("Ada Lovelace", f"# {path == inside}"))
        found = collected(Path(scratch))
    (other,) = found.keys() - {"ada"}
    assert found["ada"].path == inside
    assert found[other].path == of_student or "may be" in found[other].unclear
    with tempfile.TemporaryDirectory(dir=tmp_path) as scratch:
        flat = Path(scratch, f"{name}.ipynb")
        flat.write_text(notebook())
        (alone,) = collected(Path(scratch)).values()
    assert alone.path == flat or "may be" in alone.unclear
    assert other.isprintable()
    assert not set(other) & set('/\\*?[]{}<>|"')
    assert other[0].isalnum() or other[0] == "%"
    assert len(other.encode()) < 240


@given(
    name=ANY_BYTES, flags=st.sampled_from([0, archives.UTF8]), system=st.sampled_from([0, 3, 10])
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_an_archive_with_any_name_is_read_or_refused_with_a_sentence(tmp_path, name, flags, system):
    """A name that is not what its flag says makes the whole archive unreadable for Python."""
    archive = archives.Zip(system)
    archive.add(b"ada/" + name, notebook().encode(), flags=flags)
    archive.add(b"bob/ps1.ipynb", notebook("bob").encode())
    (tmp_path / "all.zip").write_bytes(archive.bytes())
    try:
        name.decode("utf-8" if flags else "cp437")
    except UnicodeDecodeError:
        with pytest.raises(collect.CollectError, match="Unpack it with the program that made it"):
            collected(tmp_path / "all.zip")
    else:
        assert collected(tmp_path / "all.zip")["bob"].path


@pytest.mark.parametrize(
    ("name", "platform", "number"),
    [
        ("ada_123_assignsubmission_file_/ps1.ipynb", "moodle", "123"),
        ("ada_123_456_ps1.ipynb", "canvas", "123"),
        ("ada_LATE_123_456_ps1.ipynb", "canvas", "123"),
        ("ada/ps1.ipynb", "", ""),
    ],
)
def test_the_platform_and_its_number_for_a_student_are_kept(tmp_path, name, platform, number):
    path = tmp_path / "in" / name
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    (tmp_path / "scratch").mkdir()
    found = collect.collect(tmp_path / "in", "ps1", tmp_path / "scratch", LIMITS)
    assert [(f.platform, f.number) for f in found.values()] == [(platform, number)]
