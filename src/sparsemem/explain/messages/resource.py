"""Messages of kernel/resource.c, of the firmware tables (SRAT, CEDT) and of CXL regions: who owns which addresses."""

from __future__ import annotations

from sparsemem.explain.messages._steps import IOMEM
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_FILE, _SRAT, _CXL = "kernel/resource.c", "drivers/acpi/numa/srat.c", "drivers/cxl/core/region.c"
_WINDOWS = Step("See the CXL windows and what is free in them.", ("cxl", "list", "-DRu"))

MESSAGES: tuple[Message, ...] = (
    Message(
        id="free-nonexistent-resource",
        title="an address range is released that nobody owns",
        file=_FILE,
        function="__release_region",
        wordings=(
            Wording(
                "Trying to free nonexistent resource <%pa-%pa>", "5.11", fields=("start", "last"), note="read in 6.1"
            ),
            Wording("Trying to free nonexistent resource <%016llx-%016llx>", None, "5.10", fields=("start", "last")),
        ),
        rule="resource-busy",
        units=("section",),
        what=(
            "A driver released a range that /proc/iomem does not hold in "
            "that form: a fault of the driver, or residue of a failed add."
        ),
        steps=(IOMEM,),
    ),
    Message(
        id="range-not-in-root",
        title="a range outside the address space",
        file=_FILE,
        function="__adjust_resource",
        wordings=(
            Wording("requested range [0x%llx-0x%llx] not in root %pr", fields=("start", "last", "root")),
            Wording("fixing request to [0x%llx-0x%llx]", fields=("start", "last")),
        ),
        rule="addressable-range",
        what="Firmware or a parameter describes a range above the highest physical address; it is cut or dropped.",
    ),
    Message(
        id="unaddressable-conflict",
        title="memory in the place of an unaddressable device",
        file=_FILE,
        function="__request_region_locked",
        wordings=(Wording("Unaddressable device %s %pR conflicts with %pR", fields=("device_name", "range", "other")),),
        rule="resource-busy",
        what="A driver put device private memory (GPU) at addresses that memory hotplug now wants.",
        steps=(IOMEM,),
    ),
    Message(
        id="resource-sanity-check",
        title="a mapping that reaches beyond its resource",
        file=_FILE,
        function="iomem_map_sanity_check",
        wordings=(
            Wording(
                "resource sanity check: requesting [mem %#010llx-%#010llx], which spans more than %s %pR",
                None,
                "5.19",
                note="last release not verified; read in 5.10",
                fields=("start", "last", "owner", "other"),
            ),
            Wording(
                "resource sanity check: requesting [mem %pa-%pa], which spans more than %s %pR",
                "6.0",
                fields=("start", "last", "owner", "other"),
                note="first release not verified; read in 6.1",
            ),
        ),
        rule="resource-busy",
        what="A driver maps a range that crosses the border of the entry {owner}: a warning only.",
        steps=(IOMEM,),
    ),
    Message(
        id="expanded-resource",
        title="a firmware entry is widened",
        file=_FILE,
        function="insert_resource_expand_to_fit",
        wordings=(Wording("Expanded resource %s due to conflict with %s", fields=("entry", "other")),),
        rule="resource-busy",
        what=(
            "Two entries of the firmware map overlap in part; the kernel widened {entry} to hold both. Look whether "
            "pmem or soft-reserved ranges are among them."
        ),
        steps=(IOMEM,),
    ),
    Message(
        id="srat-node",
        title="a NUMA node's range from the firmware",
        file=_SRAT,
        function="acpi_numa_memory_affinity_init",
        wordings=(Wording("SRAT: Node %u PXM %u [mem %#010Lx-%#010Lx]", fields=("nid", "pxm", "start", "last")),),
        units=("block", "section"),
        what=(
            'Not an error: the firmware puts this range on node {nid}. "hotplug" marks '
            'room for memory that may be added, "non-volatile" persistent memory.'
        ),
        see=("target node",),
    ),
    Message(
        id="srat-not-used",
        title="the NUMA table is not usable",
        file=_SRAT,
        function="bad_srat",
        rule="node-impossible",
        wordings=(Wording("SRAT: SRAT not used."),),
        what=(
            "The firmware's SRAT is faulty, so all memory is on one "
            "node; device memory then has no target node of its own."
        ),
        see=("target node",),
    ),
    Message(
        id="cfmws-bios-bug",
        title="a CXL window that is not aligned",
        file=_SRAT,
        function="acpi_parse_cfmws",
        rule="cxl-window-alignment",
        wordings=(
            Wording(
                "CFMWS: [BIOS BUG] base/size alignment violates spec",
                "6.16",
                note="first release not verified; read in 7.2",
            ),
        ),
        what=(
            "The firmware describes a CXL window whose base or size is no multiple of 256 MiB. Memory blocks at its "
            "ends can not be used."
        ),
        cases=("C31", "C32"),
        see=("cxl window", "block-size-2g"),
    ),
    Message(
        id="cfmws-advise-failed",
        title="a CXL window came too late to set the block size",
        file=_SRAT,
        function="acpi_parse_cfmws",
        rule="memory-block-size",
        wordings=(
            Wording(
                "CFMWS: memblock size advise failed (%d)",
                "6.16",
                fields=("errno",),
                note="first release not verified; read in 7.2",
            ),
        ),
        what=(
            "The kernel could not take the window's alignment into account when it chose the memory block size; parts "
            "of the window may be stranded."
        ),
        see=("cxl window",),
    ),
    Message(
        id="cxl-hpa-allocation",
        title="no room in the CXL window",
        file=_CXL,
        function="alloc_hpa",
        errno="ERANGE",
        rule="cxl-window-space",
        wordings=(
            Wording(
                "HPA allocation error (%ld) for size:%pap in %s %pr",
                "6.3",
                note="first release not verified; read in 6.12",
                fields=("errno", "bytes", "window", "range"),
            ),
        ),
        units=("section",),
        what=(
            "A CXL region of that size found no free range in {window}. Often the range is held by a Soft Reserved "
            "entry or by a region that firmware made."
        ),
        steps=(IOMEM, _WINDOWS),
        cases=("C30",),
        see=("soft reserved", "cxl window"),
    ),
    Message(
        id="cxl-cannot-insert",
        title="a CXL region has no entry in /proc/iomem",
        file=_CXL,
        function="construct_region",
        rule="cxl-window-space",
        wordings=(
            Wording(
                "%s:%s: %s %s cannot insert resource",
                "6.3",
                fields=("memdev", "decoder", "caller", "region"),
                note="first release not verified; read in 6.12",
            ),
        ),
        what=(
            "The region that firmware set up could not be entered in /proc/iomem, usually because another entry "
            "crosses the border of the window. A warning: the kernel goes on with the region."
        ),
        steps=(IOMEM, _WINDOWS),
        see=("soft reserved",),
    ),
    Message(
        id="cxl-no-window",
        title="a CXL decoder outside every window",
        file=_CXL,
        function="cxl_add_to_region",
        errno="ENXIO",
        rule="cxl-window-alignment",
        wordings=(
            Wording(
                "%s:%s no CXL window for range %#llx:%#llx",
                "6.3",
                fields=("memdev", "decoder", "start", "last"),
                note="first release not verified; read in 6.12",
            ),
        ),
        units=("section",),
        what=(
            "A device decodes addresses that the firmware's windows (CFMWS) do not contain; a window cut off below a "
            "memory hole does that."
        ),
        steps=(_WINDOWS,),
        cases=("C32",),
        see=("cxl window",),
    ),
)
