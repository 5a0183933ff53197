"""What a described machine boots on: its RAM, reserved ranges and devices, without what drivers hot-plugged later.

The iomem tree is the best source; a firmware map, the memory blocks, or the regions of a listing stand in where it is missing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.errors import InputError, NotModelledError
from sparsemem.kernel.ioport import (
    IORES_DESC_NONE,
    IORESOURCE_BUSY,
    IORESOURCE_SYSRAM_DRIVER_MANAGED,
    IORESOURCE_SYSTEM_RAM,
    RESOURCE_SIZE_MAX,
    Resource,
)
from sparsemem.kernel.resource import iomem_resource
from sparsemem.machine.build_nd import placed
from sparsemem.machine.description import BlockFact, BootRegion, MachineDescription, Note
from sparsemem.machine.e820 import boot_regions
from sparsemem.machine.layout import BootLayout
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from sparsemem.spec import Kernel

__all__ = ["align_up", "boot_layout", "dax_ram", "driver_ram", "is_driver_ram"]

_DRIVER_RAM = re.compile(r"System RAM \((.*)\)\Z")


def is_driver_ram(res: Resource) -> bool:
    """Is it RAM that a driver added, by its name?"""
    return _DRIVER_RAM.match(res.name or "") is not None


def _without_hotplugged(res: Resource) -> Resource:
    """The entry without the RAM that a driver put inside it."""
    if not res.children:
        return res
    kept = []
    for child in res.children:
        if child.flags & IORESOURCE_SYSRAM_DRIVER_MANAGED or is_driver_ram(child):
            continue
        if child.name == "System RAM" and not (res.flags & IORESOURCE_BUSY):
            continue
        kept.append(_without_hotplugged(child))
    return Resource(res.start, res.end, res.name, res.flags, res.desc, tuple(kept))


def driver_ram(root: Resource) -> list[tuple[str, Range]]:
    """Name and range of each piece of RAM that drivers added."""
    found = []
    for depth, res in root.walk():
        if depth and is_driver_ram(res):
            found.append((res.name or "", Range(res.start, res.end + 1)))
    return found


def dax_ram(description: MachineDescription, block_size: int) -> list[Range]:
    """The memory blocks of devices that are RAM."""
    whole = [
        Range(align_up(r.start, block_size), r.end // block_size * block_size)
        for dax in description.dax
        if dax.mode == "system-ram"
        for r in dax.ranges
    ]
    return [r for r in whole if r.start < r.end]


def _from_blocks(description: MachineDescription, block_size: int) -> Resource:
    """Without an iomem tree, memory blocks are what is known of RAM; but for those of devices that are RAM."""
    flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY
    ranges: list[Range] = []
    hotplugged = dax_ram(description, block_size)
    for block in sorted(description.blocks, key=lambda b: b.nr):
        r = Range(block.nr * block_size, (block.nr + 1) * block_size)
        if any(each.contains(r) for each in hotplugged):
            continue
        if ranges and ranges[-1].end == r.start:
            ranges[-1] = Range(ranges[-1].start, r.end)
        else:
            ranges.append(r)
    return iomem_resource(
        RESOURCE_SIZE_MAX, tuple(Resource(r.start, r.end - 1, "System RAM", flags, IORES_DESC_NONE, ()) for r in ranges)
    )


def _boot_map(description: MachineDescription, notes: list[Note]) -> tuple[BootRegion, ...]:
    """The map the kernel went on with: firmware's, with ``mem=`` and ``memmap=`` of the command line."""
    if description.arch not in (None, "x86_64"):
        return description.boot_map
    try:
        return boot_regions(description.boot_map, description.cmdline or "")
    except (InputError, NotModelledError) as error:
        notes.append(Note(description.source, "", f"mem= and memmap= of its command line are not applied: {error}"))
        return description.boot_map


def _from_boot_map(boot_map: tuple[BootRegion, ...]) -> Resource:
    from sparsemem.kernel.iomem_text import flags_for_name

    names = {
        "usable": "System RAM",
        "persistent": "Persistent Memory",
        "persistent (type 7)": "Persistent Memory",
        "persistent (type 12)": "Persistent Memory (legacy)",
        "soft reserved": "Soft Reserved",
        "ACPI data": "ACPI Tables",
        "ACPI NVS": "ACPI Non-volatile Storage",
    }
    children: list[Resource] = []
    for entry in sorted(boot_map, key=lambda e: e.range.start):
        name = names.get(entry.kind, "Reserved")
        start = max(entry.range.start, children[-1].end + 1 if children else 0)
        if start >= entry.range.end:
            continue
        flags, desc = flags_for_name(name, start)
        apart = name in ("Persistent Memory (legacy)", "Soft Reserved")  # e820__update_table() never joins these
        if children and children[-1].end + 1 == start and children[-1].name == name and not apart:
            last = children.pop()
            start = last.start
        children.append(Resource(start, entry.range.end - 1, name, flags, desc, ()))
    return iomem_resource(RESOURCE_SIZE_MAX, tuple(children))


def _from_regions(description: MachineDescription) -> Resource:
    """A listing alone: the regions are all that is known."""
    from sparsemem.kernel.iomem_text import flags_for_name

    children: list[Resource] = []
    for r in sorted(region.range for region in placed(description) if region.range is not None):
        start = max(r.start, children[-1].end + 1 if children else 0)
        if start < r.end:
            flags, desc = flags_for_name("Persistent Memory", start)
            children.append(Resource(start, r.end - 1, "Persistent Memory", flags, desc, ()))
    return iomem_resource(RESOURCE_SIZE_MAX, tuple(children))


def _nodes(blocks: tuple[BlockFact, ...], block_size: int) -> tuple[tuple[int, int, int], ...]:
    nodes: list[tuple[int, int, int]] = []
    for block in sorted(blocks, key=lambda b: b.nr):
        if not block.nid:
            continue
        start, end = block.nr * block_size, (block.nr + 1) * block_size
        if nodes and nodes[-1][1] == start and nodes[-1][2] == block.nid:
            start = nodes.pop()[0]
        nodes.append((start, end, block.nid))
    return tuple(nodes)


def boot_layout(description: MachineDescription, k: Kernel, notes: list[Note]) -> BootLayout:
    """What the kernel boots on; the memory block size is left to its rule."""
    block_size = description.block_size
    if description.iomem is not None:
        root = description.iomem
    elif description.boot_map:
        root = _from_boot_map(_boot_map(description, notes))
    elif description.blocks and block_size:
        root = _from_blocks(description, block_size)
        notes.append(
            Note(description.source, "", "no iomem: RAM is taken from the memory blocks, devices are not known")
        )
    elif placed(description):
        root = _from_regions(description)
    elif description.regions or description.namespaces or description.dax:
        root = iomem_resource(RESOURCE_SIZE_MAX, ())
        notes.append(
            Note(description.source, "", "it does not tell where RAM is: nothing that depends on it is judged")
        )
    else:
        raise InputError(
            "nothing in it tells where memory is",
            where=description.source,
            remedy="add /proc/iomem (read as root), a boot log with its e820 map, lsmem --json output, or the regions (ndctl list -RNv)",
        )
    options: dict[str, str] = {}
    if description.auto_online is not None:
        options["auto_online"] = description.auto_online
    if description.tdx_host:
        options["tdx_host"] = "Y"
    for word in (description.cmdline or "").split():
        if word == "movable_node":
            options["movable_node"] = "Y"
        elif word.startswith("memory_hotplug.memmap_on_memory="):
            value = word.partition("=")[2].lower()
            options["memmap_on_memory"] = {"1": "Y", "y": "Y", "on": "Y", "force": "force"}.get(value, "N")
        elif word.startswith("memory_hotplug.online_policy=auto-movable"):
            options["online_policy"] = "auto-movable"
    nodes = _nodes(description.blocks, block_size) if block_size else ()
    nids = {b.nid for b in description.blocks if b.nid} | {d.target_node for d in description.dax if d.target_node}
    if nids:
        options["possible_nodes"] = str(max(n for n in nids if n is not None) + 1)
    tree = iomem_resource(root.end, tuple(_without_hotplugged(res) for res in root.children))
    hypervisor = description.hypervisor if description.hypervisor is not None else True
    return BootLayout(tree, nodes, None, hypervisor, tuple(sorted(options.items())))


def align_up(value: int, unit: int) -> int:
    """The lowest multiple of ``unit`` that is not below ``value``."""
    return -(-value // unit) * unit
