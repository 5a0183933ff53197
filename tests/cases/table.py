"""The table of cases: cases.toml read, each row put to the test. ``check(row)`` raises Failed, or returns what is worth telling."""

from __future__ import annotations

import ast
import operator
import shlex
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparsemem.play.shell import parse_step
from sparsemem.units import GIB, MIB, format_size
from tests.cases.running import Change, Subject, start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from sparsemem.doctor import Diagnosis, Finding, Remedy

__all__ = ["Cure", "FailedError", "Outcome", "Row", "arithmetic", "check", "load"]

_FILE = Path(__file__).parent / "cases.toml"


class FailedError(Exception):
    """The doctor does not say what the row says, or the remedy does not help."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """One way to take the finding away; cases.toml says what the fields mean."""

    remedy: str = ""
    kernel: str = ""
    change: tuple[Change, ...] = ()
    says: str = ""
    then: tuple[str, ...] = ()
    under: str = ""
    leaves: tuple[str, ...] = ()
    stays: str = ""
    now: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case; cases.toml says what the fields mean."""

    id: str
    who: str
    machine: str
    finding: str
    lost: str
    quoted: tuple[str, ...]
    cure: tuple[Cure, ...]
    kernel: str | None = None
    devices: tuple[str, ...] = ()
    reported: bool = True
    printed: bool = True
    counted: str = "finding"


@dataclass
class Outcome:
    """What a row came to: the findings, the bytes, and a line for each cure."""

    findings: tuple[Finding, ...]
    lost: int
    remedies: list[str] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)


def load() -> tuple[list[Row], dict[str, str]]:
    """The rows, and the cases that cannot be done with their reasons."""
    document = tomllib.loads(_FILE.read_text())
    return [_row(each) for each in document["case"]], document["not_done"]


def _row(table: dict[str, Any]) -> Row:
    cures = tuple(
        Cure(**{key: _tuples(value) if isinstance(value, list) else value for key, value in each.items()})
        for each in table["cure"]
    )
    rest = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items() if key != "cure"}
    return Row(cure=cures, **rest)


def _tuples(value: list[Any]) -> tuple[Any, ...]:
    return tuple(tuple(each) if isinstance(each, list) else each for each in value)


_BINARY: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.FloorDiv: operator.floordiv, ast.Mod: operator.mod,
}  # fmt: skip


def arithmetic(text: str) -> int:
    """Bytes: whole numbers, MIB and GIB, with ``+ - * // %`` and brackets."""

    def value(node: ast.expr) -> int:
        match node:
            case ast.Constant(value=int(number)):
                return number
            case ast.Name(id=name):
                return {"MIB": MIB, "GIB": GIB}[name]
            case ast.UnaryOp(op=ast.USub(), operand=inner):
                return -value(inner)
            case ast.BinOp(left=left, op=op, right=right):
                return _BINARY[type(op)](value(left), value(right))
        raise ValueError(f"not arithmetic: {ast.unparse(node)}")

    return value(ast.parse(text, mode="eval").body)


def _require(held: object, what: str) -> None:
    if not held:
        raise FailedError(what)


def _found(row: Row, diagnosis: Diagnosis) -> tuple[Finding, ...]:
    return tuple(
        each
        for each in diagnosis.findings
        if each.id == row.finding and (not row.devices or each.devices == row.devices)
    )


def _counted(row: Row, subject: Subject, findings: tuple[Finding, ...], lost: int) -> bool:
    """Does the doctor have those bytes, where the row says?"""
    words = row.counted.split()
    if words[0] == "finding":
        return sum(each.capacity or 0 for each in findings) == lost
    if words[0] == "balance":
        balance = next(each for each in subject.diagnosis.balances if each.name == words[1])
        return (balance.lost if words[2] == "lost" else balance.share(words[2])) == lost
    said = " ".join(word for each in findings for word in (each.what, *each.kernel_says))
    return any(text in said for text in (f"{lost:#x}", f"{lost} ", format_size(lost)))


def _steps(findings: Iterable[Finding], words: str) -> Remedy:
    for each in findings:
        for remedy in each.remedies:
            if words in remedy.why:
                return remedy
    raise FailedError(f"no remedy says {words!r}")


def _after(row: Row, cure: Cure, before: Diagnosis, after: Diagnosis) -> None:
    """The finding is not there any more, or stays as the row says; and no trouble came in its place but what the row says."""
    left = _found(row, after)
    if cure.stays:
        _require(any(cure.now in each.what for each in left), f"{cure.now!r} is not what it says: {left}")
    else:
        _require(not left, f"{row.finding} is still there")
    known = {each.id for each in before.findings}
    new = {each.id for each in after.findings if each.severity != "notice"} - known
    _require(new == set(cure.leaves), f"instead there is now {sorted(new)}")


def check(row: Row) -> Outcome:
    """Put the row to the test. Raises FailedError."""
    subject = start(row.machine, row.kernel)
    findings = _found(row, subject.diagnosis)
    _require(findings, f"no {row.finding}: {[(each.id, each.devices) for each in subject.diagnosis.findings]}")
    says = [line for each in findings for line in each.kernel_says]
    for words in row.quoted:
        _require(any(words in line for line in says), f"{words!r} is not in {says}")
        if row.printed and subject.description is None:
            _require(any(words in line for line in subject.said), f"the model does not print {words!r}")
    lost = arithmetic(row.lost)
    _require(_counted(row, subject, findings, lost), f"{lost} bytes are not what the doctor counts: {findings}")
    outcome = Outcome(findings, lost)
    for cure in row.cure:
        _cure(row, cure, findings, outcome)
    return outcome


def _cure(row: Row, cure: Cure, findings: tuple[Finding, ...], outcome: Outcome) -> None:
    subject = start(row.machine, row.kernel)
    before = subject.diagnosis
    if cure.says:
        outcome.remedies.append(_text(_steps(findings, cure.says)))
    if cure.remedy:
        remedy = _steps(findings, cure.remedy)
        steps = remedy.steps or (remedy.argv,)
        for answer in subject.cure(steps):
            _require(answer.exit_code == 0, f"{answer.command}: {answer.stdout}")
        _after(row, cure, before, subject.diagnosis)
        for text in cure.then:
            answer = subject.player.step(text, parse_step(text))
            _require(answer.exit_code == 0, f"then {text}: {answer.stdout}")
        if cure.under:
            after = subject.under(cure.under)
            _require(after.exit_code == 0, f"under {cure.under}: {[each.what for each in after.findings]}")
        outcome.remedies.append(_text(remedy))
        commands = ", ".join(f"`{shlex.join(step)}`" for step in steps)
        more = "".join(f", then `{text}` works" for text in cure.then)
        booted = f", then {cure.under} finds nothing" if cure.under else ""
        outcome.verified.append(f"played: {commands}{more}{booted}{_left(cure)}")
        return
    changed = start(row.machine, cure.kernel or row.kernel, cure.change)
    _require(changed.works, f"does not work: {[(each.command, each.stdout) for each in changed.steps]}")
    _after(row, cure, before, changed.diagnosis)
    again = ", and all that was typed works" if changed.steps else ""
    parts = [f"on {cure.kernel}"] if cure.kernel else []
    parts += [f"with `{new.strip()}` for `{old.strip()}`" for old, new in cure.change]
    outcome.verified.append(f"{', '.join(parts)}{again}{_left(cure)}")


def _text(remedy: Remedy) -> str:
    return " ".join((remedy.why, ", ".join(f"`{each}`" for each in remedy.commands))).rstrip()


def _left(cure: Cure) -> str:
    if cure.stays:
        return f" (it stays: {cure.stays})"
    return f" (found then: {', '.join(cure.leaves)})" if cure.leaves else ""
