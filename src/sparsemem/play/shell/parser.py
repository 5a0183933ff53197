"""Tokens to commands: the grammar of sh as far as steps need it. What is left out is refused by name."""

from __future__ import annotations

import re
from functools import lru_cache

from sparsemem.errors import InputError, NotModelledError
from sparsemem.play.shell.checks import check_command
from sparsemem.play.shell.lexer import Lexer, Token
from sparsemem.play.shell.syntax import For, Group, If, Joined, Node, Pipe, Redirect, Script, Simple, Text, While, Word

__all__ = ["parse_step"]

_ASSIGN = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_CLOSERS = frozenset(("then", "elif", "else", "fi", "do", "done", "}", "esac"))
_MOST_NESTED = 24


@lru_cache(maxsize=4096)
def parse_step(step: str) -> Script:
    """Understand one step. Raises InputError for what is malformed, NotModelledError for what is not implemented."""
    lexer = Lexer(step, _script)
    script = _script(lexer)
    token = lexer.take()
    if token.kind != "end":
        raise InputError(f"not a shell command: {_shown(token)} is not expected", remedy="check its words and quotes")
    if not script:
        raise InputError("a command is missing", remedy="write one command, or several joined by ;, && or |")
    return script


def _shown(token: Token) -> str:
    return token.text if isinstance(token.text, str) and token.text.strip() else "its end"


def _is(token: Token, word: str) -> bool:
    return token.plain and token.text == word


def _script(lexer: Lexer, depth: int = 0) -> Script:
    """Commands joined by ``;``, newlines, ``&&`` and ``||``, up to what closes them."""
    if depth > _MOST_NESTED:
        raise NotModelledError("commands nested that deeply are not implemented")
    found: list[Joined] = []
    joint = ";"
    while True:
        token = lexer.peek()
        if token.kind == "op" and token.text == "\n":
            lexer.take()
            continue
        if token.kind == "end" or (token.kind == "op" and token.text in (")", ";;")) or _closes(token):
            if joint != ";":
                raise InputError("a command is missing", remedy=f"write one after {joint}")
            return tuple(found)
        if token.kind == "op" and token.text in (";", "&&", "||", "|"):
            raise InputError("a command is missing", remedy=f"write one before {token.text}")
        found.append(Joined(joint, _pipe(lexer, depth)))
        token = lexer.peek()
        joint = ";"
        if token.kind == "op" and token.text in (";", "\n", "&&", "||"):
            lexer.take()
            joint = ";" if token.text in (";", "\n") else str(token.text)
        elif token.kind == "op" and token.text == "&":
            raise NotModelledError("the shell's & is not implemented", remedy="use plain commands, >, ;, && and |")
        elif not (token.kind == "end" or token.text in (")", ";;") or _closes(token)):
            raise InputError(
                f"not a shell command: {_shown(token)} is not expected", remedy="check its words and quotes"
            )


def _closes(token: Token) -> bool:
    return token.plain and isinstance(token.text, str) and token.text in _CLOSERS


def _pipe(lexer: Lexer, depth: int) -> Node:
    negated = False
    while _is(lexer.peek(), "!"):
        lexer.take()
        negated = not negated
    commands = [_command(lexer, depth)]
    while lexer.peek() == Token("op", "|"):
        lexer.take()
        while lexer.peek() == Token("op", "\n"):
            lexer.take()
        commands.append(_command(lexer, depth))
    return commands[0] if len(commands) == 1 and not negated else Pipe(tuple(commands), negated)


def _command(lexer: Lexer, depth: int) -> Node:
    token = lexer.peek()
    if (
        token.kind == "end"
        or (token.kind == "op" and token.text in (";", "|", "&&", "||", "\n", ")"))
        or _closes(token)
    ):
        raise InputError("a command is missing", remedy="write one command, or several joined by ;, && or |")
    if token == Token("op", "("):
        lexer.take()
        body = _body(lexer, depth)
        _expect(lexer, ")")
        return Group(body, True, _redirects(lexer))
    if token.plain and isinstance(token.text, str):
        compound = {"{": _group, "for": _for, "while": _while, "until": _while, "if": _if}.get(token.text)
        if compound is not None:
            lexer.take()
            return compound(lexer, depth, token.text)
        if token.text in ("case", "function", "select", "[["):
            raise NotModelledError(f"the shell's {token.text} is not implemented")
    return _simple(lexer)


def _body(lexer: Lexer, depth: int) -> Script:
    body = _script(lexer, depth + 1)
    if not body:
        raise InputError("a command is missing", remedy="write one inside the brackets or the loop")
    return body


def _expect(lexer: Lexer, word: str) -> None:
    token = lexer.take()
    if token.text != word or not (token.plain or token.kind == "op"):
        raise InputError(
            f"not a shell command: {word} is missing before {_shown(token)}",
            remedy="write: for i in 1 2; do echo $i; done",
        )


def _group(lexer: Lexer, depth: int, word: str) -> Node:
    body = _body(lexer, depth)
    _expect(lexer, "}")
    return Group(body, False, _redirects(lexer))


def _for(lexer: Lexer, depth: int, word: str) -> Node:
    name = lexer.take()
    if not isinstance(name.text, str) or not _NAME.match(name.text):
        raise InputError("not a for loop that is known", remedy="write: for i in 1 2; do echo $i; done")
    _expect(lexer, "in")
    words: list[Word] = []
    while lexer.peek().kind == "word":
        words.append(lexer.take().text)
    if lexer.peek() not in (Token("op", ";"), Token("op", "\n")):
        raise InputError("for without its ; do or done", remedy="write: for i in 1 2; do echo $i; done")
    lexer.take()
    return For(name.text, tuple(words), _do(lexer, depth), _redirects(lexer))


def _do(lexer: Lexer, depth: int) -> Script:
    while lexer.peek() == Token("op", "\n"):
        lexer.take()
    _expect(lexer, "do")
    body = _body(lexer, depth)
    _expect(lexer, "done")
    return body


def _while(lexer: Lexer, depth: int, word: str) -> Node:
    condition = _body(lexer, depth)
    return While(condition, _do(lexer, depth), word == "until", _redirects(lexer))


def _if(lexer: Lexer, depth: int, word: str) -> Node:
    clauses: list[tuple[Script, Script]] = []
    otherwise: Script | None = None
    while True:
        condition = _body(lexer, depth)
        _expect(lexer, "then")
        clauses.append((condition, _body(lexer, depth)))
        token = lexer.take()
        if _is(token, "elif"):
            continue
        if _is(token, "else"):
            otherwise = _body(lexer, depth)
            token = lexer.take()
        if not _is(token, "fi"):
            raise InputError("not a shell command: if without its fi", remedy="write: if true; then echo yes; fi")
        return If(tuple(clauses), otherwise, _redirects(lexer))


def _redirect(lexer: Lexer) -> Redirect | None:
    """The redirect that comes next, or None."""
    token = lexer.peek()
    fd: int | None = None
    if token.kind == "io":
        lexer.take()
        fd, token = int(str(token.text)), lexer.peek()
    if token.kind != "op" or token.text not in (">", ">>", "<", ">&", "<&", "<<"):
        return None
    op = str(lexer.take().text)
    if op in ("<&", "<<"):
        raise NotModelledError(f"the shell's {op} is not implemented", remedy="use plain commands, >, ;, && and |")
    fd = fd if fd is not None else 0 if op == "<" else 1
    target = lexer.take()
    if target.kind != "word" or fd not in (0, 1, 2) or (fd == 0) != (op == "<"):
        if target.kind == "word":
            raise NotModelledError(f"the shell's {fd}{op} is not implemented")
        raise InputError(f"{op} needs one file name", remedy="write one after it")
    if op == ">&" and target.text not in ("1", "2"):
        raise NotModelledError("the shell's >& is for 1 and 2 here", remedy="write > FILE 2>&1")
    return Redirect(fd, op, target.text)


def _redirects(lexer: Lexer) -> tuple[Redirect, ...]:
    found: list[Redirect] = []
    while (each := _redirect(lexer)) is not None:
        found.append(each)
    return tuple(found)


def _simple(lexer: Lexer) -> Node:
    words: list[Word] = []
    assigns: list[tuple[str, Word]] = []
    redirects: list[Redirect] = []
    while True:
        redirect = _redirect(lexer)
        if redirect is not None:
            redirects.append(redirect)
            continue
        token = lexer.peek()
        if token.kind != "word":
            break
        lexer.take()
        if not words and (pair := _assignment(token.text)) is not None:
            assigns.append(pair)
        else:
            words.append(token.text)
    if lexer.peek() == Token("op", "(") and len(words) == 1:
        raise NotModelledError("shell functions are not implemented")
    if assigns and words:
        raise NotModelledError(
            "a variable for one command is not implemented", remedy="write it as a command: X=1; ..."
        )
    operation = check_command(words) if words else None
    return Simple(tuple(words), tuple(assigns), tuple(redirects), operation)


def _assignment(word: Word) -> tuple[str, Word] | None:
    first = word if isinstance(word, str) else word[0].text if type(word[0]) is Text and not word[0].quoted else ""
    found = _ASSIGN.match(first)
    if found is None:
        return None
    rest = first[found.end() :]
    if isinstance(word, str):
        return found[1], rest
    return found[1], ((Text(rest, False),) if rest else ()) + word[1:]
