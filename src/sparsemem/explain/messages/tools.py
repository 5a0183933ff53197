"""What daxctl, cxl and the shell print."""

from __future__ import annotations

from sparsemem.explain.messages._reasons import REASONS
from sparsemem.explain.messages._steps import BLOCK_SIZE, DAXLIST, DMESG, IOMEM, LIST, REGION_ALIGN
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_NDCTL = "ndctl/namespace.c"
_DAXCTL = "daxctl/device.c"
_LIBDAXCTL = "daxctl/lib/libdaxctl.c"


MESSAGES: tuple[Message, ...] = (
    Message(
        id="libdaxctl-failed-to-enable",
        title="the kernel did not take a dax device",
        file=_LIBDAXCTL,
        function="daxctl_dev_enable",
        wordings=(Wording("daxctl_dev_enable: %s: failed to enable", fields=("device",)),),
        what=(
            "The driver (kmem for system-ram, device_dax for devdax) refused {device}. For system-ram the usual "
            "reasons: no whole memory block in it, no target node, range taken."
        ),
        steps=(DMESG, BLOCK_SIZE, DAXLIST),
        cases=("C28", "C47"),
        see=("kmem-stranded", "target node"),
    ),
    Message(
        id="tool-failed-to-enable",
        title="a device was not brought up",
        file="ndctl, daxctl, cxl",
        function="enable",
        wordings=(Wording("%s: failed to enable", fields=("device",)),),
        what="The driver refused the device; the kernel log has the reason.",
        steps=(DMESG, LIST, DAXLIST),
        cases=("C02", "C23", "C47"),
        see=("namespace-misaligned", "kmem-stranded"),
    ),
    Message(
        id="tool-attribute-failed",
        title="the kernel refused a setting",
        file=_NDCTL,
        function="write to sysfs",
        wordings=(
            Wording("%s: set_align failed: %s", fields=("device", "reason")),
            Wording("%s: set_size failed: %s", fields=("device", "reason")),
            Wording("%s: set_uuid failed: %s", fields=("device", "reason")),
            Wording("set_align failed", fields=()),
            Wording("set_size failed: %s", fields=("reason",)),
        ),
        rule="supported-alignment",
        what=(
            "The tool wrote a size, alignment or uuid to sysfs and the kernel refused it: an alignment this kernel does"
            " not offer (4.x often only one), a size that is no multiple of the region's align, no room, or a device in"
            " use."
        ),
        by_errno=REASONS,
        steps=(DMESG, LIST, REGION_ALIGN),
        cases=("C19", "C23", "C30"),
        see=("alignment", "region align"),
    ),
    Message(
        id="daxctl-auto-online",
        title="daxctl: the kernel would online the memory by itself",
        file=_DAXCTL,
        function="reconfig_mode_system_ram",
        errno="EBUSY",
        wordings=(Wording("%s: error: kernel policy will auto-online memory, aborting", fields=("device",)),),
        what="daxctl was told not to online (or to choose a zone), but the kernel onlines every new block at once.",
        steps=(
            Step("See the policy.", ("cat", "/sys/devices/system/memory/auto_online_blocks")),
            Step(
                "Change it, or give daxctl -f.",
                ("sh", "-c", "echo offline | sudo tee /sys/devices/system/memory/auto_online_blocks"),
            ),
        ),
        see=("auto online",),
    ),
    Message(
        id="daxctl-race",
        title="something else onlines memory at the same time",
        file=_LIBDAXCTL,
        function="daxctl_memory_online_with_zone",
        wordings=(Wording("WARNING: detected a race while onlining memory"),),
        what=(
            "A udev rule or the kernel onlined "
            "blocks before daxctl did, maybe in another zone; such memory may not come back."
        ),
        steps=(
            Step("See the zones of the new memory.", ("lsmem", "-o", "+ZONES")),
            Step("See the policy.", ("cat", "/sys/devices/system/memory/auto_online_blocks")),
        ),
        see=("auto online", "offline"),
    ),
    Message(
        id="daxctl-reconfigure-failed",
        title="daxctl gave up",
        file=_DAXCTL,
        function="cmd_reconfig_device",
        wordings=(
            Wording("error reconfiguring devices: %s", fields=("reason",)),
            Wording("error enabling device: %s", fields=("reason",)),
        ),
        what="The last word of daxctl.",
        by_errno=REASONS,
        steps=(DMESG, BLOCK_SIZE, DAXLIST),
        cases=("C28", "C47"),
        see=("kmem-stranded",),
    ),
    Message(
        id="daxctl-offline-failed",
        title="memory of a device does not go offline",
        file=_LIBDAXCTL,
        function="memblock_in_dev",
        rule="unmovable-page",
        wordings=(
            Wording("%s: failed to offline memory: %s", fields=("device", "reason")),
            Wording("%s: Failed to offline %s: %s", fields=("device", "block_name", "reason")),
            Wording("%s: %s is unremovable", fields=("device", "block_name")),
            Wording("%s: refusing to change modes", fields=("device",)),
        ),
        what=(
            "Blocks of the device are in use by pages that can not move, usually because they were onlined into "
            "ZONE_NORMAL."
        ),
        by_errno=REASONS,
        steps=(
            Step("See the zones: only Movable comes back reliably.", ("lsmem", "-o", "+ZONES")),
            Step("Next time online into ZONE_MOVABLE.", ("daxctl", "online-memory", "<daxX.Y>")),
        ),
        see=("offline", "kmem-stranded"),
    ),
    Message(
        id="cxl-exceeds-extent",
        title="cxl: the region is larger than the free room",
        file="cxl/region.c",
        function="create_region",
        errno="ENOSPC",
        rule="cxl-window-space",
        wordings=(
            Wording(
                "%s: region size %#lx exceeds max available space (%#lx)", fields=("decoder", "bytes", "available")
            ),
            Wording("%s: region size %#lx exceeds max available space", fields=("decoder", "bytes")),
        ),
        what="cxl's own check against the window's largest free range.",
        steps=(Step("See what is free.", ("cxl", "list", "-DRu")), IOMEM),
        see=("cxl window",),
    ),
    Message(
        id="shell-write-error",
        title="the kernel refused what was written to sysfs",
        file="shell",
        function="write",
        wordings=(Wording("write error: %s", fields=("reason",)),),
        what="A value written to a file under /sys was refused. For a memory block's state file:",
        by_errno=(
            (
                -22,
                (
                    "EINVAL: the word is wrong, the block has that state already, or the block can never go offline (it"
                    " is partly a hole, or lies in two zones)."
                ),
            ),
            (-16, "EBUSY: pages of the block can not move."),
            (-1, "EPERM: boot memory on arm64, or not root."),
            (-11, "EAGAIN: try again."),
            (-12, "ENOMEM: no memory for the pages to move to."),
            (-6, "ENXIO: the driver refused the device."),
            (-28, "ENOSPC: no room in the region."),
            (-95, "EOPNOTSUPP: not aligned, or not supported here."),
            (-34, "ERANGE: no room in the CXL window."),
        ),
        steps=(DMESG, Step("See the state and the zones.", ("lsmem", "-o", "+ZONES"))),
        see=("offline", "memory block"),
    ),
)
