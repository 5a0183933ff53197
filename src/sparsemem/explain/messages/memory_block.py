"""Messages of drivers/base/memory.c and of whoever chooses the memory block size; ACPI's memory device; virtio-mem."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, DMESG, IOMEM
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_ACPI = "drivers/acpi/acpi_memhotplug.c"
_VIRTIO = "drivers/virtio/virtio_mem.c"
_UNUSABLE = Step(
    "Place the device's memory region at a multiple of the memory block size and let its size be one "
    "(QEMU: memaddr=, the size of the backend)."
)

MESSAGES: tuple[Message, ...] = (
    Message(
        id="x86-block-size",
        title="the memory block size of this boot",
        file="arch/x86/mm/init_64.c",
        function="probe_memory_block_size",
        rule="memory-block-size",
        wordings=(Wording("x86/mm: Memory block size: %ldMB", fields=("block_mib",)),),
        what=(
            "Not an error: the kernel says that System RAM is added, removed and onlined in blocks of {block_mib} MiB "
            "until the next boot."
        ),
        steps=(BLOCK_SIZE,),
        see=("memory block", "block-size-2g"),
    ),
    Message(
        id="block-size-not-suitable",
        title="a memory block size that is no power of two",
        file="drivers/base/memory.c",
        function="memory_dev_init",
        wordings=(Wording("Memory block size not suitable: 0x%lx", fields=("block",)),),
        rule="memory-block-size",
        what=(
            "The kernel stops at boot: the platform named a block size that is no power of two or smaller than a "
            "section."
        ),
    ),
    Message(
        id="acpi-add-memory-failed",
        title="a hot-added DIMM was refused",
        file=_ACPI,
        function="acpi_memory_enable_device",
        wordings=(Wording("add_memory failed"),),
        rule="block-alignment",
        hint="PNP0C80",
        what=(
            "The firmware announced memory and the kernel did not take it. The reason stands in the line before this "
            "one, usually an unaligned range."
        ),
        steps=(DMESG, BLOCK_SIZE),
        cases=("C33", "C35"),
        see=("dimm-misaligned",),
    ),
    Message(
        id="acpi-enable-device-error",
        title="a hot-added DIMM was refused",
        file=_ACPI,
        function="acpi_memory_device_add",
        wordings=(Wording("acpi_memory_enable_device() error"),),
        rule="block-alignment",
        what="No part of the announced memory could be added; the lines before this one say why.",
        steps=(DMESG,),
        cases=("C33",),
        see=("dimm-misaligned",),
    ),
    Message(
        id="acpi-enumeration-failure",
        title="a device that the firmware announced was not taken",
        file="drivers/acpi/scan.c",
        function="acpi_scan_device_check",
        wordings=(Wording("Enumeration failure", None, "5.9", note="last release not verified; not in 5.10"),),
        hint="PNP0C80",
        what=(
            "ACPI gave up on a device; for memory (PNP0C80) that follows from a refused add, reported in the lines "
            "before."
        ),
        steps=(DMESG,),
        cases=("C33", "C35"),
    ),
    Message(
        id="acpi-device-empty",
        title="a memory device without memory",
        file=_ACPI,
        function="acpi_memory_enable_device",
        errno="EINVAL",
        wordings=(Wording("device is empty", "5.11", note="first release not verified; read in 6.1"),),
        hint="PNP0C80",
        what="The firmware announced a memory device whose ranges are all empty or not memory.",
    ),
    Message(
        id="virtio-mem-misaligned",
        title="part of a virtio-mem device can not be used",
        file=_VIRTIO,
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
        file=_VIRTIO,
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
        title="virtio-mem could not add memory",
        file=_VIRTIO,
        function="virtio_mem_add_memory",
        rule="allocation-failure",
        wordings=(
            Wording("adding memory failed: %d", "5.11", fields=("errno",)),
            Wording("adding memory block %lu failed with %d", "5.8", "5.10", fields=("nr", "errno")),
        ),
        what="A block of the device was refused or the page array found no memory.",
        steps=(DMESG,),
    ),
    Message(
        id="virtio-mem-reserve",
        title="the region of a virtio-mem device is taken",
        file=_VIRTIO,
        function="virtio_mem_create_resource",
        errno="EBUSY",
        rule="device-resource-busy",
        wordings=(Wording("could not reserve device region", "5.8"),),
        what=(
            "Another driver holds the device's range, or memory of an earlier use of this driver is still there "
            "(reloading it is not supported)."
        ),
        steps=(IOMEM,),
    ),
)
