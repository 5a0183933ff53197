"""The attribute tree of a bare state, for tests that need no machine around it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.dax.hmem import dax_hmem_probe
from sparsemem.machine import sysfs, sysfs_dax
from sparsemem.machine.kernfs import readdir_order
from sparsemem.machine.notation import parse_machine

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

GIB = 1 << 30


class LocalTree:
    def __init__(self, state: State) -> None:
        self.state = state

    def read(self, path: str) -> str:
        return sysfs_dax.show(self.state, path) if sysfs_dax.handles(path) else sysfs.show(self.state, path)

    def write(self, path: str, text: str) -> None:
        (sysfs_dax if sysfs_dax.handles(path) else sysfs).store(self.state, path, text)

    def listdir(self, path: str) -> list[str]:
        names = (sysfs_dax if sysfs_dax.handles(path) else sysfs).listdir(self.state, path)
        return readdir_order(names or [])

    def readlink(self, path: str) -> str | None:
        return sysfs_dax.readlink(self.state, path) if sysfs_dax.handles(path) else None

    def realpath(self, path: str) -> str:
        return self.readlink(path) or path


def soft_reserved(version: str, start: int, size: int, block: str = "128M", node: int = 0, **options: bool) -> State:
    """1 GiB of RAM and one soft-reserved range with its dax region."""
    state = parse_machine(f"{version}; 0-1G ram; with block={block} auto_online=offline").state
    dax_hmem_probe(state, 0, start, start + size - 1, node, **options)
    return state


def texts(state: State) -> list[str]:
    return [line.text for line in state.lines if line.level != "debug"]
