"""Read which names the statements of a cell bind, change and use, without executing them."""

from __future__ import annotations

import ast
import re
import symtable
import threading
import unicodedata
import warnings
from dataclasses import dataclass

from IPython.core.inputtransformer2 import classic_prompt, ipython_prompt, leading_indent

MAGIC = re.compile(r"[%!?]|[\w, ]{0,200}= ?[%!]")
MOST_MAGICS = 20  # in one cell
LONGEST_REASON = 150  # characters
UNKNOWN_CHARACTER = re.compile(r"^invalid (?:non-printable )?character.* ?U\+([0-9A-F]{4,6})\)?$")
# What is meant by characters that word processors, chats and keyboards put in place of others.
TYPED = {
    **dict.fromkeys("“”„«»〝〞＂", '"'),  # noqa: RUF001
    **dict.fromkeys("‘’‚‹›′＇", "'"),  # noqa: RUF001
    **dict.fromkeys("‐‑‒–—−―", "-"),  # noqa: RUF001
    **dict.fromkeys("。｡", "."),
    **dict.fromkeys("、､", ","),
    **dict.fromkeys("【〔「『", "["),  # noqa: RUF001
    **dict.fromkeys("】〕」』", "]"),  # noqa: RUF001
    "×": "*",
    "÷": "/",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
}
_COMPILING = threading.Lock()  # Python keeps one list of what to do with warnings
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
# Expressions with a scope of their own: what they bind are no names of the notebook.
INNER = (ast.Lambda, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


@dataclass(frozen=True)
class Statement:
    """A statement at the top level: its lines, and the names that it binds, changes and uses.

    `a.b = c` and `a.append(c)` change a and use c.
    """

    text: str
    line: int  # where it begins
    bound: frozenset[str]
    changed: frozenset[str]
    used: frozenset[str]

    @property
    def is_import(self) -> bool:
        return self.text.lstrip().startswith(("import ", "from "))


def python(source: str) -> str:
    """Return a cell as Python: without prompts, and with `pass` for what only IPython reads."""
    return _python(source).strip()


def _python(source: str) -> str:
    """A cell as Python, where every line keeps its number."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    text = re.sub(r"\A\s*\n", "", source)
    lines = re.split(r"(?<=\n)", text)
    for transform in (leading_indent, classic_prompt, ipython_prompt):
        lines = transform(lines)
    skipped = source.count("\n") - text.count("\n")
    lines = [*skipped * [""], *"".join(lines).split("\n")]
    for _ in range(MOST_MAGICS):
        number = _broken_line("\n".join(lines))
        if number is None or not _is_magic(lines[number].strip()):
            break
        indent = lines[number][: len(lines[number]) - len(lines[number].lstrip())]
        while lines[number].endswith("\\") and number + 1 < len(lines):
            lines[number] = ""
            number += 1
        lines[number] = f"{indent}pass"
    return "\n".join(lines)


def syntax_error(source: str) -> str:
    """Say in a sentence where a cell is not Python, and why; "" if it is.

    The text is compiled, not executed.
    """
    text = _python(source)
    skipped = text[: len(text) - len(text.lstrip())].count("\n")
    text = "\n" * skipped + text.strip()
    try:
        with _COMPILING, warnings.catch_warnings():  # which are the student's to see
            warnings.simplefilter("ignore")
            compile(text, "<cell>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return _syntax_sentence(error, text)
    except (ValueError, OverflowError, RecursionError, MemoryError) as error:
        reason = _shown(str(error) or type(error).__name__)
        return "Python cannot read this code: {reason}.".format(reason=reason)
    return ""


def _syntax_sentence(error: SyntaxError, text: str) -> str:
    line, kind = error.lineno or 1, type(error).__name__
    if unknown := UNKNOWN_CHARACTER.search(error.msg):
        letter = chr(int(unknown[1], 16))
        name = unicodedata.name(letter, "without a name")
        if letter.isprintable():
            name = "{letter}, {name}".format(letter=letter, name=name)
        sentence = (
            "{kind} in line {line}: there is a character that Python does not know, U+{code} "
            "({name}). {remedy}"
        )
        return sentence.format(
            kind=kind, line=line, code=unknown[1], name=name, remedy=_remedy(letter)
        )
    sentence = "{kind} in line {line}, at character {column}: {reason}"
    reason = re.sub(r"(?<![.?])$", ".", _shown(error.msg))
    return sentence.format(kind=kind, line=line, column=max(1, error.offset or 1), reason=reason)


def _remedy(letter: str) -> str:
    plain = TYPED.get(letter) or unicodedata.normalize("NFKC", letter)
    if plain.isspace():
        return "Write a plain space in its place."
    if plain.isascii() and plain.isprintable() and plain:
        return "Write {plain} in its place.".format(plain=plain)
    return "Delete it, and type what belongs there."


def _shown(reason: str) -> str:
    """A reason that Python gives, which may hold a name from the code: short, and in print."""
    return "".join(c if c.isprintable() else "?" for c in reason)[:LONGEST_REASON]


def _is_magic(line: str) -> bool:
    return bool(MAGIC.match(line)) or line.endswith("?")


def _broken_line(source: str) -> int | None:
    """The index of the line where a text stops being Python; None if there is none."""
    try:
        ast.parse(source)
    except SyntaxError as error:
        return min((error.lineno or 1) - 1, source.count("\n"))
    except (ValueError, RecursionError, MemoryError):
        return None
    return None


def statements(source: str) -> list[Statement]:
    """Return the statements of a text; none where it is not Python."""
    try:
        nodes = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return []
    lines = source.split("\n")
    read: dict[tuple[int, int], tuple[str, frozenset[str]]] = {}  # several may share their lines
    found = []
    for node in nodes:
        decorators = getattr(node, "decorator_list", [])
        first = min(each.lineno for each in (node, *decorators))
        last = node.end_lineno or first
        if (first, last) not in read:
            text = "\n".join(lines[first - 1 : last])
            read[first, last] = text, _globals(text)
        text, used = read[first, last]
        bound, changed = _bound(node)
        found.append(Statement(text, line=first, bound=bound, changed=changed, used=used))
    return found


def text_of_assignment(source: str) -> str:
    """Return the text that a statement like `name = "text"` assigns; "" for any other."""
    node = ast.parse(source).body[0]
    if isinstance(node, (ast.Assign, ast.AnnAssign)) and isinstance(node.value, ast.Constant):
        return node.value.value if isinstance(node.value.value, str) else ""
    return ""


def _bound(statement: ast.stmt) -> tuple[frozenset[str], frozenset[str]]:
    """The names that a statement binds ("*": a star import), and those whose objects it changes."""
    bound: set[str] = set()
    changed: set[str] = set()
    nodes: list[ast.AST] = [statement]
    while nodes:
        node = nodes.pop()
        if isinstance(node, DEFINITIONS):
            bound.add(node.name)
            changed |= {name for each in node.decorator_list for name in _arguments(each)}
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            bound |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif not isinstance(node, INNER):
            nodes += ast.iter_child_nodes(node)
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                changed |= _changed_by(node.value)
            if isinstance(node, ast.expr) and isinstance(getattr(node, "ctx", None), ast.Store):
                (bound if isinstance(node, ast.Name) else changed).add(_base(node))
    return frozenset(bound - {""}), frozenset(changed - {""})


def _changed_by(call: ast.Call) -> set[str]:
    """The names whose objects a call statement may change: `a.append(1)`, `setattr(a, "b", 1)`."""
    if isinstance(call.func, ast.Name) and call.func.id == "setattr":
        return _arguments(call)
    return {_base(call.func)} if isinstance(call.func, ast.Attribute) else set()


def _arguments(node: ast.expr) -> set[str]:
    """The names among a call's arguments: `@add_to_class(A)` changes A."""
    arguments = node.args if isinstance(node, ast.Call) else []
    return {argument.id for argument in arguments if isinstance(argument, ast.Name)}


def _base(target: ast.expr) -> str:
    """The name of the object whose part is assigned: "a" for `a.b[0]`; "" if it has none."""
    while isinstance(target, (ast.Attribute, ast.Subscript)):
        target = target.value
    return target.id if isinstance(target, ast.Name) else ""


def _globals(text: str) -> frozenset[str]:
    """The names that a text looks up outside its functions: no arguments, no local variables."""
    try:
        tables = [symtable.symtable(text, "<cell>", "exec")]
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return frozenset()
    found = set()
    while tables:
        table = tables.pop()
        for symbol in table.get_symbols():
            if symbol.is_referenced() and (table.get_type() != "function" or symbol.is_global()):
                found.add(symbol.get_name())
        tables += table.get_children()
    return frozenset(found)
