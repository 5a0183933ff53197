"""The boot layout: what a machine is before anything is hot-plugged. A value; everything else follows from it by replay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.errors import InputError
from sparsemem.kernel.ioport import IORESOURCE_BUSY, IORESOURCE_SYSTEM_RAM, Resource
from sparsemem.kernel.memory_block_size import cxl_windows, memory_block_advise_max_size, memory_block_size_bytes
from sparsemem.kernel.mm_init import boot_memory
from sparsemem.kernel.state import State
from sparsemem.spec.limits import mappable_range, zone_limits

if TYPE_CHECKING:
    from sparsemem.spec import Kernel

__all__ = ["BootLayout", "boot", "layout_block_size"]


@dataclass(frozen=True, slots=True)
class BootLayout:
    """``iomem``: the tree at boot. RAM is every busy "System RAM" entry at its top; ``nodes`` says which addresses belong to
    which node, as half-open byte ranges (node 0 where nothing is said).

    ``block_size``: as read from the machine, or None to apply the kernel's rule; ``hypervisor``: the CPU says it is a guest;
    ``options``: kernel parameters and policies that matter, as sorted pairs (see ``OPTIONS``); ``unmovable``: memory blocks
    known to hold pages that cannot be moved away.
    """

    iomem: Resource
    nodes: tuple[tuple[int, int, int], ...] = ()
    block_size: int | None = None
    hypervisor: bool = True
    options: tuple[tuple[str, str], ...] = ()
    unmovable: tuple[int, ...] = ()

    @property
    def ram(self) -> tuple[tuple[int, int, int], ...]:
        """Boot RAM as ``(start, end, nid)``, half-open, cut at node borders."""
        wanted = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY
        found: list[tuple[int, int, int]] = []
        for res in self.iomem.children:
            if res.flags & wanted == wanted and res.name == "System RAM":
                found.extend(self._cut(res.start, res.end + 1))
        return tuple(found)

    def _cut(self, start: int, end: int) -> list[tuple[int, int, int]]:
        pieces: list[tuple[int, int, int]] = []
        at = start
        for low, high, nid in self.nodes:
            if high <= at or low >= end:
                continue
            if low > at:
                pieces.append((at, low, 0))
            pieces.append((max(low, at), min(high, end), nid))
            at = min(high, end)
        if at < end:
            pieces.append((at, end, 0))
        return pieces


_MAX_NUMNODES = 1024

#: option -> allowed values (None: a number of bytes).
OPTIONS: dict[str, tuple[str, ...] | None] = {
    "auto_online": ("offline", "online", "online_kernel", "online_movable"),
    "auto_movable_numa_aware": ("N", "Y"),
    "auto_movable_ratio": None,
    "cpu_nodes": None,
    "linear_map_page_size": None,
    "kernelcore": None,
    "memmap_on_memory": ("N", "Y", "force"),
    "movable_node": ("N", "Y"),
    "movablecore": None,
    "online_policy": ("auto-movable", "contig-zones"),
    "physmem_end": None,
    "possible_nodes": None,
    "tdx_host": ("N", "Y"),
}


def _parameters(state: State, layout: BootLayout) -> None:
    misc, kernel = state.misc, state.kernel
    options = dict(layout.options)
    for name, value in options.items():
        allowed = OPTIONS.get(name, ())
        if allowed is not None and value not in allowed:
            raise InputError(f"option {name}={value} is not known", remedy="known are " + ", ".join(sorted(OPTIONS)))
    misc["auto_online"] = options.get("auto_online", "online" if kernel.features.online_by_default else "offline")
    misc["online_policy"] = options.get("online_policy", "contig-zones")
    misc["movable_node"] = options.get("movable_node") == "Y"
    misc["memmap_on_memory"] = options.get("memmap_on_memory", "N")
    misc["tdx_host"] = options.get("tdx_host") == "Y" and kernel.arch == "x86_64"
    misc["auto_movable_numa_aware"] = options.get("auto_movable_numa_aware", "Y") == "Y"
    misc["auto_movable_ratio"] = int(options.get("auto_movable_ratio", "301"))
    for name in ("linear_map_page_size", "physmem_end"):
        if name in options:
            misc[name] = int(options[name], 0)
    for name in ("kernelcore", "movablecore"):
        if name in options:
            misc[f"{name}_pages"] = int(options[name], 0) >> kernel.geometry.PAGE_SHIFT
    nids = {nid for _, _, nid in layout.ram} | {0}
    possible = int(options.get("possible_nodes", "1"), 0)
    if max(possible, *nids) > _MAX_NUMNODES:
        raise InputError(
            f"possible_nodes={possible} or a node above it", remedy=f"a kernel knows at most {_MAX_NUMNODES} nodes"
        )
    misc["possible_nodes"] = frozenset(nids | set(range(possible)))
    misc["cpu_nodes"] = frozenset(range(int(options["cpu_nodes"], 0))) if "cpu_nodes" in options else frozenset(nids)
    ram = layout.ram
    dram_start = ram[0][0] if ram else 0
    misc["zone_limits"] = zone_limits(kernel, dram_start)
    reachable = mappable_range(kernel, dram_start)
    misc["arch_mappable_range"] = (reachable.start, reachable.end - 1)
    misc["unmovable_blocks"] = frozenset(layout.unmovable)
    misc["boot_memory_stays"] = kernel.features.arm64_boot_memory_stays
    misc["memory_block_size_bytes"] = layout_block_size(kernel, layout)


def layout_block_size(kernel: Kernel, layout: BootLayout) -> int:
    """Bytes of a memory block: the layout's own size, or by that kernel's rule."""
    return memory_block_size_bytes(
        kernel,
        max((end for _, end, _ in layout.ram), default=0),
        hypervisor=layout.hypervisor,
        advice=memory_block_advise_max_size(tuple(r for _, r in cxl_windows(layout.iomem))),
        forced=layout.block_size,
    )


def boot(kernel: Kernel, layout: BootLayout) -> State:
    """Boot that kernel on that layout. Raises InputError for an option it does not know, Refusal where the kernel panics."""
    state = State(kernel)
    state.misc["iomem"] = layout.iomem
    _parameters(state, layout)
    boot_memory(state, layout.ram)
    state.booted((kernel, layout))
    return state
