"""How a behaviour that changed is declared: once, as metadata of a dataclass field, with its releases and commits."""

from __future__ import annotations

from dataclasses import field
from typing import Any, NamedTuple

from sparsemem.spec.version import KernelVersion

__all__ = ["Era", "Record", "choice", "since", "until"]

Value = bool | str | int
Backports = dict[str, str]
Arches = tuple[str, ...]
_ALWAYS = "4.0"


class Era(NamedTuple):
    """From ``since`` on the feature has ``value`` (None: from the beginning).

    ``since`` is a release ("5.3": from its first candidate on), a candidate ("5.6-rc7") or an exact release ("5.6.0":
    what came after the last candidate). ``backports`` maps a stable series to the release that took the change, or to
    the first one it was seen in: ``{"5.10": "5.10.210"}``. ``commit`` and ``title`` name the mainline change; they are
    empty where they could not be confirmed. ``arches`` limits the change to those architectures.
    """

    value: Value
    since: str | None = None
    commit: str = ""
    title: str = ""
    backports: Backports | None = None
    arches: Arches | None = None

    def cite(self) -> str:
        """``Linux kernel commit 326e1b8f83a4 ("mm/sparsemem: ...") (in v5.3)``, with as much of it as is known."""
        if self.since is None or self.since == _ALWAYS:
            return "from the beginning"
        release = self.since.removesuffix(".0") if self.since.count(".") == 2 else self.since
        if self.commit:
            return f'Linux kernel commit {self.commit} ("{self.title}") (in v{release})'
        return f'"{self.title}" (in v{release})' if self.title else f"in v{release}"

    def reached_by(self, version: KernelVersion, arch: str) -> bool:
        """Whether this kernel has the change, from mainline or from a stable backport."""
        if self.arches is not None and arch not in self.arches:
            return False
        if self.since is None or version >= KernelVersion.merged_in(self.since):
            return True
        taken = self.backports.get(f"{version.major}.{version.minor}") if self.backports else None
        return taken is not None and version >= KernelVersion.merged_in(taken)

    def backport_of(self, version: KernelVersion, arch: str) -> str | None:
        """The stable release by which this kernel has the change; None where it has it from mainline, or not at all."""
        if self.since is None or not self.reached_by(version, arch) or version >= KernelVersion.merged_in(self.since):
            return None
        return (self.backports or {}).get(f"{version.major}.{version.minor}")


class Record(NamedTuple):
    """The history of one feature: its values era by era, a sentence about it, and its number among the known bugs."""

    name: str
    eras: tuple[Era, ...]
    note: str
    bug: int | None = None

    def value(self, version: KernelVersion, arch: str) -> Value:
        """The value on this kernel: that of the last era it has reached."""
        value = self.eras[0].value
        for era in self.eras[1:]:
            if era.reached_by(version, arch):
                value = era.value
        return value


def _field(eras: tuple[Era, ...], note: str, bug: int | None = None) -> Any:
    return field(metadata={"record": Record("", eras, note, bug)})


def since(
    release: str,
    commit: str = "",
    title: str = "",
    *,
    note: str,
    backports: Backports | None = None,
    arches: Arches | None = None,
) -> Any:
    """A behaviour that ``release`` brought: False before, True from then on."""
    return _field((Era(False), Era(True, release, commit, title, backports, arches)), note)


def until(
    release: str,
    commit: str = "",
    title: str = "",
    *,
    note: str,
    first: Era | None = None,
    backports: Backports | None = None,
    arches: Arches | None = None,
    bug: int | None = None,
) -> Any:
    """A behaviour that ``release`` ended: often a bug, numbered in ``bug``.

    ``first`` is the change that brought it, when it was not there from the beginning.
    """
    brought = first or Era(True, _ALWAYS)
    eras = (Era(False), brought._replace(value=True, arches=arches), Era(False, release, commit, title, backports))
    return _field(eras, note, bug)


def choice(*eras: Era, note: str, bug: int | None = None) -> Any:
    """A behaviour with more than two values, or one that came and went more than once; oldest first."""
    return _field(eras, note, bug)
