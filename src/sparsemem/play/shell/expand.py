"""Words to arguments: variables, substitutions, arithmetic, field splitting and globs, in the order of POSIX."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Protocol

from sparsemem.errors import NotModelledError
from sparsemem.play.shell.syntax import Arithmetic, Substitution, Text, Variable, Word

if TYPE_CHECKING:
    from sparsemem.play.files import Files
    from sparsemem.play.shell.syntax import Part, Script

__all__ = ["Environment", "ShellError", "expand_field", "expand_words"]

_PATTERN = re.compile(r"[*?]|\[[^\[]")
_NUMBER = re.compile(r"\s*(?:(\d+|0[xX][0-9a-fA-F]+)|([A-Za-z_]\w*)|([-+*/%()<>=!&|^~?:]+))")
_ARITHMETIC = re.compile(r"[-+*/%()<>=!&|^~\w\s]*\Z")


class ShellError(Exception):
    """The shell ends: its words, without the ``sh: `` before them, and its exit code."""

    def __init__(self, words: str, code: int = 2) -> None:
        super().__init__(words)
        self.words = words
        self.code = code


class Environment(Protocol):
    """What expanding needs of the shell that runs."""

    variables: dict[str, str]
    files: Files
    cwd: str
    code: int

    def capture(self, script: Script) -> str:
        """The output of a script, run in a shell of its own."""


def expand_words(words: tuple[Word, ...], sh: Environment) -> list[str]:
    """The arguments that these words become: none, one or more each."""
    found: list[str] = []
    for word in words:
        if isinstance(word, str):
            found.append(word)
        else:
            found += _fields(word, sh)
    return found


def expand_field(word: Word, sh: Environment) -> str:
    """One text, neither split nor globbed: what an assignment or a redirect takes."""
    if isinstance(word, str):
        return word
    return "".join(part.text if isinstance(part, Text) else _value(part, sh) for part in word)


def _fields(parts: tuple[Part, ...], sh: Environment) -> list[str]:
    fields: list[list[tuple[str, bool]]] = []
    now: list[tuple[str, bool]] | None = None
    for part in parts:
        if type(part) is Text:
            now = [] if now is None else now
            now.append((part.text, part.quoted))
            continue
        text = _value(part, sh)
        if part.quoted:
            now = [] if now is None else now
            now.append((text, True))
            continue
        if text[:1].isspace() and now is not None:
            fields.append(now)
            now = None
        pieces = text.split()
        for index, piece in enumerate(pieces):
            if index:
                assert now is not None
                fields.append(now)
                now = None
            now = [] if now is None else now
            now.append((piece, False))
        if text[-1:].isspace() and now is not None and pieces:
            fields.append(now)
            now = None
    if now is not None:
        fields.append(now)
    found: list[str] = []
    for field in fields:
        found += _globbed(field, sh)
    return found


def _globbed(field: list[tuple[str, bool]], sh: Environment) -> list[str]:
    plain = "".join(text for text, _ in field)
    if not any(_PATTERN.search(text) for text, quoted in field if not quoted):
        return [plain]
    pattern = "".join(re.sub(r"([*?\[])", r"[\1]", text) if quoted else text for text, quoted in field)
    return _glob(pattern, sh) or [plain]


def _glob(pattern: str, sh: Environment) -> list[str]:
    """Paths that match, sorted by bytes in each directory."""
    absolute = pattern.startswith("/")
    found = [""]
    parts = [part for part in pattern.split("/") if part]
    for index, part in enumerate(parts):
        last = index + 1 == len(parts) and not pattern.endswith("/")
        longer: list[str] = []
        for base in found:
            start = f"{base}/" if base or absolute else ""
            directory = sh.files.normal(start or ".", sh.cwd)
            if not _PATTERN.search(part):
                path = start + part
                if sh.files.exists(sh.files.normal(path, sh.cwd)):
                    longer.append(path)
                continue
            if not sh.files.is_directory(directory):
                continue
            match = re.compile(fnmatch.translate(part)).match
            for name in sorted(sh.files.listdir(directory)):
                if match(name) and (part[0] == "." or name[0] != "."):
                    path = start + name
                    if last or sh.files.is_directory(sh.files.normal(path, sh.cwd)):
                        longer.append(path)
        found = longer
    return [f"{path}/" for path in found] if pattern.endswith("/") else found


def _value(part: Part, sh: Environment) -> str:
    if type(part) is Substitution:
        return sh.capture(part.script).rstrip("\n")
    if type(part) is Arithmetic:
        return str(_arithmetic(expand_field(part.text, sh), sh.variables))
    assert type(part) is Variable
    return _variable(part, sh)


def _variable(part: Variable, sh: Environment) -> str:
    name, op = part.name, part.op
    known: str | None
    if name == "?":
        known = str(sh.code)
    elif name == "#":
        known = "0"
    elif name in ("@", "*"):
        known = None
    elif name == "0":
        known = "sh"
    else:
        known = sh.variables.get(name)
    value = known or ""
    if op == "":
        return value
    if op == "length":
        return str(len(value))
    if op[0] == ":" or op in "-+=?":
        unset = not value if op[0] == ":" else known is None
        return _default(part, op[-1], value, unset, sh)
    pattern = expand_field(part.arg, sh)
    return _trimmed(value, pattern, op)


def _default(part: Variable, op: str, value: str, unset: bool, sh: Environment) -> str:
    if op == "+":
        return "" if unset else expand_field(part.arg, sh)
    if not unset:
        return value
    word = expand_field(part.arg, sh)
    if op == "=":
        sh.variables[part.name] = word
    if op == "?":
        raise ShellError(f"{part.name}: {word or 'parameter not set'}")
    return word


def _trimmed(value: str, pattern: str, op: str) -> str:
    match = re.compile(fnmatch.translate(pattern)).match
    ends = range(len(value) + 1)
    if op[0] == "#":
        cuts = [end for end in (ends if op == "#" else reversed(ends)) if match(value[:end])]
        return value[cuts[0] :] if cuts else value
    cuts = [start for start in (reversed(ends) if op == "%" else ends) if match(value[start:])]
    return value[: cuts[0]] if cuts else value


def _arithmetic(text: str, variables: dict[str, str]) -> int:
    """Whole numbers with C's operators, without assignment. Raises NotModelledError for anything else."""
    if not _ARITHMETIC.match(text) or re.search(r"(?<![<>=!])=(?!=)|\+\+|--|\*\*|//", text):
        raise NotModelledError(
            f"$(({text})) is not implemented", remedy="use numbers, variables, + - * / % and brackets"
        )
    names = re.sub(r"\b[A-Za-z_]\w*\b", lambda found: f"({variables.get(found[0]) or 0})", text)
    names = re.sub(r"\b0+(?=[0-9])", "", names)
    source = names.replace("/", "//").replace("&&", " and ").replace("||", " or ")
    source = re.sub(r"!(?!=)", " not ", source)
    if len(source) > 200 or "**" in source or "<<" in source:
        raise NotModelledError(f"$(({text})) is not implemented")
    try:
        return int(eval(source or "0", {"__builtins__": {}}))  # noqa: S307  (nothing but numbers and operators is left)
    except ZeroDivisionError:
        raise ShellError("divide by zero") from None
    except (SyntaxError, NameError, TypeError, ValueError, MemoryError, RecursionError):
        raise ShellError("arithmetic syntax error") from None
