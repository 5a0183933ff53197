"""Characters to tokens, as POSIX sh quotes them. Substitutions are parsed where they stand."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import InputError, NotModelledError
from sparsemem.play.shell.syntax import Arithmetic, Part, Script, Substitution, Text, Variable, Word

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Lexer", "Token"]

_PLAIN = re.compile(r"[A-Za-z0-9_./:,=+@%^{}!\]-]+")
_OPERATOR = re.compile(r"&&|\|\||>>|>&|<&|<<|;;|[;&|<>()\n]")
_BLANK = re.compile(r"(?:[ \t\r]|\\\n)+")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IN_QUOTES = re.compile(r'[^"\\$`]+')
_BRACED = re.compile(r"\$\{(#?)([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[?#@*$!-])(:?[-+=?]|##?|%%?)?")
_MOST_NESTED = 24
_GLOB = re.compile(r"[*?]|\[[^\[]")


class Token(NamedTuple):
    """``kind``: "word", "op", "io" (the number before a redirect) or "end". ``plain``: a word without any quoting."""

    kind: str
    text: Word
    plain: bool = False


class Lexer:
    """Tokens of a text, one at a time; ``peek`` looks without taking."""

    def __init__(self, text: str, parse: Callable[[Lexer], Script], at: int = 0, depth: int = 0) -> None:
        if depth > _MOST_NESTED:
            raise NotModelledError("commands nested that deeply are not implemented")
        self.text = text
        self.at = at
        self.depth = depth
        self._parse = parse
        self._next: Token | None = None

    def peek(self) -> Token:
        if self._next is None:
            self._next = self._read()
        return self._next

    def take(self) -> Token:
        token = self.peek()
        self._next = None
        return token

    def _read(self) -> Token:
        text, at = self.text, self.at
        if found := _BLANK.match(text, at):
            at = found.end()
        if at < len(text) and text[at] == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        self.at = at
        if at >= len(text):
            return Token("end", "")
        if found := _OPERATOR.match(text, at):
            self.at = found.end()
            return Token("op", found[0])
        if found := _PLAIN.match(text, at):
            after = text[found.end() : found.end() + 1]
            if after == "" or after in " \t;|&<>()\n":
                self.at = found.end()
                if after and after in "<>" and found[0].isdecimal():
                    return Token("io", found[0])
                return Token("word", found[0], True)
        return self._word()

    def _word(self) -> Token:
        parts: list[Part] = []
        text, plain = self.text, True
        while self.at < len(text):
            char = text[self.at]
            if char in " \t\r;|&<>()\n":
                break
            if char == "'":
                end = text.find("'", self.at + 1)
                if end < 0:
                    raise InputError("not a shell command: a quotation has no end", remedy="check its quotes")
                parts.append(Text(text[self.at + 1 : end], True))
                self.at, plain = end + 1, False
            elif char == '"':
                self._double(parts)
                plain = False
            elif char == "\\":
                if self.at + 1 == len(text):
                    raise InputError("not a shell command: it ends in a backslash", remedy="check its quotes")
                if text[self.at + 1] != "\n":
                    parts.append(Text(text[self.at + 1], True))
                self.at, plain = self.at + 2, False
            elif char in "$`":
                parts.append(self._dollar(quoted=False))
                plain = False
            elif char == "~" and not parts:
                raise NotModelledError("the shell's ~ is not implemented", remedy="write the directory")
            else:
                found = _PLAIN.match(text, self.at)
                end = found.end() if found else self.at + 1
                parts.append(Text(text[self.at : end], False))
                self.at = end
        return Token("word", _simplified(parts), plain)

    def _double(self, parts: list[Part]) -> None:
        text = self.text
        self.at += 1
        parts.append(Text("", True))
        while True:
            if self.at >= len(text):
                raise InputError("not a shell command: a quotation has no end", remedy="check its quotes")
            char = text[self.at]
            if char == '"':
                self.at += 1
                return
            if char == "\\":
                after = text[self.at + 1 : self.at + 2]
                if after != "\n":
                    parts.append(Text(after if after and after in '$`"\\' else "\\" + after, True))
                self.at += 2
            elif char in "$`":
                parts.append(self._dollar(quoted=True))
            else:
                found = _IN_QUOTES.match(text, self.at)
                assert found is not None
                parts.append(Text(found[0], True))
                self.at = found.end()

    def _dollar(self, *, quoted: bool) -> Part:
        text, at = self.text, self.at
        if text[at] == "`":
            return self._backquoted(quoted)
        if text.startswith("$((", at):
            end = text.find("))", at)
            if end < 0:
                raise InputError("not a shell command: $(( without ))", remedy="write $((1 + 2))")
            self.at = end + 2
            return Arithmetic(self._inner(text[at + 3 : end]), quoted)
        if text.startswith("$(", at):
            inner = Lexer(text, self._parse, at + 2, self.depth + 1)
            script = self._parse(inner)
            if inner.take() != Token("op", ")"):
                raise InputError("not a shell command: $( without )", remedy="close it")
            self.at = inner.at
            return Substitution(script, quoted)
        if text.startswith("${", at):
            return self._braced(quoted)
        if found := _NAME.match(text, at + 1):
            self.at = found.end()
            return Variable(found[0], quoted)
        special = text[at + 1 : at + 2]
        if special and special in "?#@*0123456789":
            self.at = at + 2
            return Variable(special, quoted)
        if special and special in "$!-'\"":
            if special == '"' and quoted:
                self.at = at + 1
                return Text("$", True)
            raise NotModelledError(f"the shell's ${special} is not implemented")
        self.at = at + 1
        return Text("$", quoted)

    def _backquoted(self, quoted: bool) -> Part:
        end = self.text.find("`", self.at + 1)
        if end < 0:
            raise InputError("not a shell command: ` without an end", remedy="write $(...)")
        body = self.text[self.at + 1 : end]
        if "\\" in body:
            raise NotModelledError("a backslash inside `...` is not implemented", remedy="write $(...)")
        inner = Lexer(body, self._parse, 0, self.depth + 1)
        script = self._parse(inner)
        if inner.take().kind != "end":
            raise InputError("not a shell command: what is inside `...`", remedy="write $(...)")
        self.at = end + 1
        return Substitution(script, quoted)

    def _braced(self, quoted: bool) -> Part:
        text = self.text
        found = _BRACED.match(text, self.at)
        if found is None or (found[1] and found[3]):
            raise NotModelledError("that form of ${...} is not implemented", why=text[self.at : self.at + 20])
        depth, end = 1, found.end()
        while end < len(text) and depth:
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        if depth:
            raise InputError("not a shell command: ${ without }", remedy="close it")
        arg = text[found.end() : end - 1]
        self.at = end
        if found[1]:
            return Variable(found[2], quoted, "length")
        if arg and not found[3]:
            raise NotModelledError("that form of ${...} is not implemented", why=found[0] + arg)
        return Variable(found[2], quoted, found[3] or "", self._inner(arg))

    def _inner(self, text: str) -> Word:
        """A text inside a word, with its own quotes and variables but with blanks of its own."""
        parts: list[Part] = []
        inner = Lexer(text, self._parse, 0, self.depth + 1)
        while inner.at < len(text):
            token = inner._word()
            parts += [Text(token.text, True)] if isinstance(token.text, str) else token.text
            if inner.at < len(text) and text[inner.at] in " \t\r;|&<>()\n":
                parts.append(Text(text[inner.at], False))
                inner.at += 1
        return _simplified(parts)


def _simplified(parts: list[Part]) -> Word:
    """Neighbours of one kind become one; a word with nothing to expand becomes its string."""
    joined: list[Part] = []
    for part in parts:
        last = joined[-1] if joined else None
        if type(part) is Text and type(last) is Text and part.quoted == last.quoted:
            joined[-1] = Text(last.text + part.text, part.quoted)
        else:
            joined.append(part)
    if all(type(part) is Text and (part.quoted or not _GLOB.search(part.text)) for part in joined):
        return "".join(part.text for part in joined if type(part) is Text)
    return tuple(joined)
