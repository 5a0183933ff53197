"""Which machine this is, in which boot; and that no two plans are carried out on it at once."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from sparsemem.planner.apply.errors import ApplyError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["alone", "boot_id", "check_machine", "machine_id"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_MACHINES = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"), Path("/sys/class/dmi/id/product_uuid"))
_LOCK = "/run/sparsemem-apply.lock"


def boot_id() -> str | None:
    """Which boot of this machine it is; None where the kernel does not say."""
    return _text(_BOOT)


def machine_id() -> str | None:
    """Which machine it is, hashed (machine-id(5) asks for that); None where it has no name of its own."""
    for path in _MACHINES:
        text = _text(path)
        if text and text != "uninitialized" and text.strip("0-"):
            return hashlib.sha256(f"sparsemem plan {text.lower()}".encode()).hexdigest()[:32]
    return None


def _text(path: Path) -> str | None:
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return path.read_text().strip() or None
    return None


def check_machine(then: str | None, where: str) -> None:
    """Raises ApplyError (exit code 15) where a journal was written on another machine."""
    now = machine_id()
    if None not in (then, now) and then != now:
        raise ApplyError(
            "this journal is another machine's; nothing was run", where=where, why=f"it is of machine {then}, this is {now}",
            remedy="go on with it there; for this machine make a plan of its own", exit_code=15,
        )  # fmt: skip


@contextlib.contextmanager
def alone() -> Iterator[int | None]:
    """Nobody else carries out a plan here meanwhile. The descriptor is for the commands, too: one that outlives us keeps others out. None
    where there is no place for a lock. ``$SPARSEMEM_APPLY_LOCK`` is another file, for tests side by side. Raises ApplyError."""
    path = os.environ.get("SPARSEMEM_APPLY_LOCK", _LOCK)
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError:
        yield None
        return
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise ApplyError(
                "another plan is being carried out on this machine", where=path,
                why="another sparsemem, or a command that one started, still runs", remedy="wait for it to end; nothing was run",
            ) from None  # fmt: skip
        yield descriptor
    finally:
        os.close(descriptor)
