"""Messages of hot-plug as a guest, its tools and its hypervisor print them, and of what reads memory that came so."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, DAXLIST, DMESG, IOMEM
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_HV = "drivers/hv/hv_balloon.c"
_DAXCTL = "daxctl/device.c"
_POLICY = Step("See the policy.", ("cat", "/sys/devices/system/memory/auto_online_blocks"))
_ZONES = Step("See blocks, states and zones.", ("lsmem", "-o", "+ZONES"))

MESSAGES: tuple[Message, ...] = (
    Message(
        id="hv-hot-add-failed",
        title="a Hyper-V guest took none of the memory it was given",
        file=_HV,
        function="hot_add_req",
        wordings=(Wording("Memory hot add failed"),),
        hint="hv_balloon",
        what=(
            "Hyper-V offered memory and the guest added none of it: its kernel is built without memory hot-plug, or "
            "every chunk was refused (the line before tells the errno), or an earlier refusal ended hot-add for good. "
            "Linux adds it in chunks of 128 MiB, newer kernels in memory blocks where these are larger, each at a "
            "multiple of that: less than a chunk is never added."
        ),
        steps=(DMESG, BLOCK_SIZE, _POLICY),
        see=("memory hotplug", "dimm-misaligned"),
    ),
    Message(
        id="hv-hot-add-error",
        title="a Hyper-V guest could not add a chunk of memory",
        file=_HV,
        function="hv_mem_hot_add",
        rule="block-alignment",
        wordings=(Wording("hot_add memory failed error is %d", fields=("errno",)),),
        hint="hv_balloon",
        what=(
            "One chunk of 128 MiB (or of a memory block) was refused, for the reason that the error number tells. "
            "After -17 (EEXIST: the addresses are taken) the driver never tries again until the guest boots anew."
        ),
        steps=(DMESG, IOMEM, BLOCK_SIZE),
        see=("hv-hot-add-failed",),
    ),
    Message(
        id="acpi-offline-failed",
        title="a memory block kept a DIMM from going",
        file="drivers/acpi/scan.c",
        function="acpi_scan_try_to_offline",
        errno="EBUSY",
        rule="unmovable-page",
        wordings=(Wording("Offline failed.", fields=()),),
        hint="memory memory",
        what=(
            "A DIMM was to be unplugged, and this block of it does not go offline: pages that can not move lie in it, "
            "as they do in blocks of a kernel zone. The blocks that had gone offline come back, and the DIMM stays."
        ),
        steps=(
            _ZONES,
            Step("Next time, online hot-plugged memory as movable: boot with memhp_default_state=online_movable."),
        ),
        see=("offline", "unmovable-block"),
    ),
    Message(
        id="ioremap-on-ram",
        title="RAM was to be mapped as device memory",
        file="arch/x86/mm/ioremap.c",
        function="__ioremap_caller",
        wordings=(Wording("ioremap on RAM at %#llx - %#llx", fields=("start", "last")),),
        units=("section", "subsection"),
        what=(
            "A driver, or a read of /dev/mem, asked for an uncached mapping of System RAM, and was refused. Where the "
            'RAM came from a device ("System RAM (kmem)" inside a CXL window), kernels before 6.12 do not see at once '
            'that it is RAM, and /dev/mem answers "Bad address" instead of "Operation not permitted".'
        ),
        steps=(IOMEM,),
        see=("kmem-stranded",),
    ),
    Message(
        id="daxctl-all-online",
        title="daxctl had nothing left to online or offline",
        file=_DAXCTL,
        function="dev_online_memory",
        wordings=(
            Wording("%s: all memory sections (%d) already online", fields=("device", "blocks")),
            Wording("%s: all memory sections (%d) already offline", fields=("device", "blocks")),
            Wording("%s: %d memory sections already online", fields=("device", "blocks")),
            Wording("%s: %d memory sections already offline", fields=("device", "blocks")),
            Wording("%s: %d memory section already online", fields=("device", "blocks")),
            Wording("%s: %d memory section already offline", fields=("device", "blocks")),
        ),
        what=(
            "daxctl calls memory blocks sections. Those of {device} were in that state before it did anything: the "
            "kernel's policy or a udev rule was faster, and may have chosen another zone. Up to release 66 daxctl "
            'then says "reconfigured 0 devices" although the device is system-ram.'
        ),
        steps=(DAXLIST, _ZONES, _POLICY),
        see=("auto online", "kmem-partly-online"),
    ),
    Message(
        id="cxl-set-target-failed",
        title="a memory device can not be that target of a CXL region",
        file="cxl/region.c",
        function="create_region",
        wordings=(Wording("%s: failed to set target%d to %s", fields=("region", "position", "memdev")),),
        what=(
            "The kernel refused {memdev} at that place of the interleave set; its reason stands in the log. Devices "
            "have to be named in the order in which the window's host bridges take turns, each below the decoder of "
            "the region, and a device without a serial number or with its capacity taken is none."
        ),
        steps=(
            DMESG,
            Step("See the targets of each root decoder, in order.", ("cxl", "list", "-D", "-T", "-d", "root")),
        ),
        see=("cxl window",),
    ),
    Message(
        id="qemu-backend-multiple",
        title="QEMU takes memory of that device in larger units",
        file="qemu/hw/mem/memory-device.c",
        function="memory_device_get_free_addr",
        wordings=(Wording("backend memory size must be multiple of 0x%x", fields=("unit",)),),
        what=(
            "The size of the memory backend is no multiple of what the host backs it with: 2 MiB on x86-64, 512 MiB "
            "on arm64 hosts with pages of 64 KiB. The guest's own memory blocks come on top of that."
        ),
        steps=(
            Step("Give the backend a size that is a multiple of that, and of the guest's memory block."),
            BLOCK_SIZE,
        ),
        see=("dimm-misaligned", "virtio-mem-misaligned"),
    ),
)
