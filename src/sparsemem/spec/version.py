"""Kernel versions: read what people and ``uname -r`` write, compare what Linux released.

A version is the base of every answer, so what a text cannot tell is kept with it as a ``caveat``: a distribution kernel carries
backports, and its version number does not say which.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache

from sparsemem.errors import UsageError

__all__ = ["KNOWN_SERIES", "LTS_SERIES", "KernelVersion", "series_name"]

NEWEST_PATCH = 1 << 16
"""The patch level that stands for "the newest stable release of the series"."""
_RELEASED = 1 << 16
_LAST_MINOR = {4: 20, 5: 19, 6: 19}

LTS_SERIES: tuple[tuple[int, int], ...] = (
    (4, 4), (4, 9), (4, 14), (4, 19), (5, 4), (5, 10), (5, 15), (6, 1), (6, 6), (6, 12), (6, 18),
)  # fmt: skip
"""Series with long-term support: named bare, they mean their newest stable release."""

KNOWN_SERIES: tuple[tuple[int, int], ...] = (
    *((4, minor) for minor in range(19, 21)),
    *((5, minor) for minor in range(20)),
    *((6, minor) for minor in range(20)),
    *((7, minor) for minor in range(3)),
)
"""Every series the feature records speak for, oldest first."""

_OLDEST = (4, 0)
_VERSION = re.compile(r"v?(\d{1,3})\.(\d{1,3})(?:\.(\d{1,5}|y))?(?:\.\d+)*(?:-rc(\d{1,3}))?(?P<rest>[-+~_.].*)?\Z")
_PROC_VERSION = re.compile(r"Linux version (\S+)(?:.*\sDebian (\d+\.\d+\.\d+)-)?", re.DOTALL)

_REMEDY = "write it as the kernel does, for example 6.1, 5.4.18, 5.1-rc1 or the output of uname -r"


def series_name(series: tuple[int, int]) -> str:
    """``6.1`` for ``(6, 1)``."""
    return f"{series[0]}.{series[1]}"


def _vendor_caveat(series: str, rest: str) -> str | None:
    """What a vendor suffix hides, or None where the suffix says nothing about the content."""
    if re.search(r"\.el\d+.*uek", rest):
        return (
            f"an Oracle UEK kernel carries backports, so I cannot tell from its version what was changed; "
            f"judged as the newest stable release of {series}"
        )
    if re.search(r"\.el\d+", rest):
        return f"a RHEL kernel carries backports, so I cannot tell from its version what was changed; judged as mainline {series}"
    if re.search(r"-(?:lp)?1[0-9]0[0-9]{3}\.|-\d+\.\d+-default|-default\Z", rest):
        return f"a SUSE kernel carries backports, so I cannot tell from its version what was changed; judged as {series}"
    return None


@dataclass(frozen=True, slots=True, order=True)
class KernelVersion:
    """A kernel release: ordered, hashable. ``stage`` sorts release candidates before the release; ``text`` is what was read.

    ``caveat`` is a sentence about what the text does not tell, or None. Two versions are equal when they name the same release,
    whatever their texts.
    """

    major: int
    minor: int
    stage: int
    patch: int
    text: str = field(compare=False, default="")
    caveat: str | None = field(compare=False, default=None)

    @property
    def series(self) -> tuple[int, int]:
        """``(6, 1)``."""
        return self.major, self.minor

    @property
    def rc(self) -> int | None:
        """The number of the release candidate, or None for a release."""
        return None if self.stage == _RELEASED else self.stage

    @property
    def newest_stable(self) -> bool:
        """Whether this stands for the newest stable release of its series."""
        return self.patch == NEWEST_PATCH

    def __str__(self) -> str:
        name = series_name(self.series)
        if self.rc is not None:
            return f"{name}-rc{self.rc}"
        lts = self.series in LTS_SERIES
        if self.newest_stable:
            return name if lts else f"{name}.y"
        return f"{name}.{self.patch}" if self.patch or lts else name

    @classmethod
    def of(cls, major: int, minor: int, patch: int = 0, *, rc: int | None = None) -> KernelVersion:
        """The release itself, from numbers."""
        return cls(major, minor, _RELEASED if rc is None else rc, patch)

    @classmethod
    def merged_in(cls, text: str) -> KernelVersion:
        """The first version that has what was merged "in v5.3" (5.3-rc1), "in v5.6-rc7", or in stable "5.4.18"."""
        version = _parse(text)
        if version.rc is None and text.count(".") == 1:
            return cls(version.major, version.minor, 1, 0)
        return version

    @classmethod
    def parse(cls, text: str) -> KernelVersion:
        """Read ``6.1``, ``6.1.0``, ``v5.1-rc1``, ``6.1.y``, the output of ``uname -r`` or the text of ``/proc/version``.

        A bare long-term series, ``X.Y.y``, and a Debian or Ubuntu ABI name (``6.1.0-49-cloud-amd64``) mean the newest stable release
        of the series. Raises UsageError for text that is no version, for releases that never were, and for anything before 4.0.
        """
        return _parse(text)


def _bad(text: str, why: str | None = None) -> UsageError:
    return UsageError(f"not a kernel version: {text[:80]!r}", why=why, remedy=_REMEDY)


@cache
def _parse(text: str) -> KernelVersion:
    stripped = text.strip()
    if proc := _PROC_VERSION.match(stripped):
        release, debian = proc[1], proc[2]
        return _release(debian, None, stripped) if debian else _release(release, None, stripped)
    return _release(stripped, None, stripped)


def _release(text: str, caveat: str | None, original: str) -> KernelVersion:
    match = _VERSION.match(text)
    if match is None:
        raise _bad(original)
    major, minor, rest = int(match[1]), int(match[2]), match["rest"] or ""
    series = (major, minor)
    name = series_name(series)
    if series < _OLDEST:
        raise UsageError(
            f"kernel {name} is too old", where=None, why="sub-section rules are known from 4.19 on, section rules from 4.0",
            remedy="name a kernel from 4.0 on, for example 4.19 or 5.2",
        )  # fmt: skip
    if minor > _LAST_MINOR.get(major, 1 << 10):
        raise _bad(original, f"there was no {name}: after {major}.{_LAST_MINOR[major]} came {major + 1}.0")
    if match[4] is not None:
        if not int(match[4]):
            raise _bad(original, "release candidates count from 1")
        if match[3] not in (None, "0"):
            raise _bad(original, "a stable release has no release candidates here")
        return KernelVersion(major, minor, int(match[4]), 0, original, _reach_caveat(series))
    caveat = _vendor_caveat(name, rest)
    if match[3] is None or match[3] == "y":
        newest = match[3] == "y" or series in LTS_SERIES
        patch = NEWEST_PATCH if newest else 0
    else:
        patch = int(match[3])
        if patch == 0 and re.match(r"-\d+(?:\.\d+)?(?:-|\Z)", rest) and caveat is None:
            patch = NEWEST_PATCH
            caveat = f"{original} is a distribution's ABI name and does not tell the stable release; judged as the newest {name}.y"
        elif patch == 0 and "uek" in rest:
            patch = NEWEST_PATCH
    return KernelVersion(major, minor, _RELEASED, patch, original, caveat or _reach_caveat(series))


def _reach_caveat(series: tuple[int, int]) -> str | None:
    """A sentence for kernels outside the known series, which are judged as the nearest known one."""
    if series < KNOWN_SERIES[0]:
        return f"{series_name(series)} is older than the kernels I know ({series_name(KNOWN_SERIES[0])} on); judged as the nearest one"
    if series > KNOWN_SERIES[-1]:
        return f"{series_name(series)} is newer than the kernels I know (up to {series_name(KNOWN_SERIES[-1])}); judged as that one"
    return None
