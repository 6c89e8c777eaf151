"""Names of students: read from bytes of an unknown encoding, and made safe for paths and tables."""

from __future__ import annotations

import hashlib
import re
import unicodedata

# What is special in paths, in patterns of nbgrader, or in the escapes themselves.
UNSAFE = re.compile(r'[\\/*?\[\]{}<>|"%]')
LONGEST = 180  # bytes of an identifier: files named after it have 255

# The code pages of names that are not UTF-8. Windows packs in that of its command line.
DOS = (
    *("cp437", "cp850", "cp852", "cp857", "cp866", "cp737", "cp775", "cp862", "cp720", "cp874"),
    *("cp932", "gbk", "cp949", "cp950"),
)
OTHERS = (
    *("cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257", "cp1258"),
    *("iso8859_2", "iso8859_15", "koi8_u", "tis_620", "mac_roman", "mac_cyrillic"),
    *("gb18030", "big5hkscs", "euc_jp", "shift_jis", "euc_kr"),
)
PAGES = ("utf-8", *DOS, *OTHERS)
# Letters that may follow those of another script in one word, as in "作业final".
WITHOUT_CAPITALS = {"CJK", "HANGUL", "HIRAGANA", "KATAKANA", "THAI"}
KANA = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK", "IDEOGRAPHIC": "CJK"}

# What platforms append to names. The number tells students of the same name apart.
PLATFORMS = {
    "moodle": re.compile(r"_(?P<number>\d+)_assignsubmission_.*$", re.DOTALL),
    "canvas": re.compile(r"(_LATE)?_(?P<number>\d+)_\d+_.*$", re.DOTALL),
}


def platform(name: str) -> tuple[str, re.Match[str]] | None:
    """Return a learning platform, and what it has appended to a student's name; or None."""
    found = ((platform, pattern.search(name)) for platform, pattern in PLATFORMS.items())
    return next(((platform, added) for platform, added in found if added), None)


def identifier(name: str) -> str:
    """Return a name in a form that is safe in paths, in nbgrader and in a spreadsheet.

    Unsafe characters are escaped as in web addresses, so that different names stay different.
    """
    first, rest = name[:1], name[1:]
    escaped = first if first.isalnum() else _escaped(first) or "%"
    for letter in rest:
        is_safe = letter.isprintable() and not UNSAFE.match(letter)
        escaped += letter if is_safe else _escaped(letter)
    encoded = escaped.encode()
    if len(encoded) > LONGEST:
        return f"{encoded[:LONGEST].decode('utf-8', 'ignore')}~{_digest(name)}"
    return escaped


def same_form(name: str) -> str:
    """Return a name with composed accents and plain spaces, however a system has written it."""
    composed = unicodedata.normalize("NFC", name)
    return "".join(" " if unicodedata.category(c) == "Zs" else c for c in composed).strip()


def decoded(name: bytes, page: str) -> str | None:
    """Return a name in a code page; None where it has bytes that do not exist there."""
    try:
        return name.decode(page)
    except UnicodeDecodeError:
        return None


def likely_pages(names: list[bytes], of_windows: bool) -> list[str]:
    """Return the code pages in which all names look like names, as far as such pages exist.

    UTF-8 comes before everything else: other encodings hardly ever look like it. Then come the code
    pages that the archive's system suggests.
    """
    counts = {page: sum(_is_plausible(decoded(name, page)) for name in names) for page in PAGES}
    for pages in (["utf-8"], DOS if of_windows else (), OTHERS):
        fitting = [page for page in pages if counts[page] == len(names)]
        if fitting:
            return fitting
    return [page for page in PAGES if counts[page] == max(counts.values())]


def _is_plausible(name: str | None) -> bool:
    """Whether somebody may have given this name: no symbols, and words of one script."""
    return (
        name is not None
        and all(_is_usual(letter, before) for before, letter in zip(" " + name, name))
        and all(_is_word(word) for word in re.findall(r"[^\W\d_]+", name))
    )


def _is_usual(letter: str, before: str) -> bool:
    if letter.isascii():
        return letter.isprintable()
    if letter in "ªº":
        return before.isdigit()
    if "\x80" <= letter <= "\xbf":  # marks of money and print, and "¿"
        return letter == "·"
    return unicodedata.category(letter)[0] in "LMNP"


def _is_word(word: str) -> bool:
    """Whether letters belong together. A word in Latin letters may stand at one end of another."""
    scripts = [_script(letter) for letter in word]
    runs = [script for i, script in enumerate(scripts) if i == 0 or scripts[i - 1] != script]
    return len(runs) < 2 or (len(runs) == 2 and bool(WITHOUT_CAPITALS & set(runs)))


def _script(letter: str) -> str:
    script = unicodedata.name(letter, "").partition(" ")[0]
    return KANA.get(script, script)


def _escaped(letters: str) -> str:
    return "".join(f"%{byte:02X}" for byte in letters.encode("utf-8", "surrogateescape"))


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:12]
