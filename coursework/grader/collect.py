"""Find each student's notebook in a folder, or in the archive of a learning platform.

A name decides nothing but whose a notebook is. Where an archive does not say in which encoding its
names are, the names that students wrote into their notebooks decide between the possible readings.
Where two readings remain, nothing is graded, and the instructor is told.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from grader import archive, names, validate
from grader.answers import written_name
from grader.archive import CollectError, Entry
from grader.limits import Limits
from utils.student import canonical

PLAIN = "ascii"  # in which no letter of an unknown encoding is read
SUFFIX = re.compile(r"\.(ipynb|zip|json|txt|download)(?=\.|$)", re.IGNORECASE)
MOST_SHOWN = 3  # names in a sentence
NO_NOTEBOOK = "There is no notebook in the folder."
OTHER_FILES = "There is no notebook, only {files}. Hand in the file whose name ends with .ipynb."
SEVERAL = "There are {count} notebooks, and it is unclear which one to grade."
UNCLEAR = (
    "Whose submission this is, is unclear: the archive does not say in which encoding its names "
    "are. This one may be {readings}. Name the right code page, as in "
    "GRADE_ARGS=--code-page={page}, or unpack the archive with the program that made it, and grade "
    "the folder."
)


@dataclass(frozen=True)
class Found:
    """What a student has handed in: a path, or a sentence on why there is none.

    `name` is the one that decides the student's personal numbers. `unclear` says why nobody knows
    whose submission this is; then there is no mark at all. `platform` and `number` are the learning
    platform that it comes from, and its number for the student; or "".
    """

    path: Path | None = None
    reason: str = ""
    name: str = ""
    unclear: str = ""
    platform: str = ""
    number: str = ""


@dataclass(frozen=True)
class Owner:
    """Whose a submission is: a name, and the number that a platform has appended; or "".

    `is_whole` says that the name is all of a folder's name, or that a platform has written it. Else
    it is a file's name, which may hold more than the student's.
    """

    name: str
    number: str = ""
    is_whole: bool = field(default=True, compare=False)
    platform: str = field(default="", compare=False)


@dataclass(frozen=True)
class _HandIn:
    """What one student has handed in, and the possible owners by code page.

    `plain` is the owner with escapes in place of letters that nobody can read.
    """

    entries: list[Entry]
    plain: Owner
    readings: dict[str, Owner]

    @property
    def is_clear(self) -> bool:
        return len(set(self.readings.values())) == 1

    def pages_with(self, written: set[str]) -> set[str]:
        """The code pages in which the owner has one of these names, in any spelling."""
        wanted = {canonical(name) for name in written}
        return {page for page, owner in self.readings.items() if canonical(owner.name) in wanted}

    def decided(self, *evidence: set[str]) -> Owner | None:
        """The owner by evidence, strongest first: sets of code pages. None if several remain."""
        pages = set(self.readings)
        for wanted in (pages, *evidence):
            pages = (pages & wanted) or pages
            if len(owners := {self.readings[page] for page in pages}) == 1:
                return owners.pop()
        return None


def collect(
    submissions: Path, assignment: str, scratch: Path, limits: Limits, page: str = ""
) -> dict[str, Found]:
    """Return what each student has handed in, by name, in alphabetical order.

    `submissions` is a folder or a zip archive. It holds a folder or an archive for each student,
    with the notebook somewhere inside, or a notebook for each student; all of them may be in one
    more folder. Additions of Moodle and Canvas to names are removed. What is unpacked goes to
    `scratch`, an empty folder. `page` is the code page of names whose encoding is unknown. Raises
    CollectError where there is nothing.
    """
    entries = archive.read(submissions, scratch, limits)
    entries = [entry for entry in entries if not archive.is_left(entry.parts())]
    unread = sorted({entry.name for entry in entries if isinstance(entry.name, bytes)})
    pages = ([page] if page else names.PAGES) if unread else ["utf-8"]
    hand_ins = _hand_ins(entries, assignment, pages)
    if not hand_ins:
        raise CollectError(
            f"There are no submissions in {submissions}. It should hold a folder or a notebook for "
            "each student."
        )
    likely = names.likely_pages(unread, any(entry.of_windows for entry in entries))
    handed_in: dict[Owner, list[Entry]] = defaultdict(list)
    found: dict[str, Found] = {}
    for hand_in, owner in _with_owners(hand_ins, limits, set(likely)):
        if owner:  # in several ways, for example with composed and with decomposed accents
            handed_in[owner] += hand_in.entries
        else:
            found[names.identifier(_full(hand_in.plain))] = Found(unclear=_unclear(hand_in, likely))
    namesakes = Counter(owner.name for owner in handed_in)
    for owner, own in handed_in.items():
        student = names.identifier(_full(owner) if namesakes[owner.name] > 1 else owner.name)
        while student in found:  # somebody else is really called so
            student += "~"
        name = owner.name
        if namesakes[name] > 1 or not owner.is_whole or not canonical(name):
            name = _name_of_numbers(owner, _written(own, limits)) or student
        notebook = _notebook(own, assignment, limits)
        found[student] = replace(notebook, name=name, platform=owner.platform, number=owner.number)
    return dict(sorted(found.items()))


def _hand_ins(entries: list[Entry], assignment: str, pages: Sequence[str]) -> list[_HandIn]:
    """The entries by student. Those of one student have the same owner in each code page."""
    owners = {page: _owners(entries, assignment, page) for page in (PLAIN, *pages)}
    groups: dict[tuple[Owner | None, ...], list[int]] = defaultdict(list)
    for i in range(len(entries)):
        groups[tuple(owners[page][i] for page in owners)].append(i)
    found = []
    for (plain, *read), numbers in groups.items():
        own = [entries[i] for i in numbers]
        if plain:
            unread = [entry.name for entry in own if isinstance(entry.name, bytes)]
            readings = {
                page: owner
                for page, owner in zip(pages, read)
                if owner and all(names.decoded(name, page) is not None for name in unread)
            }
            found.append(_HandIn(own, plain, readings or {PLAIN: plain}))
    return found


def _owners(entries: list[Entry], assignment: str, page: str) -> list[Owner | None]:
    """The owner of each entry; None for one that nobody has handed in."""
    parts = [entry.parts(page) for entry in entries]
    outside = [each[: len(each) - len(entry.inside)] for entry, each in zip(entries, parts)]
    depth = _depth(outside, assignment)
    return [_owner(entry, each[depth:], assignment) for entry, each in zip(entries, parts)]


def _depth(parts: list[tuple[str, ...]], assignment: str) -> int:
    """The number of folders around all submissions. A student's folder is none of them."""
    depth = 0
    while len(tops := _tops(parts)) == 1 and not names.platform(*tops):
        parts, depth = [part[1:] for part in parts], depth + 1
        if any(_is_work(name, assignment) for name in _tops(parts)):
            return 0
        if len(_tops(parts)) > 1:
            return depth
    return 0


def _is_work(name: str, assignment: str) -> bool:
    """Whether a file or folder is a student's work, and does not say whose."""
    return name == assignment or (archive.is_notebook(name) and not names.platform(name))


def _tops(parts: list[tuple[str, ...]]) -> set[str]:
    return {part[0] for part in parts if part and not part[0].startswith(".")}


def _owner(entry: Entry, parts: tuple[str, ...], assignment: str) -> Owner | None:
    if not parts or ".." in parts or entry.name[:1] in ("/", b"/"):
        return None
    name = names.same_form(parts[0])
    of_assignment = rf"[-_ ]{re.escape(assignment)}"
    if written_by := names.platform(name):
        platform, added = written_by
        return Owner(name[: added.start()], added["number"], platform=platform)
    is_notebook = entry.holds_notebook or archive.is_notebook(parts[-1])
    if entry.is_folder or len(parts) > len(entry.inside) + 1:
        if name.startswith(".") and not is_notebook:
            return None
        return Owner(re.sub(f"{of_assignment}$", "", name, flags=re.IGNORECASE))
    if not is_notebook and not name.lower().endswith(".zip"):
        return None
    stem = SUFFIX.sub("", name)
    stem = re.sub(rf"{of_assignment}(?![^\W_]).*$", "", stem, flags=re.IGNORECASE | re.DOTALL)
    return Owner(stem, is_whole=False)


def _with_owners(
    hand_ins: list[_HandIn], limits: Limits, likely: set[str]
) -> Iterator[tuple[_HandIn, Owner | None]]:
    """Decide whose each submission is; None where that is unclear.

    A student's own notebook decides. What most notebooks decide holds for the other names of the
    archive, since one program has written all of them.
    """
    written = [set() if each.is_clear else _written(each.entries, limits) for each in hand_ins]
    matching = [each.pages_with(own) for each, own in zip(hand_ins, written)]
    votes = Counter(page for pages in matching for page in pages)
    confirmed = {page for page in votes if votes[page] == max(votes.values())}
    for hand_in, own, pages in zip(hand_ins, written, matching):
        equal = {page for page in pages if hand_in.readings[page].name in own}
        yield hand_in, hand_in.decided(pages, equal, confirmed, likely)


def _written(entries: list[Entry], limits: Limits) -> set[str]:
    """The names of students in the notebooks of a submission."""
    found = set()
    for entry in entries:
        if entry.path and (entry.holds_notebook or archive.is_notebook(entry.parts()[-1])):
            with contextlib.suppress(validate.RefusedError):
                submission = validate.read(entry.path, limits.file)
                found.add(names.same_form(written_name(submission)))
    return found - {""}


def _name_of_numbers(owner: Owner, written: set[str]) -> str:
    """The name that decides the personal numbers: the owner's, as far as the student wrote it.

    Namesakes may have written the platform's number too. A file's name may hold more than the
    student's: the assignment, or what a browser appends. Returns "" where there are no letters.
    """
    own = {canonical(owner.name), canonical(_full(owner))}
    for name in sorted(written):
        is_part = set(canonical(name).split()) <= set(canonical(owner.name).split())
        if canonical(name) in own or not any(own) or (is_part and not owner.is_whole):
            return name
    return owner.name if canonical(owner.name) else ""


def _full(owner: Owner) -> str:
    return f"{owner.name} {owner.number}".strip()


def _unclear(hand_in: _HandIn, likely: list[str]) -> str:
    owners = {owner.name: page for page, owner in reversed(hand_in.readings.items())}
    first = {hand_in.readings[page].name for page in likely if page in hand_in.readings}
    shown = sorted(first or owners)[:MOST_SHOWN]
    readings = " or ".join(f"{names.identifier(name)} ({owners[name]})" for name in shown)
    return UNCLEAR.format(readings=readings, page=owners[shown[0]])


def _notebook(entries: list[Entry], assignment: str, limits: Limits) -> Found:
    """The notebook of a student: the only one, or the only one with the assignment's name."""
    named = [(entry.parts(), entry) for entry in entries if not entry.is_folder]
    by_name = [each for each in named if archive.is_notebook(each[0][-1])]
    usual = [
        (parts, entry)
        for parts, entry in by_name
        if not any(part.startswith(".") for part in parts[1:])
    ]
    notebooks = usual or by_name or [each for each in named if each[1].holds_notebook]
    stem = re.compile(rf"(.*_)?{re.escape(assignment)}", re.IGNORECASE | re.DOTALL)
    assigned = [each for each in notebooks if stem.fullmatch(SUFFIX.sub("", each[0][-1]))]
    found = _different([entry for _, entry in assigned], limits)
    if len(found) != 1:
        found = _different([entry for _, entry in notebooks], limits)
    problems = [entry.problem for _, entry in named if entry.problem]
    if not found and problems:
        return Found(reason=problems[0])
    if not found:
        others = [parts[-1] for parts, entry in named if not entry.inside]
        files = ", ".join(names.identifier(name) for name in others[:MOST_SHOWN])
        return Found(reason=OTHER_FILES.format(files=files) if files else NO_NOTEBOOK)
    if len(found) > 1:
        return Found(reason=SEVERAL.format(count=len(found)))
    return Found(found[0].path, found[0].problem)


def _different(entries: list[Entry], limits: Limits) -> list[Entry]:
    """Entries with different contents. A notebook that was handed in twice counts once."""
    found = {}
    for number, entry in enumerate(entries):
        contents = archive.contents(entry.path, limits.file.megabytes) if entry.path else b""
        found.setdefault(hashlib.sha256(contents).digest() if contents else number, entry)
    return list(found.values())
