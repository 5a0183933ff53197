"""What is known about a message, a topic and a remedy: plain records, so that the data files hold nothing but data."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

__all__ = ["Message", "Step", "Topic", "Wording"]


@dataclass(frozen=True, slots=True)
class Step:
    """What to do now: ``why``, and the command as data (``argv`` empty where none does it). Nothing here is ever run.

    ``until`` is the last release series that the advice is for; None where it holds for all.
    """

    why: str
    argv: tuple[str, ...] = ()
    until: str | None = None

    @property
    def command(self) -> str:
        """The command, quoted for a shell; a redirection or pipe is written as ``sh -c``."""
        return shlex.join(self.argv)


@dataclass(frozen=True, slots=True)
class Wording:
    """One form of a message: the printf format, and the releases that print it (inclusive; None: as far as known).

    ``fields`` names the conversions in order; ``note`` says what could not be established about the release.
    """

    format: str
    since: str | None = None
    until: str | None = None
    fields: tuple[str, ...] | None = None
    note: str = ""

    @property
    def kernels(self) -> str:
        """The releases in words."""
        if self.since and self.until:
            words = f"{self.since} to {self.until}" if self.since != self.until else self.since
        elif self.since:
            words = f"{self.since} and later"
        else:
            words = f"up to {self.until}" if self.until else "every version known here"
        return f"{words} ({self.note})" if self.note else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message that a kernel or a tool prints.

    ``fields`` names the conversions of every wording that has no names of its own. Numbers are read by name:
    ``start``, ``last`` (inclusive), ``size``, ``bytes``, ``align``, ``block`` are bytes; ``start_pfn``,
    ``last_pfn``, ``nr_pages`` are pages; ``range`` is a resource as %pR prints it. ``units`` are the boundaries
    that matter: "subsection", "section", "block", "align". ``core`` are words that make the message known even
    where its numbers were cut off; ``hint`` is a word whose presence decides between two equal messages. ``trims``
    says that the kernel drops what lies outside whole units. ``by_errno`` explains the field ``errno`` (a negative
    number) or ``reason`` (its text). In ``what`` and in steps ``{field}`` stands for what the line says.
    """

    id: str
    title: str
    file: str
    function: str
    wordings: tuple[Wording, ...]
    what: str
    fields: tuple[str, ...] = ()
    rule: str | None = None
    errno: str | None = None
    units: tuple[str, ...] = ()
    core: str = ""
    hint: str = ""
    trims: bool = False
    steps: tuple[Step, ...] = ()
    cases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
    by_errno: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A subject in plain words. ``names`` are the other words people use; ``finding`` marks an id of the doctor."""

    id: str
    title: str
    text: str
    names: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    kernels: str = ""
    finding: bool = False
    steps: tuple[Step, ...] = ()
    cases: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    see: tuple[str, ...] = ()
