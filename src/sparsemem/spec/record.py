"""How a behaviour that changed is declared: once, as the metadata of a dataclass field, with its releases and commits."""

from __future__ import annotations

from dataclasses import field
from typing import Any, NamedTuple

from sparsemem.spec.version import KernelVersion

__all__ = ["Era", "Record", "choice", "fixed", "since", "until"]

Value = bool | str | int
_KEY = "record"


class Era(NamedTuple):
    """From ``since`` on (a release, a candidate, or None for "always") the feature has ``value``.

    ``backports`` maps a stable series to the release that took the change: ``{"5.10": "5.10.209"}``. ``commit`` and ``title`` name
    the mainline change; they are empty where none could be confirmed.
    """

    value: Value
    since: str | None = None
    commit: str = ""
    title: str = ""
    backports: dict[str, str] = {}  # noqa: RUF012  (never written)

    def cite(self) -> str:
        """``Linux kernel commit 326e1b8f83a4 ("mm/sparsemem: ...") (in v5.3)``, with as much of it as is known."""
        if not self.since:
            return "always"
        where = f"(in v{self.since})"
        if not self.commit:
            return f'"{self.title}" {where}' if self.title else where
        return f'Linux kernel commit {self.commit} ("{self.title}") {where}'

    def reached_by(self, version: KernelVersion) -> bool:
        """Whether this version has the change, from mainline or from a stable backport."""
        if self.since is None or version >= KernelVersion.merged_in(self.since):
            return True
        taken = self.backports.get(f"{version.major}.{version.minor}") if self.backports else None
        return taken is not None and version >= KernelVersion.merged_in(taken)


class Record(NamedTuple):
    """The history of one feature: its values era by era, a sentence about it, and where it does not apply."""

    name: str
    eras: tuple[Era, ...]
    note: str
    arches: tuple[str, ...] | None = None
    bug: int | None = None

    def value(self, version: KernelVersion, arch: str) -> Value:
        """The value on this kernel; an architecture the record does not speak for has the oldest value."""
        value = self.eras[0].value
        if self.arches is None or arch in self.arches:
            for era in self.eras[1:]:
                if era.reached_by(version):
                    value = era.value
        return value


def _field(eras: tuple[Era, ...], note: str, arches: tuple[str, ...] | None, bug: int | None) -> Any:  # noqa: ANN401
    return field(metadata={_KEY: Record("", eras, note, arches, bug)})


def since(
    release: str, commit: str = "", title: str = "", *, note: str, backports: dict[str, str] | None = None,
    arches: tuple[str, ...] | None = None, bug: int | None = None,
) -> Any:  # fmt: skip  # noqa: ANN401
    """A behaviour that ``release`` brought: False before, True from then on."""
    return _field((Era(False), Era(True, release, commit, title, backports or {})), note, arches, bug)


def until(
    release: str, commit: str = "", title: str = "", *, note: str, first: tuple[str, str, str] | None = None,
    backports: dict[str, str] | None = None, arches: tuple[str, ...] | None = None, bug: int | None = None,
) -> Any:  # fmt: skip  # noqa: ANN401
    """A behaviour that ``release`` ended. ``first`` is the ``(release, commit, title)`` that brought it, when it was not always there."""
    gone = Era(False, release, commit, title, backports or {})
    eras = (Era(False), Era(True, *first), gone) if first else (Era(True), gone)
    if arches is not None and not first:
        eras = (Era(False), Era(True, "4.0"), gone)
    return _field(eras, note, arches, bug)


def choice(*eras: Era, note: str, arches: tuple[str, ...] | None = None) -> Any:  # noqa: ANN401
    """A behaviour with more than two values, oldest first."""
    return _field(eras, note, arches, None)


def fixed(value: Value, *, note: str) -> Any:  # noqa: ANN401
    """A behaviour that never changed in the kernels known, named so that the model can ask for it."""
    return _field((Era(value),), note, None, None)
