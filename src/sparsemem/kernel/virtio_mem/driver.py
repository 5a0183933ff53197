"""The driver meets a virtio-mem device, reads its configuration, and does what the device asks for in its work queue. Bytes."""

from __future__ import annotations

from errno import EAGAIN, EBUSY, EINVAL, ENOMEM, ENOSPC
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.dd import probe_failed
from sparsemem.kernel.ioport import IORESOURCE_EXCLUSIVE, IORESOURCE_SYSTEM_RAM
from sparsemem.kernel.memory_hotplug.groups import memory_group_register_dynamic
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import request_mem_region, update_resource
from sparsemem.kernel.virtio_mem.plug import virtio_mem_plug_request
from sparsemem.kernel.virtio_mem.table import (
    PLUGGED,
    VirtioMem,
    device_of,
    in_states,
    put_device,
    take_work,
    vm_of,
)
from sparsemem.kernel.virtio_mem.unplug import virtio_mem_try_remove_unplugged, virtio_mem_unplug_request

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["VirtioMemConfig", "VirtioMemParameters", "run_queued_work", "virtio_mem_config_changed", "virtio_mem_probe"]

_GIB = 1 << 30
_BUDDY_MAX_BYTES = 4 << 20  # MAX_ORDER - 1 is 10, as CONFIG_FORCE_MAX_ZONEORDER leaves it, with pages of 4 KiB


class VirtioMemConfig(NamedTuple):
    """``struct virtio_mem_config``: what the device tells its driver. ``nid``: the node of its proximity domain."""

    addr: int
    region_size: int
    block_size: int
    requested_size: int
    usable_region_size: int
    nid: int = 0


class VirtioMemParameters(NamedTuple):
    """The module's parameters."""

    unplug_online: bool = True
    force_bbm: bool = False
    bbm_block_size: int = 0


def _sub_block_size(state: State, config: VirtioMemConfig) -> int:
    g = state.kernel.geometry
    least = g.pageblock_nr_pages << g.PAGE_SHIFT
    if not state.kernel.features.virtio_mem_pageblock_subblocks:
        least = max(least, _BUDDY_MAX_BYTES)
    return max(config.block_size, least)


def _init_hotplug(state: State, name: str, config: VirtioMemConfig, parameters: VirtioMemParameters) -> VirtioMem:
    """Choose the mode and the sizes, and say what does not fit."""
    f, size = state.kernel.features, state.misc["memory_block_size_bytes"]

    def log(level: str, text: str) -> None:
        state.log(level, f"virtio_mem {name}: {text}")

    if not f.virtio_mem_big_block_mode and config.block_size > size:
        log("err", "The block size is not supported (too big).")
        raise Refusal(EINVAL, "virtio_mem_init", "virtio-mem-block-size")
    ends = {"start": config.addr, "end": config.addr + config.region_size}
    for word, address in ends.items():
        if address % size:
            text = f"The alignment of the physical {word} address can make some memory unusable."
            log("warn", text)
    sb_size = _sub_block_size(state, config)
    in_sbm = not f.virtio_mem_big_block_mode or (sb_size < size and not parameters.force_bbm)
    unit, threshold = size, max(2 * size, _GIB)
    if not in_sbm:
        unit = max(config.block_size, size)
        wanted = parameters.bbm_block_size
        if wanted and wanted & (wanted - 1):
            log("warn", "bbm_block_size is not a power of 2")
        elif wanted and wanted < unit:
            log("warn", "bbm_block_size is too small")
        elif wanted:
            unit = wanted
        sb_size, threshold = unit, max(2 * unit, threshold)
    return VirtioMem(
        name, config.addr, config.region_size, config.block_size, config.nid, 0, 0, in_sbm, unit, sb_size,
        -(-config.addr // unit), threshold, parameters.unplug_online,
    )  # fmt: skip


def _say(state: State, vm: VirtioMem) -> None:
    """The device's own sizes, and how it is used."""
    block: int = state.misc["memory_block_size_bytes"]
    own = [
        f"start address: {vm.addr:#x}",
        f"region size: {vm.region_size:#x}",
        f"device block size: {vm.device_block_size:#x}",
    ]
    used = [f"memory block size: {block:#x}", f"{'subblock' if vm.in_sbm else 'big block'} size: {vm.sb_size:#x}"]
    nid = [f"nid: {vm.nid}"]
    for words in [*own, *nid, *used] if state.kernel.features.virtio_mem_says_nid_first else [*own, *used, *nid]:
        state.log("info", f"virtio_mem {vm.name}: {words}")


def _create_resource(state: State, vm: VirtioMem) -> None:
    claimed = request_mem_region(state.iomem, vm.addr, vm.region_size, vm.name, log=state.log)
    if claimed is None:
        state.log("warn", f"virtio_mem {vm.name}: could not reserve device region")
        state.log("info", f"virtio_mem {vm.name}: reloading the driver is not supported")
        raise Refusal(EBUSY, "virtio_mem_create_resource", "resource-busy")
    exclusive = IORESOURCE_EXCLUSIVE if state.kernel.features.virtio_mem_region_exclusive else 0
    state.iomem, _ = update_resource(claimed[0], claimed[1], flags=IORESOURCE_SYSTEM_RAM | exclusive)


def virtio_mem_probe(
    state: State, name: str, config: VirtioMemConfig, parameters: VirtioMemParameters | None = None
) -> None:
    """A device is found: claim its region, plug what it requests. A kernel before v5.8 has no driver and says nothing.

    Raises Refusal: EINVAL (blocks larger than a memory block, up to v5.10; impossible node), EBUSY (the region is claimed by another).
    """
    if not state.kernel.features.virtio_mem:
        return
    before = state.iomem
    try:
        state.alloc("virtio_mem_probe")
        vm = _init_hotplug(state, name, config, parameters or VirtioMemParameters())
        _say(state, vm)
        _create_resource(state, vm)
        if state.kernel.features.memory_groups:
            pages = vm.block_size >> state.kernel.geometry.PAGE_SHIFT
            vm = vm._replace(group=memory_group_register_dynamic(state, vm.nid, pages))
    except Refusal as refusal:
        state.iomem = before
        probe_failed(state, "virtio_mem", name, refusal.errno)
        raise
    put_device(state, vm)
    virtio_mem_config_changed(state, name, config.requested_size, config.usable_region_size)


def virtio_mem_config_changed(state: State, name: str, requested_size: int, usable_region_size: int) -> None:
    """The device says that its configuration changed. Without a driver nobody hears it."""
    vm = device_of(state, name)
    if vm is not None and not vm.broken:
        put_device(state, vm._replace(requested_size=requested_size, usable_region_size=usable_region_size))
        state.log("info", f"virtio_mem {name}: plugged size: {vm.plugged_size:#x}")
        state.log("info", f"virtio_mem {name}: requested size: {requested_size:#x}")
        virtio_mem_run_wq(state, name)


def virtio_mem_run_wq(state: State, name: str) -> None:
    """Plug or unplug until the device has what it requests, or cannot now. An error that is not expected stops the driver for good."""
    vm = device_of(state, name)
    if vm is None or vm.broken:
        return
    state.put(state.misc, "virtio_mem_active", name)
    errno = _work(state, name)
    state.drop(state.misc, "virtio_mem_active")
    if errno not in (0, ENOSPC, EBUSY, ENOMEM, EAGAIN):
        state.log("err", f"virtio_mem {name}: unknown error, marking device broken: {-errno}")
        put_device(state, vm_of(state, name)._replace(broken=True))


def _work(state: State, name: str) -> int:
    for vm, block_id in in_states(state, name, PLUGGED):
        put_device(state, vm.with_mask(block_id, 0))
    if state.kernel.features.virtio_mem_keeps_removing:
        virtio_mem_try_remove_unplugged(state, name)
    vm = vm_of(state, name)
    diff = vm.requested_size - vm.plugged_size
    return virtio_mem_plug_request(state, name, diff) if diff > 0 else virtio_mem_unplug_request(state, name, -diff)


def run_queued_work(state: State) -> None:
    """Let the work queues run that were called on the way: each time something was added, removed or changed its state."""
    while (name := take_work(state)) is not None:
        virtio_mem_run_wq(state, name)
