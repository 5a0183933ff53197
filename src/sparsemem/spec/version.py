"""Kernel versions: read what people and ``uname -r`` write, compare what Linux released.

A version is the base of every answer, so what a text cannot tell is kept with it as a ``caveat``: a distribution's
kernel carries backports, and its version number does not say which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from sparsemem.errors import UsageError

__all__ = ["KNOWN_SERIES", "LTS_SERIES", "RECORDED", "KernelVersion"]

Series = tuple[int, int]

LTS_SERIES: tuple[Series, ...] = (
    (4, 4), (4, 9), (4, 14), (4, 19), (5, 4), (5, 10), (5, 15), (6, 1), (6, 6), (6, 12), (6, 18),
)  # fmt: skip
"""Series with long-term support: named bare, they mean their newest stable release (or the one in RECORDED)."""

RECORDED: dict[Series, int] = {(5, 10): 251, (6, 1): 176, (6, 12): 117, (7, 2): 12}
"""The stable releases whose answers are recorded in tests/transcripts: what these series mean when they are named bare. A later
stable release of the same series can differ: 6.1.184 took a change that took a log line away."""

KNOWN_SERIES: tuple[Series, ...] = (
    (4, 19),
    (4, 20),
    *((5, minor) for minor in range(20)),
    *((6, minor) for minor in range(20)),
    *((7, minor) for minor in range(4)),
)
"""Every series the feature records speak for, oldest first."""

_NEWEST_PATCH = 1 << 16
_RELEASED = 1 << 16
_OLDEST = (4, 0)
_LAST_MINOR = {4: 20, 5: 19, 6: 19}
_REMEDY = "write it as the kernel does, for example 6.1, 5.4.18, 5.1-rc1 or the output of uname -r"
_VERSION = re.compile(
    r"v?(?P<major>\d{1,3})\.(?P<minor>\d{1,3})(?:\.(?P<patch>\d{1,5}|y))?(?:\.\d{1,6})*(?:-rc(?P<rc>\d{1,3}))?"
    r"(?P<rest>[-+~_][\x21-\x7e]*)?\Z",
    re.ASCII,
)
_PROC_VERSION = re.compile(r"Linux version (\S+)")
_DEBIAN_PACKAGE = re.compile(r"\bDebian (\d+\.\d+\.\d+)-\d")
_ABI = re.compile(r"-\d+(?:\.\d+)*(?:[-.]|\Z)")
_VENDORS: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\.el\d+(?:_\d+)?uek"), "an Oracle UEK"),
    (re.compile(r"\.(?:el|rhel)\d+"), "a RHEL"),
    (re.compile(r"-\d{5,6}\.\d+|-default\Z"), "a SUSE"),
)


@dataclass(frozen=True, slots=True, order=True)
class KernelVersion:
    """A kernel release: ordered and hashable. ``stage`` sorts the candidates before the release.

    ``text`` is what was read; ``caveat`` is a sentence about what the text does not tell, or None. Two versions are
    equal when they name the same release, whatever their texts.
    """

    major: int
    minor: int
    stage: int
    patch: int
    text: str = field(compare=False, default="")
    caveat: str | None = field(compare=False, default=None)

    @property
    def series(self) -> Series:
        """``(6, 1)``."""
        return self.major, self.minor

    @property
    def rc(self) -> int | None:
        """The number of the release candidate, or None for a release."""
        return None if self.stage == _RELEASED else self.stage

    @property
    def newest_stable(self) -> bool:
        """Whether this stands for the newest stable release of its series."""
        return self.patch == _NEWEST_PATCH

    def __str__(self) -> str:
        name = f"{self.major}.{self.minor}"
        if self.rc is not None:
            return f"{name}-rc{self.rc}"
        lts = self.series in LTS_SERIES
        if self.patch == RECORDED.get(self.series) and self.text.removeprefix("v") in ("", name):
            return name
        if self.newest_stable and self.series in RECORDED:
            return f"{name}.y"
        if self.newest_stable:
            return name if lts else f"{name}.y"
        return f"{name}.{self.patch}" if self.patch or lts or self.series in RECORDED else name

    @classmethod
    def merged_in(cls, text: str) -> KernelVersion:
        """The first version with what was merged "in v5.3" (5.3-rc1), "in v5.6-rc7", or taken by stable "5.4.18"."""
        return _merged_in(text)

    @classmethod
    def parse(cls, text: str) -> KernelVersion:
        """Read ``6.1``, ``6.1.0``, ``v5.1-rc1``, ``6.1.y``, the output of ``uname -r``, or ``/proc/version``.

        A bare series of RECORDED means the release recorded there. Any other bare long-term series, ``X.Y.y``, and a
        distribution's ABI name (``6.1.0-49-cloud-amd64``) mean the newest stable release of the series; any other bare
        series means its ``.0``. Raises UsageError for text that is no
        version, for releases that never were, and for anything before 4.0.
        """
        return _parse(text)


@cache
def _merged_in(text: str) -> KernelVersion:
    version = _parse(text)
    if version.rc is None and text.count(".") == 1:
        return KernelVersion(version.major, version.minor, 1, 0)
    return version


def _bad(text: str, why: str | None = None) -> UsageError:
    return UsageError(f"not a kernel version: {text[:80]!r}", why=why, remedy=_REMEDY)


def _same_series(a: str, b: str) -> bool:
    return a.split(".")[:2] == b.split(".")[:2]


@cache
def _parse(text: str) -> KernelVersion:
    stripped = text.strip()
    release = stripped
    if proc := _PROC_VERSION.match(stripped):
        package = _DEBIAN_PACKAGE.findall(stripped)  # the compiler has one too; the kernel's is the last
        release = package[-1] if package and _same_series(package[-1], proc[1]) else proc[1]
    match = _VERSION.match(release)
    if match is None:
        raise _bad(stripped)
    series = int(match["major"]), int(match["minor"])
    name = f"{series[0]}.{series[1]}"
    if series < _OLDEST:
        raise UsageError(
            f"kernel {name} is too old",
            why="the rules of memory hotplug are known from 4.19 on, and guessed back to 4.0",
            remedy="name a kernel from 4.0 on, for example 4.19 or 5.2",
        )
    if series[1] > _LAST_MINOR.get(series[0], 1 << 10):
        raise _bad(stripped, f"there was no {name}: after {series[0]}.{_LAST_MINOR[series[0]]} came {series[0] + 1}.0")
    if match["rc"] is not None:
        if not int(match["rc"]) or match["patch"] not in (None, "0"):
            raise _bad(stripped, "candidates are written 6.1-rc1, and count from 1")
        return KernelVersion(*series, int(match["rc"]), 0, release, _reach_caveat(series))
    patch, caveat = _patch(match, series, release)
    return KernelVersion(*series, _RELEASED, patch, release, caveat or _reach_caveat(series))


def _patch(match: re.Match[str], series: Series, release: str) -> tuple[int, str | None]:
    """The stable release that a text names, and what it leaves open."""
    name, rest, text = f"{series[0]}.{series[1]}", match["rest"] or "", match["patch"]
    if text is None:
        return RECORDED.get(series, _NEWEST_PATCH if series in LTS_SERIES else 0), None
    if text == "y":
        return _NEWEST_PATCH, None
    patch = int(text)
    for pattern, vendor in _VENDORS:
        if pattern.search(rest):
            judged = f"{name}.{patch}" if patch else f"mainline {name}"
            return patch, (
                f"{vendor} kernel carries backports, so I cannot tell from its version ({release}) what it changed; "
                f"judged as {judged}"
            )
    if patch == 0 and _ABI.match(rest):
        return _NEWEST_PATCH, (
            f"{release} is a distribution's ABI name, not a stable release; judged as the newest {name}.y"
        )
    return patch, None


def _reach_caveat(series: Series) -> str | None:
    """A sentence about a kernel outside the known series, which is judged as the nearest known one."""
    oldest, newest = KNOWN_SERIES[0], KNOWN_SERIES[-1]
    if oldest <= series <= newest:
        return None
    word, near = ("older", oldest) if series < oldest else ("newer", newest)
    return (
        f"{series[0]}.{series[1]} is {word} than the kernels I know; judged by the rules of {near[0]}.{near[1]}, "
        "except where I know others"
    )
