"""Messages of drivers/dax: dax regions and devices, dax_hmem."""

from __future__ import annotations

from sparsemem.explain.messages._steps import DAXLIST, IOMEM, LIST
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_BUS, _DEVICE = "drivers/dax/bus.c", "drivers/dax/device.c"

MESSAGES: tuple[Message, ...] = (
    Message(
        id="could-not-reserve-metadata",
        title="the metadata of a devdax namespace is taken",
        file="drivers/dax/pmem.c",
        function="dax_pmem_probe",
        errno="EBUSY",
        rule="device-resource-busy",
        wordings=(Wording("could not reserve metadata"),),
        what=(
            "The driver could not reserve the first part of the namespace, where info block and page array lie: "
            "something in /proc/iomem holds it, or the offset of the data is zero."
        ),
        steps=(IOMEM, LIST),
        cases=("C22",),
    ),
    Message(
        id="dax-could-not-reserve",
        title="the range of a dax device is taken",
        file=_DEVICE,
        function="dev_dax_probe",
        errno="EBUSY",
        rule="device-resource-busy",
        wordings=(
            Wording("mapping%d: %#llx-%#llx could not reserve range", "5.10", fields=("mapping", "start", "last")),
            Wording("could not reserve region %pR", None, "5.9", fields=("range",)),
        ),
        hint="device_dax",
        units=("section",),
        what="The device-dax driver could not reserve its range.",
        steps=(IOMEM, DAXLIST),
    ),
    Message(
        id="dax-region-conflict",
        title="two dax regions over the same addresses",
        file=_BUS,
        function="alloc_dax_region",
        errno="ENOMEM",
        rule="dax-region-conflict",
        wordings=(
            Wording(
                "dax_region resource conflict for %pR",
                "6.18",
                fields=("range",),
                note="first release not verified; read in 7.2",
            ),
        ),
        units=("section",),
        what=(
            "Another dax region covers these addresses already. On CXL machines: the firmware's Soft Reserved range "
            "was taken by dax_hmem, and the CXL region comes second."
        ),
        steps=(IOMEM, DAXLIST),
        cases=("C30",),
        see=("soft reserved",),
    ),
    Message(
        id="hmem-already-active",
        title="a soft-reserved range has its device already",
        file="drivers/dax/hmem/device.c",
        function="hmem_register_resource",
        rule="soft-reserved-order",
        wordings=(
            Wording(
                "hmem range %pr already active",
                "5.19",
                fields=("range",),
                note="first release not verified; read in 6.1",
            ),
            Wording("HMEM: skip %pr, already claimed", "5.10", "5.18", fields=("range",), note="read in 5.10"),
        ),
        units=("section",),
        what="The range was announced twice (firmware map and another table); the first announcement counts.",
        cases=("C30",),
        see=("soft reserved",),
    ),
    Message(
        id="dax-resize-misaligned",
        title="a dax device resized to an odd size",
        file=_BUS,
        function="dev_dax_resize",
        errno="ENXIO",
        rule="dax-alignment",
        wordings=(Wording("resize of %pa misaligned", "5.10", fields=("bytes",)),),
        what="The amount to grow is no multiple of the device's alignment.",
        steps=(DAXLIST,),
    ),
    Message(
        id="dax-alignment-page-size",
        title="an old kernel with one alignment only",
        file="drivers/dax/pmem.c",
        function="dax_pmem_probe",
        errno="ENOMEM",
        rule="supported-alignment",
        wordings=(
            Wording(
                "alignment must be PAGE_SIZE",
                None,
                "4.20",
                note="seen in a 3.10 distribution kernel; last release not verified",
            ),
        ),
        what="This kernel maps dax devices only with the base page size.",
        steps=(Step("Ask for that alignment.", ("ndctl", "create-namespace", "-m", "devdax", "--align=4K")),),
        cases=("C23",),
        see=("alignment",),
    ),
    Message(
        id="dax-unaligned-vma",
        title="a program maps a dax device at an odd address or size",
        file=_DEVICE,
        function="check_vma",
        errno="EINVAL",
        rule="dax-alignment",
        wordings=(
            Wording(
                "%s: %s: fail, unaligned vma (%#lx - %#lx, %#lx)", fields=("program", "caller", "from", "to", "mask")
            ),
        ),
        what="Program {program} called mmap() with an address or length that is no multiple of the device's alignment.",
        steps=(DAXLIST,),
    ),
    Message(
        id="dax-private-mapping",
        title="a program maps a dax device privately",
        file=_DEVICE,
        function="check_vma",
        errno="EINVAL",
        rule="dax-alignment",
        wordings=(Wording("%s: %s: fail, attempted private mapping", fields=("program", "caller")),),
        what="A dax device can only be mapped MAP_SHARED.",
    ),
    Message(
        id="dax-static-multi-range",
        title="a static dax device with several ranges",
        file=_DEVICE,
        function="dev_dax_probe",
        errno="EINVAL",
        rule="altmap-multiple-ranges",
        wordings=(
            Wording("static pgmap / multi-range device conflict", "5.10"),
            Wording("dynamic-dax with pre-populated page map", "5.15", note="first release not verified; read in 7.2"),
        ),
        what="A fault of the driver that made the device.",
    ),
)
