"""``drivers/acpi/acpi_memhotplug.c`` and the hot-remove of ``drivers/acpi/scan.c``: a DIMM that comes and goes. Bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.memory_block import device_offline, device_online, walk_memory_blocks
from sparsemem.kernel.memory_hotplug.add_remove import (
    MHP_MEMMAP_ON_MEMORY,
    MHP_NID_IS_MGID,
    add_memory,
    try_remove_memory,
)
from sparsemem.kernel.memory_hotplug.groups import memory_group_register_static, memory_group_unregister
from sparsemem.kernel.memory_hotplug.memmap_on_memory import mhp_supports_memmap_on_memory
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["acpi_memory_device_add", "acpi_memory_device_remove", "acpi_scan_try_to_offline"]


def acpi_memory_device_add(state: State, start: int, size: int, nid: int = 0, device: str = "PNP0C80:00") -> int | None:
    """Enable a memory device; its memory group (v5.15+), or None. Raises Refusal(EINVAL) with the driver's two lines.

    Memory that the kernel has already (-EEXIST) counts as enabled.
    """
    f = state.kernel.features
    group: int | None = None
    target, flags = nid, 0
    if f.memory_groups:
        group = memory_group_register_static(state, nid, -(-size // state.kernel.geometry.PAGE_SIZE))
        target, flags = group, MHP_NID_IS_MGID
    if mhp_supports_memmap_on_memory(state, size):
        flags |= MHP_MEMMAP_ON_MEMORY
    try:
        add_memory(state, target, start, size, flags)
    except Refusal as refusal:
        if refusal.errno == 17:
            return group
        if group is not None:
            memory_group_unregister(state, group)
        lines = (
            f"acpi {device}: add_memory failed",
            f"acpi {device}: acpi_memory_enable_device() error",
        )
        for line in lines:
            state.log("err", line)
        raise Refusal(22, "acpi_memory_enable_device", refusal.rule, (*refusal.log, *lines)) from refusal
    return group


def acpi_scan_try_to_offline(state: State, start: int, size: int) -> None:
    """Offline the blocks of a device in two passes; on failure they go online again. Raises Refusal(EBUSY)."""
    done: list[int] = []
    failed = False
    blocks = [nr for nr, _ in walk_memory_blocks(state, start, size)]
    for nr in blocks:
        try:
            if device_offline(state, nr):
                done.append(nr)
        except Refusal:
            failed = True
    if not failed:
        return
    for nr in blocks:
        if nr in done:
            continue
        try:
            if device_offline(state, nr):
                done.append(nr)
        except Refusal:
            text = f"memory memory{nr}: Offline failed."
            state.log("warn", text)
            for other in done:
                device_online(state, other)
            raise Refusal(16, "acpi_scan_try_to_offline", "block-online", (text,)) from None


def acpi_memory_device_remove(state: State, start: int, size: int, group: int | None) -> None:
    """Eject a memory device: offline its blocks, remove its memory. Raises Refusal(EBUSY) when a block stays online.

    Memory that was never added (-EEXIST counts as enabled) is removed all the same, with the warnings that it brings.
    """
    acpi_scan_try_to_offline(state, start, size)
    try_remove_memory(state, start, size)
    if group is not None and group in state.groups:
        memory_group_unregister(state, group)
