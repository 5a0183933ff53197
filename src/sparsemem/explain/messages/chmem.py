"""What chmem of util-linux prints."""

from __future__ import annotations

from sparsemem.explain.messages._steps import DMESG
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_FILE = "util-linux/sys-utils/chmem.c"
_BLOCK = "Memory Block %lu (0x%016lx-0x%016lx)"
_FIELDS = ("number", "start", "last")
_ZONES = Step("See the blocks with their states and zones.", ("lsmem", "-o", "+ZONES"))

MESSAGES: tuple[Message, ...] = (
    Message(
        id="chmem-disable-failed",
        title="chmem: a memory block does not go offline",
        file=_FILE,
        function="chmem_range",
        wordings=(Wording(f"{_BLOCK} disable failed: %s", fields=(*_FIELDS, "reason")),),
        what=(
            "The kernel refused to take memory block {number} offline. chmem tries the other blocks all the same: exit code 64 "
            "if some went, 1 if none."
        ),
        by_errno=(
            (
                -16,
                "EBUSY: pages of the block can not move: the kernel's own, or pinned ones. In ZONE_NORMAL that is the rule.",
            ),
            (-22, "EINVAL: the block can never go offline: it is partly a hole, or lies in two zones."),
            (-1, "EPERM: boot memory on arm64, or not root."),
            (-13, "EACCES: not root."),
            (-12, "ENOMEM: no memory for the pages to move to."),
        ),
        units=("block",),
        steps=(DMESG, _ZONES),
        see=("offline", "memory block"),
    ),
    Message(
        id="chmem-enable-failed",
        title="chmem: a memory block does not go online",
        file=_FILE,
        function="chmem_range",
        wordings=(Wording(f"{_BLOCK} enable failed: %s", fields=(*_FIELDS, "reason")),),
        what=(
            "The kernel refused to bring memory block {number} online. chmem tries the other blocks all the same: exit code 64 "
            "if some went, 1 if none."
        ),
        by_errno=(
            (-22, "EINVAL: the block has that state already, or not all of it is memory."),
            (-12, "ENOMEM: no memory for what onlining needs."),
            (-16, "EBUSY: somebody else is at work on memory hotplug."),
            (-13, "EACCES: not root."),
        ),
        units=("block",),
        steps=(DMESG, _ZONES),
        see=("memory block",),
    ),
    Message(
        id="chmem-zone-mismatch",
        title="chmem: a memory block is not of the zone that -z asks for",
        file=_FILE,
        function="chmem_range",
        wordings=(
            Wording(f"{_BLOCK} disable failed: Zone mismatch", fields=_FIELDS),
            Wording(f"{_BLOCK} enable failed: Zone mismatch", fields=_FIELDS),
        ),
        what=(
            "chmem's own check, before the kernel sees anything: -d -z takes only blocks that are online in that zone, -e -z only "
            "offline ones whose valid_zones have it. Block {number} has another."
        ),
        units=("block",),
        steps=(_ZONES,),
        see=("zone",),
    ),
    Message(
        id="chmem-unaligned",
        title="chmem: not whole memory blocks",
        file=_FILE,
        function="parse_parameter",
        rule="memory-block-size",
        wordings=(
            Wording("Size must be aligned to memory block size (%s)", fields=("size_words",)),
            Wording(
                "Start address and (end address + 1) must be aligned to memory block size (%s)", fields=("size_words",)
            ),
        ),
        what="Memory goes online and offline in whole blocks, here of {size_words}; nothing was done. Without a unit a size is MiB.",
        steps=(
            Step("See the block size.", ("lsmem", "--summary")),
            Step("Name blocks by number instead.", ("chmem", "-e", "-b", "<first-last>")),
        ),
        see=("memory block",),
    ),
    Message(
        id="chmem-partly",
        title="chmem: not as much as asked for",
        file=_FILE,
        function="chmem_size",
        wordings=(
            Wording("Could only enable %s of memory", fields=("size_words",)),
            Wording("Could only disable %s of memory", fields=("size_words",)),
        ),
        what=(
            "chmem went through the blocks (to go online from the lowest, to go offline from the highest) and passed over those of "
            "another zone or refused: {size_words} changed, and stay so. The exit code is 64, or 1 where it is nothing; -v says which."
        ),
        steps=(_ZONES, DMESG),
        see=("offline", "memory block"),
    ),
    Message(
        id="chmem-zone-ignored",
        title="chmem: the zone was not heeded",
        file=_FILE,
        function="main",
        wordings=(Wording("zone ignored, no valid_zones sysfs attribute present"),),
        what=(
            "chmem up to 2.42 looks for zones at memory0/valid_zones: a machine without memory at address 0 (arm64, for example) "
            "has none, so -z is not heeded and nothing is onlined as movable."
        ),
        steps=(
            Step(
                "Write the word yourself.",
                ("sh", "-c", "echo online_movable > /sys/devices/system/memory/memory<N>/state"),
            ),
        ),
        see=("zone", "memory block"),
    ),
)
