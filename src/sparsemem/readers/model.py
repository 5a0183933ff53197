"""A machine of the model, read as a captured one is: through the attribute tree that user space sees, and its media."""

from __future__ import annotations

import errno
from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import media
from sparsemem.machine import sysfs
from sparsemem.machine.description import BlockFact, InfoBlockFact, LabelAreaFact
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.readers.combine import describe
from sparsemem.readers.cxl import read_cxl
from sparsemem.readers.dax import read_dax
from sparsemem.readers.facts import Facts
from sparsemem.readers.memory_blocks import MemoryBlocks
from sparsemem.readers.nd import read_nd
from sparsemem.readers.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.kernel.state import State
    from sparsemem.machine.description import MachineDescription
    from sparsemem.machine.machine import Machine

__all__ = ["ModelSource", "has_devices", "read_model"]

_INFO_BLOCK = 4096


class ModelSource(Source):
    """The files of a running model."""

    def __init__(self, state: State, name: str = "layout line") -> None:
        super().__init__(name)
        self.state = state

    def _kind(self, path: str) -> str | None:
        full = f"/{path}"
        if sysfs.readlink(self.state, full) is not None:
            return "link"
        if not sysfs.exists(self.state, full):
            return None
        return "dir" if sysfs.is_directory(self.state, full) else "file"

    def _get(self, path: str, limit: int, quiet: bool) -> tuple[str, bytes] | None:
        real = sysfs.realpath(self.state, "/" + path.strip("/"))
        try:
            text = sysfs.show(self.state, real)
        except SysfsError as error:
            self._failed(path, OSError(error.number, errno.errorcode.get(error.number, "")), quiet)
            return None
        return real.strip("/"), text.encode("utf-8", "surrogateescape")[:limit]

    def _target(self, path: str) -> str:
        return sysfs.readlink(self.state, f"/{path}") or ""

    def _names(self, path: str) -> Iterable[str]:
        return sysfs.listdir(self.state, f"/{path}") or ()

    def _resolve(self, path: str) -> str | None:
        real = sysfs.realpath(self.state, "/" + path.strip("/"))
        return real.strip("/") if real == "/" or sysfs.exists(self.state, real) else None


def _memory(state: State) -> MemoryBlocks:
    """The memory blocks: their files, without walking the directory."""
    where = "/sys/devices/system/memory"

    def fact(nr: int) -> BlockFact:
        zones = sysfs.show(state, f"{where}/memory{nr}/valid_zones").split()
        return BlockFact(nr, state.blocks[nr].state, tuple(zones), state.blocks[nr].nid)

    return MemoryBlocks(
        state.misc["memory_block_size_bytes"],
        sysfs.show(state, f"{where}/auto_online_blocks").strip(),
        tuple(fact(nr) for nr in sorted(state.blocks)),
    )


def has_devices(machine: Machine) -> bool:
    """Does libnvdimm or device-dax know anything there?"""
    return bool(machine.state.nd) or bool(machine.state.dax)


def read_model(machine: Machine) -> MachineDescription:
    """What the readers would make of this machine, captured as root, with its label areas and info blocks."""
    state, k = machine.state, machine.kernel
    source = ModelSource(state)
    facts = Facts()
    facts.iomem, facts.memory = state.iomem, _memory(state)
    facts.regions, facts.namespaces = read_nd(source)
    facts.dax = read_dax(source)
    facts.cxl = read_cxl(source)
    found = describe(facts, source.name)
    places = {fact.dev: fact.range.start for fact in found.regions if fact.range is not None}
    areas = tuple(
        LabelAreaFact(dimm.name, media.read_label_area(state, dimm.name, 0, dimm.config_size))
        for dimm in (state.nd[name] for name in sorted(state.nd.dimms))
        if dimm.config_size
    )
    blocks = tuple(
        InfoBlockFact(fact.dev, data)
        for fact in found.namespaces
        if fact.range is not None and fact.region in places
        for data in [media.read(state, fact.region, fact.range.start - places[fact.region] + _INFO_BLOCK, _INFO_BLOCK)]
        if any(data)
    )
    return replace(
        found,
        kernel_release=str(k.version),
        arch=k.arch,
        page_size=k.page_size,
        hypervisor=machine.layout.hypervisor,
        label_areas=areas,
        info_blocks=blocks,
        notes=(),
    )
