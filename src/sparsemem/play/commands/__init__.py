"""The commands of the guest's shell: one function each, by name. Their words and exit codes are busybox 1.35's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.play.commands import binary, builtin, filters, find, grep, listing, mkfs, mounts, tools, words

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.play.shell.run import Shell
    from sparsemem.play.shell.streams import Streams

__all__ = ["find_command"]

_COMMANDS: dict[str, Callable[[Shell, list[str], Streams], int]] = {
    **binary.COMMANDS,
    **builtin.COMMANDS,
    **filters.COMMANDS,
    **find.COMMANDS,
    **grep.COMMANDS,
    **listing.COMMANDS,
    **mkfs.COMMANDS,
    **mounts.COMMANDS,
    **tools.COMMANDS,
    **words.COMMANDS,
}


def find_command(name: str) -> Callable[[Shell, list[str], Streams], int] | None:
    """The function of a command; None when there is none."""
    return _COMMANDS.get(name)
