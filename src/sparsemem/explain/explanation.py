"""What ``explain`` answers: plain data that prints itself as text or JSON. Colour is the caller's business."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.explain.numbers import Number
    from sparsemem.explain.records import Step
    from sparsemem.spec.rules import Rule

__all__ = ["Answer", "Explanation"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One subject explained. ``kind``: message, topic, finding, rule, function, errno, warning, case.

    ``line`` is the pasted line without its noise, ``words`` the form of the message that was recognised and the kernels
    that print it. ``verdict`` speaks about the kernel that was asked for, when one was.
    """

    id: str
    kind: str
    title: str
    what: str
    line: str | None = None
    words: str | None = None
    device: str | None = None
    numbers: tuple[Number, ...] = ()
    basis: str | None = None
    rules: tuple[Rule, ...] = ()
    functions: tuple[str, ...] = ()
    file: str | None = None
    errno: str | None = None
    kernels: tuple[str, ...] = ()
    verdict: str | None = None
    steps: tuple[Step, ...] = ()
    sources: tuple[str, ...] = ()
    see: tuple[str, ...] = ()

    def text(self, width: int = 80) -> str:
        """Plain text, at most ``width`` columns where the words allow it."""
        return "\n".join(line.rstrip() for line in self._lines(max(width, 40)))

    def _lines(self, width: int) -> Iterator[str]:
        yield from textwrap.wrap(f"{self.id}: {self.title}", width, subsequent_indent="  ")
        if self.line:
            yield from _indented(self.line, width, "  | ")
        yield from _block("What it means", self.what, width)
        if self.numbers:
            yield from ("", *textwrap.wrap(f"In numbers ({self.basis})" if self.basis else "In numbers", width))
            pad = max(len(n.label) for n in self.numbers) + 4
            for n in self.numbers:
                yield from textwrap.wrap(
                    n.text, width, initial_indent=f"  {n.label}".ljust(pad), subsequent_indent=" " * pad, **_KEEP
                )
        for r in self.rules:
            yield from _block(f"Rule {r.id} ({r.kernels}): {r.title}", r.text, width)
        yield from self._facts(width)
        if self.steps:
            yield from ("", "What to do")
        for number, step in enumerate(self.steps, 1):
            yield from textwrap.wrap(step.why, width, initial_indent=f"  {number}. ", subsequent_indent="     ")
            if step.argv:
                yield f"       $ {step.command}"
        if self.sources:
            yield from ("", "Sources")
        for source in self.sources:
            yield from textwrap.wrap(source, width, initial_indent="  ", subsequent_indent="    ", **_KEEP)
        if self.see:
            yield from ("", *textwrap.wrap("See also: " + ", ".join(self.see), width, subsequent_indent="  "))

    def _facts(self, width: int) -> Iterator[str]:
        answer = self.errno or ""
        if self.functions:
            place = ", ".join(f"{name}()" if name.isidentifier() else name for name in self.functions)
            answer = f"{answer} from {place}" if answer else f"comes from {place}"
        if answer and self.file:
            answer += f" in {self.file}"
        rows = [("Answer", answer)] if answer else []
        rows += [("Wording", self.words)] if self.words else []
        rows += [("Kernels", text) for text in self.kernels]
        rows += [("Asked", self.verdict)] if self.verdict else []
        if rows:
            yield ""
        for label, text in rows:
            yield from textwrap.wrap(text, width, initial_indent=label.ljust(10), subsequent_indent=" " * 10, **_KEEP)

    def to_json(self) -> dict[str, Any]:
        """Plain types only; every field is always there."""
        return {
            "id": self.id,
            "kind": self.kind,
            "title": self.title,
            "what": self.what,
            "line": self.line,
            "wording": self.words,
            "device": self.device,
            "numbers": [{"label": n.label, "text": n.text, "value": n.value} for n in self.numbers],
            "basis": self.basis,
            "rules": [
                {
                    "id": r.id,
                    "title": r.title,
                    "text": r.text,
                    "since": r.since,
                    "until": r.until,
                    "functions": list(r.functions),
                    "source": r.source,
                }
                for r in self.rules
            ],
            "functions": list(self.functions),
            "file": self.file,
            "errno": self.errno,
            "kernels": list(self.kernels),
            "verdict": self.verdict,
            "steps": [{"why": s.why, "argv": list(s.argv)} for s in self.steps],
            "sources": list(self.sources),
            "see": list(self.see),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything ``explain`` has to say about a text. Without explanations, ``nearest`` holds topics to try."""

    query: str
    explanations: tuple[Explanation, ...]
    unrecognised: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()

    @property
    def matched(self) -> bool:
        """Whether anything was recognised; ``sparsemem explain`` exits 1 where nothing was."""
        return bool(self.explanations)

    def text(self, width: int = 80) -> str:
        """Plain text of every explanation, one below the other."""
        parts = [e.text(width) for e in self.explanations]
        if not parts:
            hint = (
                f"nearest topics: {', '.join(self.nearest)}"
                if self.nearest
                else "try a topic, a line of dmesg, or an errno"
            )
            parts.append(
                f"I do not know this text. The {hint}." if self.nearest else f"I do not know this text; {hint}."
            )
            parts[0] = textwrap.fill(parts[0], max(width, 40))
        if self.explanations and self.unrecognised:
            count = len(self.unrecognised)
            parts.append(f"({count} other line{'s' if count > 1 else ''} not recognised)")
        return "\n\n".join(parts)

    def to_json(self) -> dict[str, Any]:
        """Plain types only."""
        return {
            "query": self.query,
            "matched": self.matched,
            "explanations": [e.to_json() for e in self.explanations],
            "unrecognised": list(self.unrecognised),
            "nearest": list(self.nearest),
        }


_KEEP: dict[str, Any] = {"break_long_words": False, "break_on_hyphens": False}


def _indented(text: str, width: int, indent: str) -> list[str]:
    return textwrap.wrap(text, width, initial_indent=indent, subsequent_indent=indent, **_KEEP)


def _block(head: str, text: str, width: int) -> Iterator[str]:
    yield from ("", *textwrap.wrap(head, width, subsequent_indent="  ", **_KEEP))
    for paragraph in text.split("\n"):
        yield from textwrap.wrap(paragraph, width, initial_indent="  ", subsequent_indent="  ", **_KEEP) or [""]
