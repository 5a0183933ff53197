"""``/proc/iomem``: the kernel's resource tree as text.

The kernel indents two blanks a level and stops at its fifth level: what lies deeper is printed as deep as its parent,
so there the ranges decide. A file that people edited or pasted may be indented by tabs, shifted, unsorted or
contradictory: the tree made here is always sorted, disjoint and nested, covers every byte that the file names, and each
repair leaves a note.

Linux kernel v7.2, kernel/resource.c, ``r_show()``: the format and MAX_IORES_LEVEL.
"""

from __future__ import annotations

import heapq
import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.kernel.iomem_text import IomemEntry, tree_from_entries
from sparsemem.machine.description import Note

if TYPE_CHECKING:
    from sparsemem.kernel.ioport import Resource

__all__ = ["IomemText", "is_iomem_line", "looks_like_iomem", "parse_iomem"]

_LINE = re.compile(r"([ \t]*)(?:0[xX])?([0-9a-fA-F]{1,16})-(?:0[xX])?([0-9a-fA-F]{1,16})(?: : ?|\s+:\s+|\s*:\s+)(.*)")
_QUOTED = re.compile(r"(?:[>|] ?)+")
MAX_LINES = 1 << 20
"""Lines read of one file; the kernel's own files have a few thousand."""
MAX_NOTES = 50
MAX_DEPTH = 30
"""Levels kept; the deepest of real machines is below ten."""


@dataclass(frozen=True, slots=True)
class IomemText:
    """What the text says. ``root`` is None when no line was understood or the kernel hid every address (``hidden``)."""

    root: Resource | None
    notes: tuple[Note, ...]
    lines: int
    hidden: bool


class _Node:
    __slots__ = ("children", "end", "indent", "line", "name", "start")

    def __init__(self, start: int, end: int, name: str, indent: int, line: int) -> None:
        self.start = start
        self.end = end
        self.name = name
        self.indent = indent
        self.line = line
        self.children: list[_Node] = []


class _Notes:
    """Collects notes, and after MAX_NOTES of a kind only counts."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.notes: list[Note] = []
        self.more = 0

    def add(self, line: int, what: str) -> None:
        if len(self.notes) < MAX_NOTES:
            self.notes.append(Note(self.source, f"line {line}", what))
        else:
            self.more += 1

    def finish(self) -> tuple[Note, ...]:
        if self.more:
            self.notes.append(Note(self.source, "", f"{self.more} more remarks of this kind are left out"))
        return tuple(self.notes)


def looks_like_iomem(text: str) -> bool:
    """True when one of the first lines with anything on them is a resource line."""
    lines = [line for line in text[:8192].splitlines() if line.strip()][:20]
    return any(_match(line) for line in lines)


def is_iomem_line(line: str) -> bool:
    """True for a resource line."""
    return _match(line) is not None


def _match(line: str) -> re.Match[str] | None:
    match = _LINE.match(line)
    if match is None:
        quoted = _QUOTED.match(line)
        if quoted is not None:
            match = _LINE.match(line[quoted.end() :])
    return match


def parse_iomem(text: str, source: str = "/proc/iomem") -> IomemText:
    """The tree of an iomem text: a root ``Resource`` ("PCI mem", all of memory) with the lines below it.

    ``source`` names the file in notes. Never raises for any text.
    """
    notes = _Notes(source)
    nodes = _nodes(text, notes)
    if nodes and all(node.start == 0 and node.end == 0 for node in nodes):
        return IomemText(None, notes.finish(), len(nodes), True)
    if not nodes:
        return IomemText(None, notes.finish(), 0, False)
    top = _Node(0, (1 << 64) - 1, "PCI mem", -1, 0)
    _nest(top, nodes, notes)
    root = tree_from_entries(_repair(top, notes, len(nodes)))
    return IomemText(root, notes.finish(), len(nodes), False)


def _nodes(text: str, notes: _Notes) -> list[_Node]:
    nodes = []
    match = _LINE.match
    lines = text.split("\n", MAX_LINES)
    if len(lines) > MAX_LINES:
        notes.add(MAX_LINES + 1, f"only the first {MAX_LINES} lines were read")
        lines.pop()
    for number, line in enumerate(lines, 1):
        found = match(line) or (_match(line) if line and not line.isspace() else None)
        if found is None:
            if line and not line.isspace():
                notes.add(number, f"not a resource line, left out: {_shown(line)}")
            continue
        blanks, first, last, name = found.groups()
        start, end = int(first, 16), int(last, 16)
        if end < start:
            notes.add(number, f"ends before it starts, left out: {_shown(line)}")
            continue
        indent = len(blanks) if "\t" not in blanks else len(blanks.expandtabs(8))
        nodes.append(_Node(start, end, name.rstrip(), indent, number))
    return nodes


def _shown(line: str) -> str:
    line = line.strip()
    return repr(line if len(line) <= 80 else line[:77] + "...")


def _nest(top: _Node, nodes: list[_Node], notes: _Notes) -> None:
    stack = [top]
    for node in nodes:
        while node.indent <= stack[-1].indent:
            if node.indent == stack[-1].indent >= 10 and stack[-1].start <= node.start and node.end <= stack[-1].end:
                break  # below the deepest level that the kernel indents
            stack.pop()
        depth = len(stack)
        while not (stack[-1].start <= node.start and node.end <= stack[-1].end):
            stack.pop()
        if len(stack) < depth:
            notes.add(node.line, f"{node.start:#x}-{node.end:#x} is not inside the line it is indented below; moved up")
        stack[-1].children.append(node)
        stack.append(node)


def _repair(top: _Node, notes: _Notes, lines: int) -> list[IomemEntry]:
    """The lines of a well-formed tree in the order of the file; without recursion, since a hostile file may be deep."""
    entries: list[IomemEntry] = []
    budget = 4 * lines + 1000
    stack = [(-1, top)]
    while stack:
        depth, node = stack.pop()
        if depth >= 0:
            entries.append(IomemEntry(depth, node.start, node.end, None if node.name == "<BAD>" else node.name))
        if not node.children:
            continue
        if depth >= MAX_DEPTH or len(entries) + len(stack) > budget:
            for child in node.children:
                notes.add(child.line, f"nested too deep or too often, left out with all below it: {_described(child)}")
            continue
        if len(node.children) > 1:
            node.children = _disjoint(node.children, notes)
        depth += 1
        stack.extend([(depth, child) for child in reversed(node.children)])
    return entries


def _described(node: _Node) -> str:
    return f"{node.start:#x}-{node.end:#x} : {_shown(node.name)}"


def _disjoint(siblings: list[_Node], notes: _Notes) -> list[_Node]:
    """Sorted siblings that share no byte: what lies inside another goes below it, what sticks out is cut."""
    pairs = list(itertools.pairwise(siblings))
    if all(a.end < b.start for a, b in pairs):
        return siblings
    late = next((b for a, b in pairs if b.start < a.start), None)
    if late is not None:
        notes.add(late.line, "starts before the line above it; sorted")
    heap = [(node.start, -node.end, node.line, index, node) for index, node in enumerate(siblings)]
    heapq.heapify(heap)
    result: list[_Node] = []
    serial = len(heap)
    while heap:
        node = heapq.heappop(heap)[-1]
        above = result[-1] if result else None
        if above is None or above.end < node.start:
            result.append(node)
        elif (node.start, node.end, node.name) == (above.start, above.end, above.name):
            notes.add(node.line, f"{_described(node)} repeats line {above.line}; taken once")
            above.children.extend(node.children)
        elif node.end <= above.end:
            notes.add(node.line, f"{_described(node)} lies inside line {above.line}; put below it")
            above.children.append(node)
        else:
            notes.add(
                node.line,
                f"{_described(node)} overlaps line {above.line}; cut at {above.end + 1:#x}: no kernel holds both",
            )
            inside = _Node(node.start, above.end, node.name, node.indent, node.line)
            rest = _Node(above.end + 1, node.end, node.name, node.indent, node.line)
            for child in node.children:
                _share(child, inside, rest)
            above.children.append(inside)
            serial += 1
            heapq.heappush(heap, (rest.start, -rest.end, rest.line, serial, rest))
    return result


def _share(child: _Node, left: _Node, right: _Node) -> None:
    """Put ``child`` below the half it lies in; cut it when it lies in both."""
    work = [(child, left, right)]
    while work:
        node, one, two = work.pop()
        if node.end <= one.end:
            one.children.append(node)
        elif node.start >= two.start:
            two.children.append(node)
        else:
            head = _Node(node.start, one.end, node.name, node.indent, node.line)
            tail = _Node(two.start, node.end, node.name, node.indent, node.line)
            one.children.append(head)
            two.children.append(tail)
            work.extend((below, head, tail) for below in node.children)
