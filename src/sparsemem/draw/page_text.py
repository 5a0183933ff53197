"""What a page says around its picture, as values: a plan, what an upgrade changes, a diff. The caller has the words; this paints them.

Everything is plain HTML, there without a script; the script adds the buttons that copy commands (``static/copy.js``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.draw.html_tables import command, table, text

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Commands", "Line", "PageText", "Section", "Sentence", "Table", "sections", "sentence"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A paragraph. ``severity``: a key of ``marks.MARKS`` to say it so. After it ``code``, words as a tool or the kernel says them, or
    ``command``, words as they are typed, to be copied."""

    text: str
    severity: str = ""
    code: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Line:
    """A shell command, ``text`` as it is typed; ``why`` and ``warning`` are sentences, or empty."""

    text: str
    why: str = ""
    warning: str = ""


@dataclass(frozen=True, slots=True)
class Commands:
    """Commands in order, to be copied one by one or all at once. None is left out, however many there are."""

    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """``numbers``: the columns that are aligned to the right."""

    head: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Section:
    """A heading (none where it is empty), and what is below it."""

    name: str
    parts: tuple[Sentence | Commands | Table, ...]


@dataclass(frozen=True, slots=True)
class PageText:
    """``noun``: what a mark of the picture is called, in the singular ("finding", "change"). ``lead`` is the answer in a few sentences,
    the first to be read; ``above`` and ``below`` are above and below the picture."""

    title: str
    noun: str = "finding"
    lead: tuple[Sentence, ...] = ()
    above: tuple[Section, ...] = ()
    below: tuple[Section, ...] = ()


def _commands(commands: Commands) -> str:
    items = []
    for line in commands.lines:
        why = f"<p>{text(line.why)}</p>" if line.why else ""
        warning = f'<p class="destroyed">{text(line.warning)}</p>' if line.warning else ""
        items.append(f'<li>{why}<div class="command">{command(line.text)}</div>{warning}</li>')
    return '<ol class="commands">\n' + "\n".join(items) + "\n</ol>\n"


def sentence(each: Sentence) -> str:
    """A sentence as markup."""
    said = text(each.text)
    if each.severity:
        said = f'<span class="{each.severity}">{said}</span>'
    code = f"<code>{text(each.code)}</code>" if each.code else command(each.command) if each.command else ""
    return f"<p>{' '.join(part for part in (said, code) if part)}</p>\n"


def _part(part: Sentence | Commands | Table, limit: int) -> str:
    if isinstance(part, Sentence):
        return sentence(part)
    if isinstance(part, Commands):
        return _commands(part)
    more = len(part.rows) - limit
    rest = f"<p>{more:,} more rows are not shown.</p>\n" if more > 0 else ""
    return table(part.head, part.rows[:limit], part.numbers) + rest


def sections(of: Sequence[Section], limit: int) -> str:
    """The sections as markup; ``limit`` rows of each table at most, the rest is counted."""
    found = []
    for section in of:
        head = f"<h2>{text(section.name)}</h2>\n" if section.name else ""
        label = f' aria-label="{text(section.name)}"' if section.name else ""
        body = "".join(_part(part, limit) for part in section.parts)
        found.append(f'<section class="told"{label}>\n{head}{body}</section>\n')
    return "".join(found)
