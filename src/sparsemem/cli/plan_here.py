"""What ``plan --apply`` asks of this host before it plans: which tools it has, and whether a capture is one of it."""

from __future__ import annotations

import os

from sparsemem.errors import SparsememError, UsageError

__all__ = ["check_capture", "dotted", "host_release"]


def host_release(asked: tuple[int, ...] | None = None) -> tuple[int, ...] | None:
    """The release of ndctl that is installed here. Raises UnreadableError without root, which what follows would need, and UsageError
    where another one was ``asked`` for."""
    from sparsemem.planner.apply import HostRunner

    found = HostRunner().release()
    if asked is not None and found is not None and asked[: len(found)] != found[: len(asked)]:
        raise UsageError(
            f"--ndctl-version {dotted(asked)}: {dotted(found)} is installed here",
            remedy="leave it out, or rehearse: --rehearse",
        )
    return found


def check_capture(source: str) -> None:
    """Is it a capture of this machine, in this boot? Raises UsageError for what is no such capture, ApplyError (exit code 15) for one of
    another boot."""
    from sparsemem.planner.apply import ApplyError
    from sparsemem.planner.apply.hosts import boot_id
    from sparsemem.readers import open_source
    from sparsemem.readers.metadata import Metadata, read_metadata

    try:
        known = read_metadata(open_source(source))
    except SparsememError:
        known = Metadata()
    if known.boot is None:
        raise UsageError(
            f"{source} is not this machine", remedy="leave it out, or rehearse the plan on the model: --rehearse"
        )
    if known.boot != boot_id():
        when = f"{known.date}, " if known.date else ""
        raise ApplyError(
            f"captured in another boot than this one ({when}kernel {known.release}, boot {known.boot}); nothing was run", where=source,
            why=f"this is kernel {os.uname().release}, boot {boot_id()}",
            remedy="leave it out: --apply reads this machine; or rehearse: --rehearse", exit_code=15,
        )  # fmt: skip


def dotted(release: tuple[int, ...]) -> str:
    """A release as people write it."""
    return ".".join(map(str, release))
