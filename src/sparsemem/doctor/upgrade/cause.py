"""Why two kernels differ: the era of a feature that one of them has reached and the other has not."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.spec.features import history
from sparsemem.spec.record import Era

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.spec import Kernel
    from sparsemem.spec.record import Record

__all__ = ["SECTION_SIZE", "Cause", "Differences"]

_OTHER_ARCHES = ("arm64_", "ppc64_", "riscv64_", "s390x_")

SECTION_SIZE: dict[str, Era] = {
    "arm64": Era(27, "5.12", "f0b13ee23241", "arm64/sparsemem: reduce SECTION_SIZE_BITS"),
    "s390x": Era(27, "6.13"),
}
"""Where an architecture changed its SECTION_SIZE_BITS (see ``spec.geometry``)."""


@dataclass(frozen=True, slots=True)
class Cause:
    """``feature`` is its name in ``spec.features``; ``before`` and ``after`` its values, as text; ``release`` the mainline release or
    candidate that changed it, ``commit`` its commit ("" where that is not known), ``cite`` the whole citation; ``backport`` the stable
    release that took it, where that is how the kernel has it; ``bug`` the number of a known kernel bug."""

    feature: str
    before: str
    after: str
    release: str
    cite: str
    note: str
    commit: str = ""
    backport: str | None = None
    bug: int | None = None

    @property
    def brief(self) -> str:
        """Release and commit only."""
        release = f"{self.release}, and stable {self.backport}" if self.backport else self.release
        return f"{release}, commit {self.commit}" if self.commit else release

    @property
    def words(self) -> str:
        """The citation, and the stable release where that matters."""
        return f"{self.cite}, in stable {self.backport}" if self.backport else self.cite


def _era(record: Record, older: Kernel, newer: Kernel) -> Era | None:
    """The last era that the newer kernel has reached and the older has not."""
    found = None
    for era in record.eras[1:]:
        if era.reached_by(newer.version, newer.arch) and not era.reached_by(older.version, older.arch):
            found = era
    return found


class Differences:
    """Every feature in which two kernels differ, each with its cause."""

    def __init__(self, before: Kernel, after: Kernel) -> None:
        self.before, self.after = before, after
        older, newer = sorted((before, after), key=lambda kernel: kernel.version)
        self.causes: dict[str, Cause] = {}
        for record in history():
            if record.name.startswith(_OTHER_ARCHES) and not record.name.startswith(after.arch):
                continue
            old, new = getattr(before.features, record.name), getattr(after.features, record.name)
            if old == new:
                continue
            era = _era(record, older, newer) or _era(record, newer, older)
            if era is None:
                continue
            holder = newer if era.reached_by(newer.version, newer.arch) else older
            backport = era.backport_of(holder.version, holder.arch)
            self.causes[record.name] = Cause(
                record.name, _text(old), _text(new), _release(era), era.cite(), record.note, era.commit, backport, record.bug,
            )  # fmt: skip
        era = SECTION_SIZE.get(after.arch)
        sizes = before.geometry.SECTION_SIZE, after.geometry.SECTION_SIZE
        if era is not None and sizes[0] != sizes[1]:
            note = "The size of a section, and of a memory block where that is one section."
            self.causes["SECTION_SIZE"] = Cause(
                "SECTION_SIZE", str(sizes[0]), str(sizes[1]), era.since or "", era.cite(), note, era.commit
            )

    def among(self, names: Iterable[str], *, but: tuple[str, ...] = ()) -> tuple[Cause, ...]:
        """The first of the named features that differs; none where none does."""
        found = (self.causes[name] for name in names if name in self.causes and name not in but)
        return tuple(itertools.islice(found, 1))


def _release(era: Era) -> str:
    since = era.since or ""
    return since.removesuffix(".0") if since.count(".") == 2 else since


def _text(value: object) -> str:
    return (
        {True: "yes", False: "no", "": "none"}.get(value, str(value)) if isinstance(value, (bool, str)) else str(value)
    )
