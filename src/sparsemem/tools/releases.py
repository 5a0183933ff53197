"""What is known of the releases behind v81: 85 was recorded, and its strings were looked at; 82 to 84 lie between two that are known."""

from __future__ import annotations

from sparsemem.errors import NotModelledError

__all__ = ["debug_built", "hints_at_root", "known", "since_85", "version_text"]

_WORDS: dict[tuple[int, ...], str] = {(76,): "76.1", (71,): "71.1+"}
"""What ``--version`` says: 71 and 76 are the 71.1 and 76.1 of Debian 11 and 12 (71.1 was built with a "+")."""


def version_text(version: tuple[int, ...]) -> str:
    """What ``ndctl version`` prints."""
    return _WORDS.get(version, ".".join(map(str, version)))


def since_85(version: tuple[int, ...]) -> bool | None:
    """What 81 does not do and 85 does; None for a release between them."""
    return None if 81 < version[0] < 85 else version[0] >= 85


def known(value: bool | None, what: str) -> bool:
    """The value. NotModelledError where it is not known."""
    if value is None:
        raise NotModelledError(
            f"whether {what} in ndctl 82 to 84 is not known",
            why="81 and 85 were looked at",
            remedy="ask for 81 or 85",
        )
    return value


def debug_built(version: tuple[int, ...]) -> bool:
    """The libraries have their messages at LOG_DEBUG: configure left them out by default, meson does not (v73, 4e5faa1; seen in 71.1)."""
    return version[0] >= 73


def hints_at_root(version: tuple[int, ...]) -> bool:
    """util/sysfs.c says at LOG_ERR that an attribute may be written by root only (seen in 85; 4e4ba50b1130 in January 2026)."""
    return known(since_85(version), "a refused attribute is told of")
