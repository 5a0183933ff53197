"""The verb itself: decide what the text is, and build the explanations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.explain import build
from sparsemem.explain.case import explain_case
from sparsemem.explain.clean import clean, lines_of
from sparsemem.explain.errnos import errno_of
from sparsemem.explain.explanation import Answer, Explanation
from sparsemem.explain.lookup import find_inside, find_name, function_names, nearest
from sparsemem.explain.match import Hit, match_line
from sparsemem.explain.numbers import Frame
from sparsemem.explain.warnings import find_place, known_function

if TYPE_CHECKING:
    from sparsemem.spec.kernel import Kernel

__all__ = ["explain"]

_MAX_LINES, _MAX_ANSWERS = 5000, 50
_FAULT_ID = re.compile(r"[a-z]+(?:-[a-z]+)+")


def explain(text: str, kernel: Kernel | None = None, *, block_size: int | None = None) -> Answer:
    """Explain a topic, an errno, a kernel function, a finding's id, a case ("C01"), or pasted lines of a log or of a tool.

    ``kernel`` adds what holds for that kernel and measures with its sizes; ``block_size`` is the machine's memory block
    size in bytes, where known. Never raises for any text: an answer without explanations holds the nearest topics.
    """
    lines = lines_of(text)[:_MAX_LINES]
    if len(lines) == 1:
        named = _named(lines[0], kernel)
        if named is not None:
            return Answer(query=text, explanations=(named,))
    found, unrecognised = _read(lines, kernel, block_size)
    if not found and len(lines) == 1:
        subject = find_inside(lines[0])
        if subject is not None:
            found, unrecognised = [build.subject(*subject, kernel)], []
    near = () if found else nearest(" ".join(lines[:3]))
    return Answer(query=text, explanations=tuple(found), unrecognised=tuple(unrecognised), nearest=near)


def _named(line: str, kernel: Kernel | None) -> Explanation | None:
    name = errno_of(line)
    if name is not None:
        return build.subject("errno", name, kernel)
    subject = find_name(line)
    if subject is not None:
        return build.subject(*subject, kernel)
    function = line.strip().removesuffix("()").split("+0x")[0]
    if function in function_names():
        return build.function(function, kernel)
    return build.fault(line) if _FAULT_ID.fullmatch(line) else explain_case(line)


def _read(lines: list[str], kernel: Kernel | None, block: int | None) -> tuple[list[Explanation], list[str]]:
    hits: list[Hit | str] = []
    index = 0
    while index < len(lines):
        match, used = _match_wrapped(lines, index)
        hits.append(match or lines[index])
        index += used
    told = next((h.values["block"] for h in hits if isinstance(h, Hit) and h.values.get("block")), None)
    frame = Frame.of(kernel, block or told)
    answers: dict[object, Explanation] = {}
    unrecognised: list[str] = []
    for hit in hits:
        if isinstance(hit, Hit):
            answers.setdefault((hit.message.id, hit.line), build.message(hit, frame, kernel))
        elif (place := find_place(hit)) is not None:
            answers.setdefault((place[0].title, place[1]), build.place(*place, hit, kernel))
        elif (function := known_function(hit)) is not None and len(lines) == 1:
            answers.setdefault(function, build.function(function, kernel))
        else:
            unrecognised.append(hit)
    return list(answers.values())[:_MAX_ANSWERS], unrecognised


def _match_wrapped(lines: list[str], index: int) -> tuple[Hit | None, int]:
    """A line, or a line and its continuation: mail wraps long ones."""
    hit = match_line(lines[index])
    if (hit is None or hit.cut) and index + 1 < len(lines):
        alone = match_line(lines[index + 1])
        joined = match_line(clean(f"{lines[index]} {lines[index + 1]}"))
        if joined is not None and not joined.cut and (alone is None or alone.cut):
            return joined, 2
    return hit, 1
