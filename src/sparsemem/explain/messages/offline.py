"""Messages of onlining and offlining: mm/memory_hotplug.c, and the veto of arch/arm64/mm/mmu.c."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, IOMEM
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_FILE = "mm/memory_hotplug.c"
_MOVABLE = Step(
    "Memory that is to go offline again belongs in ZONE_MOVABLE: online it with online_movable, or boot with "
    "movable_node.",
    ("sh", "-c", "echo online_movable > /sys/devices/system/memory/<memoryN>/state"),
)
_ZONES = Step(
    'See which zones the block may use: "none" means it can not go offline.',
    ("cat", "/sys/devices/system/memory/<memoryN>/valid_zones"),
)


def _offlining(id_: str, reason: str, title: str, rule: str | None, errno: str, what: str, *steps: Step) -> Message:
    return Message(
        id=f"offlining-{id_}",
        title=title,
        file=_FILE,
        function="offline_pages",
        errno=errno,
        rule=rule,
        wordings=(
            Wording(f"memory offlining [mem %#010llx-%#010llx] failed due to {reason}", fields=("start", "last")),
        ),
        units=("section",),
        what=what + " The line is a debug message in most kernels: turn it on with dyndbg to see it.",
        steps=steps,
        see=("offline", "memory block"),
    )


MESSAGES: tuple[Message, ...] = (
    _offlining(
        "memory-holes",
        "memory holes",
        "a block that is partly RAM never goes offline",
        "memory-holes",
        "EINVAL",
        "Part of this block is not System RAM: a hole, a reserved range, or device memory that shares it. The kernel "
        "offlines only blocks that are RAM throughout.",
        IOMEM,
        BLOCK_SIZE,
    ),
    _offlining(
        "multizone",
        "multizone range",
        "a block in two zones never goes offline",
        "multizone-block",
        "EINVAL",
        "The pages of this block belong to more than one zone or node (a boot block across 16 MiB, 4 GiB or a node "
        "border).",
        _ZONES,
    ),
    _offlining(
        "isolate",
        "failure to isolate range",
        "pages that can not be isolated",
        "isolation-failure",
        "EBUSY",
        "Before its pages were moved, part of the block could not be isolated: it holds kernel data, or something "
        "isolates it already.",
        _ZONES,
        _MOVABLE,
    ),
    _offlining(
        "unmovable",
        "unmovable page",
        "a page that can not move",
        "unmovable-page",
        "EBUSY",
        "The block holds a page that can not be moved elsewhere, or the pages found no room.",
        _ZONES,
        _MOVABLE,
        Step("See how much memory is free for the pages to move to.", ("cat", "/proc/meminfo")),
    ),
    _offlining(
        "notifier",
        "notifier failure",
        "a driver refused",
        "notifier-refused",
        "EBUSY",
        "A driver that watches memory (virtio-mem, a balloon, a hypervisor driver, arm64 for boot memory) refused. The "
        "errno is the driver's.",
    ),
    _offlining(
        "hugetlb",
        "failure to dissolve huge pages",
        "huge pages that are in use",
        "unmovable-page",
        "EBUSY",
        "Free huge pages of the block could not be given back.",
        Step("Lower the number of reserved huge pages.", ("cat", "/proc/sys/vm/nr_hugepages")),
    ),
    _offlining(
        "signal",
        "signal backoff",
        "the attempt was interrupted",
        None,
        "EINTR",
        "The process that asked for offlining got a signal, so the kernel stopped trying. The block stays online.",
    ),
    Message(
        id="online-failed",
        title="a block did not go online",
        file=_FILE,
        function="online_pages",
        rule="notifier-refused",
        wordings=(Wording("online_pages [mem %#010llx-%#010llx] failed", fields=("start", "last")),),
        units=("section",),
        what="A driver refused, or a step of onlining failed; the block stays offline and can be tried again.",
    ),
    Message(
        id="offlined-pages",
        title="a block went offline",
        file=_FILE,
        function="offline_pages",
        wordings=(Wording("Offlined Pages %ld", fields=("nr_offlined",)),),
        what=(
            "Not an error: {nr_offlined} pages went offline. Kernels up to 5.11 print this always, later ones only as "
            "a debug message."
        ),
    ),
    Message(
        id="migration-failed",
        title="a page of a block that goes offline did not move",
        file=_FILE,
        function="do_migrate_range",
        rule="unmovable-page",
        wordings=(
            Wording("migrating pfn %lx failed ret:%d", fields=("pfn", "code")),
            Wording("failed to isolate pfn %lx", fields=("pfn",)),
        ),
        what=(
            "While offlining, this page could not be moved. The kernel tries again until it succeeds or is told to "
            "stop; a page dump in the next lines says who holds it."
        ),
        steps=(_MOVABLE,),
    ),
    Message(
        id="arm64-boot-memory",
        title="arm64 does not offline its boot memory",
        file="arch/arm64/mm/mmu.c",
        function="prevent_bootmem_remove_notifier",
        errno="EPERM",
        rule="boot-memory-offline",
        wordings=(
            Wording(
                "Boot memory [%lx %lx] offlining attempted",
                "5.11",
                note="first release not verified; read in 6.1",
                fields=("first", "end"),
            ),
        ),
        what="On arm64 memory that was there at boot can not be offlined; only memory that was added later can.",
    ),
)
