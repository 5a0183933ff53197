"""Messages of drivers/nvdimm: regions, namespaces, info blocks, the pmem driver; the driver core's probe failure."""

from __future__ import annotations

from sparsemem.explain.messages._steps import DMESG, IOMEM, LIST, REGION_ALIGN, SUBSECTION_KERNEL
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_PMEM, _NS, _REGION = "drivers/nvdimm/pmem.c", "drivers/nvdimm/namespace_devs.c", "drivers/nvdimm/region_devs.c"
_RAW = Step("Save what the namespace holds before changing it: destroying or re-making it loses the data.", ("ndctl",
"list", "-NR", "-v"))

MESSAGES: tuple[Message, ...] = (
    Message(
        id="misaligned-unable-to-map", title="a namespace that does not start and end at 2 MiB",
        file=_NS, function="nvdimm_namespace_common_probe", errno="EOPNOTSUPP", rule="namespace-alignment",
        wordings=(Wording("%pr misaligned, unable to map", "5.7", fields=("range",)),), units=("subsection",),
        what="A raw namespace is to get pages, and its first or last byte is not on the smallest mappable boundary: 2 "
        "MiB, on ppc64 with the hash MMU 16 MiB. No pmem device appears.",
        steps=(
            Step("Make the backing file, image or memory range a multiple of 2 MiB (16 MiB is the safe choice), then "
            "start again.", ("truncate", "-s", "%2M", "<image>")), LIST,
        ),
        cases=("C14", "C16"), see=("namespace-misaligned", "sub-section"),
    ),
    Message(
        id="pmem-could-not-reserve", title="the range of a pmem device is taken",
        file=_PMEM, function="pmem_attach_disk", errno="EBUSY", rule="device-resource-busy", hint="pmem",
        wordings=(Wording("could not reserve region %pR", fields=("range",)),), units=("section", "subsection"),
        what="The pmem driver could not reserve its range: something in /proc/iomem holds it or part of it. Common "
        "holders: memory that was given to the system as RAM and never came "
        "back, a firmware map (EFI) that lists the range too, another driver.",
        steps=(IOMEM, Step("If the holder is System RAM (kmem): offline it and switch back before using the namespace.",
        ("daxctl", "reconfigure-device", "-f", "-m", "devdax", "<daxX.Y>")),
               Step("If the firmware map lists it as RAM: leave the range out there; the device-tree or NFIT entry "
               "alone is right.")),
        cases=("C26", "C42", "C49"), see=("kmem-stranded",),
    ),
    Message(
        id="alignment-collision", title="a namespace is cut at section boundaries",
        file="drivers/nvdimm/pfn_devs.c", function="nd_pfn_init", rule="section-padding",
        wordings=(
            Wording("alignment collision, truncate %d bytes", "4.8", "5.2", fields=("bytes",),
            note="first release not verified"),
            Wording("section collision, truncate %d bytes", None, "4.7", fields=("bytes",)),
        ),
        what="The namespace shares its first or last 128 MiB section with System RAM or with another region, or its "
        "end is not aligned. The kernel gave up the bytes named here (start_pad plus end_trunc). "
        "With a start_pad, DAX is off although the device works.",
        steps=(LIST, SUBSECTION_KERNEL, Step("A padded namespace keeps its padding on a new kernel: save the data and "
        "make it anew there.", ("ndctl", "create-namespace", "-f", "-e", "<namespace>"))),
        cases=("C01", "C08"), see=("start-pad", "devices-share-section"),
    ),
    Message(
        id="unable-to-satisfy-alignment", title="nothing is left after metadata and alignment",
        file="drivers/nvdimm/pfn_devs.c", function="nd_pfn_init", errno="ENXIO", rule="info-block-capacity",
        wordings=(Wording("%s unable to satisfy requested alignment", fields=("namespace",)),),
        what="The data area must start at a multiple of the alignment behind info block and page array; in this "
        "namespace that point lies at or behind its end. With 1 GiB alignment a namespace loses up "
        "to 1 GiB, so 1 GiB is too small.",
        steps=(Step("Ask for a larger size or a smaller alignment.", ("ndctl", "create-namespace", "-r", "<region>",
        "--align=2M", "-s", "<size>")), REGION_ALIGN),
        cases=("C08", "C22"), see=("alignment",),
    ),
    Message(
        id="start-misaligned", title="a namespace that starts off the boundary gets no info block",
        file="drivers/nvdimm/pfn_devs.c", function="nd_pfn_init", errno="EINVAL", rule="compat-align",
        wordings=(Wording("%s: start %pa misaligned to %#lx", "5.7", fields=("namespace", "address", "align")),),
        what="fsdax and devdax need a namespace that starts at a multiple of {align}. Older kernels made such "
        "namespaces in regions whose earlier namespaces had odd sizes.",
        steps=(LIST, REGION_ALIGN, _RAW), cases=("C15",), see=("namespace-misaligned",),
    ),
    Message(
        id="resource-misaligned", title="an info block whose range this kernel can not map",
        file="drivers/nvdimm/pfn_devs.c", function="nd_pfn_validate", errno="EOPNOTSUPP", rule="info-block-alignment",
        wordings=(Wording("resource start misaligned", "5.7"), Wording("resource end misaligned", "5.7")),
        what="The namespace was made by an older kernel, and its start or end (after start_pad and end_trunc) is not "
        "on the smallest mappable boundary (2 MiB; ppc64 hash 16 MiB).",
        steps=(_RAW, Step("Then make it anew; new namespaces follow the region's alignment.", ("ndctl",
        "create-namespace", "-f", "-e", "<namespace>"))),
        cases=("C15", "C16"), see=("namespace-misaligned", "start-pad"),
    ),
    Message(
        id="bad-offset", title="the data of an info block does not start aligned",
        file="drivers/nvdimm/pfn_devs.c", function="nd_pfn_validate", errno="EOPNOTSUPP", rule="info-block-alignment",
        wordings=(Wording("bad offset: %#llx dax disabled align: %#lx", fields=("dataoff", "align")),),
        what="The info block puts the data at an offset that, added to the namespace's start, is no multiple of its "
        "alignment. (Up to 5.2 the errno is ENXIO.)",
        steps=(LIST, _RAW), see=("info block",),
    ),
    Message(
        id="bad-offset-small", title="the metadata fills the namespace", file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate", errno="EOPNOTSUPP", rule="info-block-capacity",
        wordings=(Wording("bad offset with small namespace", "6.6"),),
        what="The info block leaves no data in the namespace. Kernels before 6.6 made such namespaces and showed a "
        "size of 0.", steps=(LIST,), see=("info block",),
    ),
    Message(
        id="pfn-array-exceeds", title="the page array does not fit the namespace", file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate", errno="EOPNOTSUPP", rule="info-block-capacity",
        wordings=(Wording("pfn array size exceeds capacity of %s", fields=("namespace",)),),
        what="The info block's data offset lies behind the end of the namespace {namespace}. (Up to 5.2 the errno is "
        "EBUSY.)", steps=(LIST,), see=("info block",),
    ),
    Message(
        id="alignment-exceeds", title="an alignment larger than the namespace", file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate", errno="EOPNOTSUPP", rule="info-block-capacity",
        wordings=(Wording("alignment: %lx exceeds capacity %llx", fields=("align_hex", "capacity_hex")),),
        what="The alignment of the info block is larger than the namespace; both numbers are hexadecimal.",
        steps=(LIST,),
    ),
    Message(
        id="page-size-mismatch", title="an info block of another page size", file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate", errno="EOPNOTSUPP", rule="info-block-page-size",
        wordings=(Wording("init failed, page size mismatch %d", "5.4", fields=("found",)),
        Wording("init failed, struct page size mismatch %d", "5.4", fields=("found",))),
        what="The page array in this namespace was laid out for another page size or a smaller struct page ({found} "
        "bytes). The kernel refuses rather than overwrite data.",
        steps=(Step("Boot a kernel with the page size that made the namespace, save the data, and make it anew here.",
        ("getconf", "PAGESIZE")),), see=("info block",),
    ),
    Message(
        id="alignment-mismatch", title="an info block with an alignment this kernel can not map",
        file="drivers/nvdimm/pfn_devs.c", function="nd_pfn_validate", errno="EOPNOTSUPP", rule="supported-alignment",
        wordings=(Wording("init failed, alignment mismatch: %ld:%ld", "5.4", fields=("wanted", "found")),),
        what="A devdax namespace was made with an alignment that this kernel or page size does not offer.",
        steps=(LIST,), see=("alignment",),
    ),
    Message(
        id="settings-mismatch", title="an info block that is not what was asked", file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate", errno="EOPNOTSUPP", rule="info-block-settings",
        wordings=(Wording("init failed, settings mismatch"),),
        what="The namespace holds an info block whose mode or alignment differ from the request. (Up to 5.2 the errno "
        "is EINVAL.)",
        steps=(Step("Re-make the namespace with force, if its data may go.", ("ndctl", "create-namespace", "-f", "-e",
        "<namespace>", "-m", "<mode>")),),
    ),
    Message(
        id="read-only-metadata", title="a region that is read-only gets no info block",
        file="drivers/nvdimm/pfn_devs.c", function="nd_pfn_init", errno="ENXIO",
        wordings=(Wording("%s is read-only, unable to init metadata", fields=("region",)),), rule="info-block-settings",
        what="The region {region} is read-only, so no info block can be written.", steps=(Step("See the flag.", ("cat",
        "/sys/bus/nd/devices/<region>/read_only")),),
    ),
    Message(
        id="debug-page-map", title="debug options make the page array too large", file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_init", errno="EINVAL", rule="page-map-debug",
        wordings=(Wording("Memory debug options prevent using pmem for the page map", "6.3",
        note="6.1.y stable has it too"),),
        what="This kernel is built with options (KMSAN, page extensions) that make struct page larger than 64 bytes.",
        steps=(Step("Keep the page array in RAM.", ("ndctl", "create-namespace", "-f", "-e", "<namespace>",
        "--map=mem")),),
    ),
    Message(
        id="pfns-truncated", title="an info block that counts more pages than there are",
        file="drivers/nvdimm/pfn_devs.c", function="__nvdimm_setup_pfn", rule="info-block-capacity",
        wordings=(Wording("number of pfns truncated from %lld to %ld", fields=("stored", "real")),),
        what="Only {real} of the {stored} pages that the info block counts fit behind the data offset; the kernel uses "
        "those and goes on.", see=("info block",),
    ),
    Message(
        id="mapping-not-aligned", title="a region whose DIMM ranges are not page aligned", file=_REGION,
        function="nd_region_create", errno="EINVAL", rule="region-mapping-alignment",
        wordings=(Wording("%s: %s mapping%d is not %ld aligned", "5.4", fields=("caller", "dimm", "mapping", "page")),
        Wording("%s: %s mapping%d is not 4K aligned", None, "5.3", fields=("caller", "dimm", "mapping"))),
        what="The firmware's table (NFIT) gives {dimm} a range that does not start or end at a page. The region is not "
        "created.", steps=(IOMEM,),
    ),
    Message(
        id="allocation-underrun", title="no piece of free space is large enough", file=_NS, function="scan_allocate",
        errno="ENXIO", rule="namespace-space",
        wordings=(Wording("allocation underrun: %#llx of %#llx bytes", fields=("got", "asked")),),
        what="The region has enough free space in sum, but not in one piece next to the namespace that grows.",
        steps=(Step("See the largest piece: max_available_extent.", ("ndctl", "list", "-R", "-v")),),
        see=("region align",),
    ),
    Message(
        id="missing-label", title="an interleave set with a label missing", file=_NS, function="select_pmem_id",
        errno="EINVAL",
        wordings=(Wording("%s missing label for %pUb", fields=("region", "uuid")),), rule="namespace-space",
        what="A namespace has a label on some DIMMs of the set and not on others: a DIMM was exchanged or its label "
        "area is damaged.", steps=(Step("Look at the labels.", ("ndctl", "read-labels", "-j", "all")),),
    ),
    Message(
        id="conflicting-extents", title="two namespaces claim one uuid", file=_NS, function="scan_labels",
        rule="namespace-space",
        wordings=(Wording("error: conflicting extents for uuid: %pUb", fields=("uuid",)),), what="Two labels in the "
        "region carry the same uuid.", steps=(Step("Look at the labels.", ("ndctl", "read-labels", "-j", "all")),),
    ),
    Message(
        id="label-area-too-small", title="a label area that holds no labels", file="drivers/nvdimm/label.c",
        function="sizeof_namespace_index", rule="namespace-space",
        wordings=(Wording("label area (%d) too small to host (%d byte) labels", fields=("bytes", "label_size")),),
        what="The DIMM's label area is too small, so the region can not be divided into namespaces.",
        steps=(Step("In QEMU: give the device a larger label-size, 2M is a good value."),),
    ),
    Message(
        id="region-failing-probe", title="a DIMM of the region is locked or unusable", file=_NS,
        function="init_active_labels", errno="ENXIO",
        wordings=(Wording("%s: is %s, failing probe", fields=("dimm", "state")),), rule="namespace-busy",
        what="DIMM {dimm} is {state}, and without its labels the region is not brought up.",
        steps=(Step("See the state of the DIMMs.", ("ndctl", "list", "-D", "-H")),),
    ),
    Message(
        id="legacy-register-failed", title="a memmap= or firmware pmem range was not taken",
        file="drivers/nvdimm/e820.c", function="e820_pmem_probe", rule="region-mapping-alignment",
        wordings=(Wording("failed to register legacy persistent memory ranges"),), what="The driver for ranges given "
        "with memmap=SIZE!START failed on one of them.", steps=(DMESG, Step("See what was asked.", ("cat",
        "/proc/cmdline"))),
    ),
    Message(
        id="pmem-capacity", title="a pmem disk came up", file="block/genhd.c", function="set_capacity_and_notify",
        wordings=(Wording("detected capacity change from %lld to %lld", fields=("before", "capacity")),), hint="pmem",
        what="Not an error: a disk has its size now. Older kernels print bytes, newer ones sectors of 512 bytes: "
        "{capacity}. For a pmem namespace it is what is left after info block, page array and padding.",
    ),
    Message(
        id="probe-failed", title="a driver gave up on a device", file="drivers/base/dd.c", function="call_driver_probe",
        wordings=(
            Wording("%s: probe of %s failed with error %d", None, "6.6", fields=("driver", "device", "errno"),
            note="last release not verified; read in 6.1"),
            Wording("probe with driver %s failed with error %d", "6.7", fields=("driver", "errno"),
            note="first release not verified; read in 6.12"),
        ),
        what="The last word of a driver that could not start a device; the reason stands in the lines before it.",
        by_errno=(
            (-95, "-95 is EOPNOTSUPP: the namespace or its info block is not aligned to what this kernel maps, or "
            "belongs to another page size (libnvdimm)."),
            (-6, "-6 is ENXIO: no usable capacity, System RAM in the range or section, or simply \"another driver "
            "takes this namespace\" (info block found)."),
            (-16, "-16 is EBUSY: the address range has an owner in /proc/iomem."),
            (-12, "-12 is ENOMEM: no memory for the page array, a conflicting device map, or a dax region that "
            "conflicts or is misaligned."),
            (-22, "-22 is EINVAL: a size or start that is not aligned, an altmap that does not fit, or no target node "
            "(kmem)."),
            (-17, "-17 is EEXIST: a sub-section of the range is active already."),
            (-28, "-28 is ENOSPC: no space in the region or window."),
            (-34, "-34 is ERANGE: no room in the CXL window, or an address above the limit."),
        ),
        steps=(DMESG, IOMEM), cases=("C14", "C22", "C26", "C30", "C49"),
    ),
)  # fmt: skip
