"""Races: contestants take turns in one process, medians are compared, and what they answered is compared too."""

from __future__ import annotations

import gc
import resource
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sparsemem.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["MISSING", "Row", "Table", "Times", "WrongAnswerError", "command_seconds", "race", "seconds"]

MISSING = (ImportError, MissingExtraError)
"""What a peer or an extra raises that is not installed."""


class WrongAnswerError(AssertionError):
    """A contestant answered differently from the naive reference: no speed excuses that."""


@dataclass
class Row:
    """One line of the table. ``ratio`` is against ``base``; ``limit`` is the most it may be ("at least" limits are
    inverted before)."""

    what: str
    who: str
    value: str
    ratio: float | None = None
    base: str = ""
    limit: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        if self.limit is None or self.ratio is None:
            return ""
        return "ok" if self.ratio <= self.limit else "MISSED"


@dataclass
class Table:
    """Rows as they come; ``print`` says each at once so that a long run shows where it is."""

    rows: list[Row] = field(default_factory=list)

    def add(self, row: Row) -> None:
        self.rows.append(row)
        ratio = "" if row.ratio is None else f"{row.ratio:9.3g}x {row.base}"
        limit = "" if row.limit is None else f"<= {row.limit:g}"
        print(
            f"{row.what:<42} {row.who:<26} {row.value:>14}  {ratio:<28} {limit:<8} {row.verdict:<7}{row.note}",
            flush=True,
        )

    def markdown(self) -> str:
        """The rows as a table for docs/speed.md."""
        lines = ["| what | who | measured | ratio | limit | |", "|---|---|---|---|---|---|"]
        for row in self.rows:
            ratio = "" if row.ratio is None else f"{row.ratio:.3g}x {row.base}"
            limit = "" if row.limit is None else f"{row.limit:.3g}x"
            verdict = f"{row.verdict}{row.note}".strip()
            lines.append(f"| {row.what} | {row.who} | {row.value} | {ratio} | {limit} | {verdict} |")
        return "\n".join([*lines, ""])

    def within(self, what: str, who: str, value: float, limit: float, unit: str, note: str = "") -> None:
        """A row with an absolute limit: the ratio is against the limit."""
        self.add(Row(what, who, f"{value:.3g} {unit}", value / limit, f"of {limit:g} {unit}", 1.0, note))

    def note(self, what: str, why: str) -> None:
        self.add(Row(what, "", "skipped", note=f"  {why}"))

    def heading(self, text: str) -> None:
        print(f"\n{text}", flush=True)


def seconds(call: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Seconds of a call: processor time, which a busy neighbour does not lengthen; wall time where threads share the work."""
    gc.disable()
    try:
        start = clock()
        call()
        return clock() - start
    finally:
        gc.enable()


def command_seconds(command: list[str], **options: Any) -> tuple[float, subprocess.CompletedProcess[str]]:
    """A command and the processor time of its whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)  # noqa: S603
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime, done


class Times(dict[str, float]):
    """Median seconds of each contestant; ``ratio`` is the median of the ratios within each round, which cancels a busy
    neighbour."""

    def __init__(self, rounds: dict[str, list[float]]) -> None:
        super().__init__({name: statistics.median(spent) for name, spent in rounds.items()})
        self._rounds = rounds

    def ratio(self, name: str, base: str) -> float:
        pairs = zip(self._rounds[name], self._rounds[base], strict=True)
        return statistics.median(one / other for one, other in pairs)


def race(
    contestants: dict[str, Callable[[], object]], rounds: int, before: Callable[[], object] | None = None
) -> Times:
    """The contestants run in turn, in an order that rotates, after one round that does not count."""
    names = list(contestants)
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds + 1):
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            if before is not None:
                before()
            spent = seconds(contestants[name], time.perf_counter if "threads" in name else time.process_time)
            if turn:
                times[name].append(spent)
    return Times(times)
