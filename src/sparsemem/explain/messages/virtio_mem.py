"""Messages of drivers/virtio/virtio_mem.c: a device whose memory comes and goes in pieces."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, DMESG, IOMEM
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_FILE = "drivers/virtio/virtio_mem.c"
_UNUSABLE = Step(
    "Place the device's memory region at a multiple of the memory block size and let its size be one "
    "(QEMU: memaddr=, the size of the backend)."
)

MESSAGES: tuple[Message, ...] = (
    Message(
        id="virtio-mem-sizes",
        title="what a virtio-mem device has, and what is asked of it",
        file=_FILE,
        function="virtio_mem_refresh_config",
        wordings=(
            Wording("plugged size: %#llx", "5.8", fields=("size",)),
            Wording("requested size: %#llx", "5.8", fields=("size",)),
            Wording("start address: %#llx", "5.8", fields=("start",)),
            Wording("region size: %#llx", "5.8", fields=("size",)),
            Wording("device block size: %#llx", "5.8", fields=("size",)),
            Wording("subblock size: %#llx", "5.8", fields=("size",)),
            Wording("big block size: %#llx", "5.11", fields=("size",)),
            Wording("memory block size: %#lx", "5.8", fields=("block",)),
            Wording("nid: %d", "5.8", fields=("node",)),
        ),
        hint="virtio_mem",
        what=(
            "The driver works until what is plugged is what is requested. Where it stays below, no memory could be added; where it stays "
            "above, pages in use could not be moved away: memory of a kernel zone often stays, memory in ZONE_MOVABLE goes. It is "
            "asked of the device block by block, and added and removed in whole memory blocks or parts of one (sub-blocks)."
        ),
        steps=(DMESG, BLOCK_SIZE),
    ),
    Message(
        id="virtio-mem-misaligned",
        title="part of a virtio-mem device can not be used",
        file=_FILE,
        function="virtio_mem_init",
        rule="block-alignment",
        wordings=(
            Wording("The alignment of the physical start address can make some memory unusable."),
            Wording("The alignment of the physical end address can make some memory unusable."),
        ),
        what=(
            "The device's memory does not start or end at a memory block; what lies outside whole blocks is never "
            "added."
        ),
        steps=(BLOCK_SIZE, _UNUSABLE),
        see=("kmem-stranded",),
    ),
    Message(
        id="virtio-mem-unaddressable",
        title="part of a virtio-mem device is above the address limit",
        file=_FILE,
        function="virtio_mem_init",
        rule="addressable-range",
        wordings=(
            Wording("Some device memory is not addressable/pluggable. This can make some memory unusable.", "5.12"),
            Wording("Some memory is not addressable. This can make some memory unusable.", "5.8", "5.11"),
        ),
        what="The device reaches above the highest address that this kernel can add memory at.",
        steps=(_UNUSABLE,),
    ),
    Message(
        id="virtio-mem-add-failed",
        title="a virtio-mem device's memory is refused",
        file=_FILE,
        function="virtio_mem_add_memory",
        wordings=(
            Wording("adding memory failed: %d", "5.11", fields=("errno",)),
            Wording("adding memory block %lu failed with %d", "5.8", "5.10", fields=("number", "errno")),
            Wording("unknown error, marking device broken: %d", "5.8", fields=("errno",)),
        ),
        hint="virtio_mem",
        what=(
            "The kernel refused to add a range of the device; what it says just before is the reason. A device marked broken is not tried "
            "again before the next boot."
        ),
        steps=(DMESG, IOMEM),
        by_errno=(
            (-12, "No room for the struct pages or page tables of the new memory."),
            (-17, "Something has the range already: another driver, or memory that was left by an earlier one."),
            (-22, "The range is off the memory blocks, or the node can not be."),
            (-34, "The range lies beyond what this kernel can address."),
        ),
    ),
    Message(
        id="virtio-mem-reserve",
        title="a virtio-mem device's region is taken",
        file=_FILE,
        function="virtio_mem_create_resource",
        errno="EBUSY",
        rule="device-resource-busy",
        wordings=(
            Wording("could not reserve device region", "5.8"),
            Wording("reloading the driver is not supported", "5.8"),
            Wording("device still has system memory added", "5.8"),
        ),
        hint="virtio_mem",
        what=(
            "Another driver holds the device's range, or this one was unloaded with memory still added: that memory stays and holds the "
            "range until the next boot."
        ),
        steps=(Step("Shrink the device to 0 before the driver is unloaded; now reboot."), IOMEM),
    ),
    Message(
        id="virtio-mem-unplug-all",
        title="a virtio-mem device that must first give back everything",
        file=_FILE,
        function="virtio_mem_init_hotplug",
        wordings=(Wording("unplugging all memory is required", "5.8"),),
        hint="virtio_mem",
        what="The hypervisor still had memory plugged from before, as after a reboot without reset. It is given back first.",
    ),
)  # fmt: skip
