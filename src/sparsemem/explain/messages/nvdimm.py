"""Messages of drivers/nvdimm: regions, namespaces, info blocks, the pmem driver; the driver core's probe failure."""

from __future__ import annotations

from sparsemem.explain.messages._steps import DMESG, IOMEM, LIST
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_PMEM, _NS, _REGION = "drivers/nvdimm/pmem.c", "drivers/nvdimm/namespace_devs.c", "drivers/nvdimm/region_devs.c"

MESSAGES: tuple[Message, ...] = (
    Message(
        id="misaligned-unable-to-map",
        title="a namespace that does not start and end at 2 MiB",
        file=_NS,
        function="nvdimm_namespace_common_probe",
        errno="EOPNOTSUPP",
        rule="namespace-alignment",
        wordings=(Wording("%pr misaligned, unable to map", "5.7", fields=("range",)),),
        units=("subsection",),
        what=(
            "A raw namespace is to get pages, and its first or last byte is not on the smallest mappable boundary: 2 "
            "MiB, on ppc64 with the hash MMU 16 MiB. No pmem device appears."
        ),
        steps=(
            Step(
                "Make the backing file, image or memory range a multiple of 2 MiB (16 MiB is the safe choice), then "
                "start again.",
                ("truncate", "-s", "%2M", "<image>"),
            ),
            LIST,
        ),
        cases=("C14", "C16"),
        see=("namespace-misaligned", "sub-section"),
    ),
    Message(
        id="pmem-could-not-reserve",
        title="the range of a pmem device is taken",
        file=_PMEM,
        function="pmem_attach_disk",
        errno="EBUSY",
        rule="device-resource-busy",
        hint="pmem",
        wordings=(Wording("could not reserve region %pR", fields=("range",)),),
        units=("section", "subsection"),
        what=(
            "The pmem driver could not reserve its range: something in /proc/iomem holds it or part of it. Common "
            "holders: memory that was given to the system as RAM and never came "
            "back, a firmware map (EFI) that lists the range too, another driver."
        ),
        steps=(
            IOMEM,
            Step(
                "If the holder is System RAM (kmem): offline it and switch back before using the namespace.",
                ("daxctl", "reconfigure-device", "-f", "-m", "devdax", "<daxX.Y>"),
            ),
            Step(
                "If the firmware map lists it as RAM: leave the range out there; the device-tree or NFIT entry "
                "alone is right."
            ),
        ),
        cases=("C26", "C42", "C49"),
        see=("kmem-stranded",),
    ),
    Message(
        id="mapping-not-aligned",
        title="a region whose DIMM ranges are not page aligned",
        file=_REGION,
        function="nd_region_create",
        errno="EINVAL",
        rule="region-mapping-alignment",
        wordings=(
            Wording("%s: %s mapping%d is not %ld aligned", "5.4", fields=("caller", "dimm", "mapping", "page")),
            Wording("%s: %s mapping%d is not 4K aligned", None, "5.3", fields=("caller", "dimm", "mapping")),
        ),
        what=(
            "The firmware's table (NFIT) gives {dimm} a range that does not start or end at a page. The region is not "
            "created."
        ),
        steps=(IOMEM,),
    ),
    Message(
        id="allocation-underrun",
        title="no piece of free space is large enough",
        file=_NS,
        function="scan_allocate",
        errno="ENXIO",
        rule="namespace-space",
        wordings=(Wording("allocation underrun: %#llx of %#llx bytes", fields=("got", "asked")),),
        what="The region has enough free space in sum, but not in one piece next to the namespace that grows.",
        steps=(Step("See the largest piece: max_available_extent.", ("ndctl", "list", "-R", "-v")),),
        see=("region align",),
    ),
    Message(
        id="missing-label",
        title="an interleave set with a label missing",
        file=_NS,
        function="select_pmem_id",
        errno="EINVAL",
        wordings=(Wording("%s missing label for %pUb", fields=("region", "uuid")),),
        what=(
            "A namespace has a label on some DIMMs of the set and not on others: a DIMM was exchanged or its label "
            "area is damaged."
        ),
        steps=(Step("Look at the labels.", ("ndctl", "read-labels", "-j", "all")),),
    ),
    Message(
        id="conflicting-extents",
        title="two namespaces claim one uuid",
        file=_NS,
        function="scan_labels",
        rule="namespace-space",
        wordings=(Wording("error: conflicting extents for uuid: %pUb", fields=("uuid",)),),
        what="Two labels in the region carry the same uuid.",
        steps=(Step("Look at the labels.", ("ndctl", "read-labels", "-j", "all")),),
    ),
    Message(
        id="label-area-too-small",
        title="a label area that holds no labels",
        file="drivers/nvdimm/label.c",
        function="sizeof_namespace_index",
        rule="namespace-space",
        wordings=(Wording("label area (%d) too small to host (%d byte) labels", fields=("bytes", "label_size")),),
        what="The DIMM's label area is too small, so the region can not be divided into namespaces.",
        steps=(Step("In QEMU: give the device a larger label-size, 2M is a good value."),),
    ),
    Message(
        id="region-failing-probe",
        title="a DIMM of the region is locked or unusable",
        file=_NS,
        function="init_active_labels",
        errno="ENXIO",
        wordings=(Wording("%s: is %s, failing probe", fields=("dimm", "state")),),
        what="DIMM {dimm} is {state}, and without its labels the region is not brought up.",
        steps=(Step("See the state of the DIMMs.", ("ndctl", "list", "-D", "-H")),),
    ),
    Message(
        id="legacy-register-failed",
        title="a memmap= or firmware pmem range was not taken",
        file="drivers/nvdimm/e820.c",
        function="e820_pmem_probe",
        rule="region-mapping-alignment",
        wordings=(Wording("failed to register legacy persistent memory ranges"),),
        what="The driver for ranges given with memmap=SIZE!START failed on one of them.",
        steps=(DMESG, Step("See what was asked.", ("cat", "/proc/cmdline"))),
    ),
    Message(
        id="pmem-no-flush",
        title="a pmem device without a way to make writes durable",
        file=_PMEM,
        function="pmem_attach_disk",
        wordings=(Wording("unable to guarantee persistence of writes"),),
        what=(
            "The region names no flush mechanism, as in most virtual machines and with memmap=. The device works; "
            "after a power loss recent writes may be missing."
        ),
    ),
    Message(
        id="pmem-capacity",
        title="a pmem disk came up",
        file="block/genhd.c",
        function="set_capacity_and_notify",
        wordings=(Wording("detected capacity change from %lld to %lld", fields=("before", "capacity")),),
        hint="pmem",
        what=(
            "Not an error: a disk has its size now. Older kernels print bytes, newer ones sectors of 512 bytes: "
            "{capacity}. For a pmem namespace it is what is left after info block, page array and padding."
        ),
    ),
    Message(
        id="probe-failed",
        title="a driver gave up on a device",
        file="drivers/base/dd.c",
        function="call_driver_probe",
        wordings=(
            Wording(
                "%s: probe of %s failed with error %d",
                None,
                "6.6",
                fields=("driver", "device", "errno"),
                note="last release not verified; read in 6.1",
            ),
            Wording(
                "probe with driver %s failed with error %d",
                "6.7",
                fields=("driver", "errno"),
                note="first release not verified; read in 6.12",
            ),
        ),
        what="The last word of a driver that could not start a device; the reason stands in the lines before it.",
        by_errno=(
            (
                -95,
                (
                    "-95 is EOPNOTSUPP: the namespace or its info block is not aligned to what this kernel maps, or "
                    "belongs to another page size (libnvdimm)."
                ),
            ),
            (
                -6,
                (
                    '-6 is ENXIO: no usable capacity, System RAM in the range or section, or simply "another driver '
                    'takes this namespace" (info block found).'
                ),
            ),
            (-16, "-16 is EBUSY: the address range has an owner in /proc/iomem."),
            (
                -12,
                (
                    "-12 is ENOMEM: no memory for the page array, a conflicting device map, or a dax region that "
                    "conflicts or is misaligned."
                ),
            ),
            (
                -22,
                (
                    "-22 is EINVAL: a size or start that is not aligned, an altmap that does not fit, or no target node"
                    " (kmem)."
                ),
            ),
            (-17, "-17 is EEXIST: a sub-section of the range is active already."),
            (-28, "-28 is ENOSPC: no space in the region or window."),
            (-34, "-34 is ERANGE: no room in the CXL window, or an address above the limit."),
        ),
        steps=(DMESG, IOMEM),
        cases=("C14", "C22", "C26", "C30", "C49"),
    ),
)
