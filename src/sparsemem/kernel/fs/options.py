"""The mount options that both file systems share in the model: dax in its forms. Others are not modelled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["GENERIC", "dax_option"]

GENERIC = frozenset(("rw", "ro", "relatime", "defaults"))
"""Options that become mount flags and never reach the file system."""


def dax_option(state: State, options: str | None) -> str:
    """ "" when not asked for, else "always", "never" or "inode". Raises NotModelledError for any other option."""
    found = ""
    for word in (options or "").split(","):
        if word in ("", *GENERIC):
            continue
        if word == "dax":
            found = "always"
        elif word in ("dax=always", "dax=never", "dax=inode") and state.kernel.features.dax_mount_modes:
            found = word.removeprefix("dax=")
        else:
            raise NotModelledError(f"the mount option {word} is not implemented", remedy="known are ro, rw, dax")
    return found
