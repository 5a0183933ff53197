"""Messages of drivers/nvdimm/pfn_devs.c: what is wrong with an info block, old or new."""

from __future__ import annotations

from sparsemem.explain.messages._steps import LIST, REGION_ALIGN, SUBSECTION_KERNEL
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]


_RAW = Step(
    "Save what the namespace holds before changing it: destroying or re-making it loses the data.",
    ("ndctl", "list", "-NR", "-v"),
)

MESSAGES: tuple[Message, ...] = (
    Message(
        id="alignment-collision",
        title="a namespace is cut at section boundaries",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_init",
        rule="section-padding",
        wordings=(
            Wording(
                "alignment collision, truncate %d bytes",
                "4.8",
                "5.2",
                fields=("bytes",),
                note="first release not verified",
            ),
            Wording("section collision, truncate %d bytes", None, "4.7", fields=("bytes",)),
        ),
        what=(
            "The namespace shares its first or last 128 MiB section with System RAM or with another region, or its "
            "end is not aligned. The kernel gave up the bytes named here (start_pad plus end_trunc). "
            "With a start_pad, DAX is off although the device works."
        ),
        steps=(
            LIST,
            SUBSECTION_KERNEL,
            Step(
                "A padded namespace keeps its padding on a new kernel: save the data and make it anew there.",
                ("ndctl", "create-namespace", "-f", "-e", "<namespace>"),
            ),
        ),
        cases=("C01", "C08"),
        see=("start-pad", "devices-share-section"),
    ),
    Message(
        id="unable-to-satisfy-alignment",
        title="nothing is left after metadata and alignment",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_init",
        errno="ENXIO",
        rule="info-block-capacity",
        wordings=(Wording("%s unable to satisfy requested alignment", fields=("namespace",)),),
        what=(
            "The data area must start at a multiple of the alignment behind info block and page array; in this "
            "namespace that point lies at or behind its end. With 1 GiB alignment a namespace loses up "
            "to 1 GiB, so 1 GiB is too small."
        ),
        steps=(
            Step(
                "Ask for a larger size or a smaller alignment.",
                ("ndctl", "create-namespace", "-r", "<region>", "--align=2M", "-s", "<size>"),
            ),
            REGION_ALIGN,
        ),
        cases=("C08", "C22"),
        see=("alignment",),
    ),
    Message(
        id="start-misaligned",
        title="a namespace that starts off the boundary gets no info block",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_init",
        errno="EINVAL",
        rule="compat-align",
        wordings=(Wording("%s: start %pa misaligned to %#lx", "5.7", fields=("namespace", "address", "align")),),
        what=(
            "fsdax and devdax need a namespace that starts at a multiple of {align}. Older kernels made such "
            "namespaces in regions whose earlier namespaces had odd sizes."
        ),
        steps=(LIST, REGION_ALIGN, _RAW),
        cases=("C15",),
        see=("namespace-misaligned",),
    ),
    Message(
        id="resource-misaligned",
        title="an info block whose range this kernel can not map",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate",
        errno="EOPNOTSUPP",
        rule="info-block-alignment",
        wordings=(Wording("resource start misaligned", "5.7"), Wording("resource end misaligned", "5.7")),
        what=(
            "The namespace was made by an older kernel, and its start or end (after start_pad and end_trunc) is not "
            "on the smallest mappable boundary (2 MiB; ppc64 hash 16 MiB)."
        ),
        steps=(
            _RAW,
            Step(
                "Then make it anew; new namespaces follow the region's alignment.",
                ("ndctl", "create-namespace", "-f", "-e", "<namespace>"),
            ),
        ),
        cases=("C15", "C16"),
        see=("namespace-misaligned", "start-pad"),
    ),
    Message(
        id="bad-offset",
        title="the data of an info block does not start aligned",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate",
        errno="EOPNOTSUPP",
        rule="info-block-alignment",
        wordings=(Wording("bad offset: %#llx dax disabled align: %#lx", fields=("dataoff", "align")),),
        what=(
            "The info block puts the data at an offset that, added to the namespace's start, is no multiple of its "
            "alignment. (Up to 5.2 the errno is ENXIO.)"
        ),
        steps=(LIST, _RAW),
        see=("info block",),
    ),
    Message(
        id="bad-offset-small",
        title="the metadata fills the namespace",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate",
        errno="EOPNOTSUPP",
        rule="info-block-capacity",
        wordings=(Wording("bad offset with small namespace", "6.6"),),
        what=(
            "The info block leaves no data in the namespace. Kernels before 6.6 made such namespaces and showed a "
            "size of 0."
        ),
        steps=(LIST,),
        see=("info block",),
    ),
    Message(
        id="pfn-array-exceeds",
        title="the page array does not fit the namespace",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate",
        errno="EOPNOTSUPP",
        rule="info-block-capacity",
        wordings=(Wording("pfn array size exceeds capacity of %s", fields=("namespace",)),),
        what=(
            "The info block's data offset lies behind the end of the namespace {namespace}. (Up to 5.2 the errno is "
            "EBUSY.)"
        ),
        steps=(LIST,),
        see=("info block",),
    ),
    Message(
        id="alignment-exceeds",
        title="an alignment larger than the namespace",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate",
        errno="EOPNOTSUPP",
        rule="info-block-capacity",
        wordings=(Wording("alignment: %lx exceeds capacity %llx", fields=("align_hex", "capacity_hex")),),
        what="The alignment of the info block is larger than the namespace; both numbers are hexadecimal.",
        steps=(LIST,),
    ),
    Message(
        id="page-size-mismatch",
        title="an info block of another page size",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate",
        errno="EOPNOTSUPP",
        rule="info-block-page-size",
        wordings=(
            Wording("init failed, page size mismatch %d", "5.4", fields=("found",)),
            Wording("init failed, struct page size mismatch %d", "5.4", fields=("found",)),
        ),
        what=(
            "The page array in this namespace was laid out for another page size or a smaller struct page ({found} "
            "bytes). The kernel refuses rather than overwrite data."
        ),
        steps=(
            Step(
                "Boot a kernel with the page size that made the namespace, save the data, and make it anew here.",
                ("getconf", "PAGESIZE"),
            ),
        ),
        see=("info block",),
    ),
    Message(
        id="alignment-mismatch",
        title="an info block with an alignment this kernel can not map",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate",
        errno="EOPNOTSUPP",
        rule="supported-alignment",
        wordings=(Wording("init failed, alignment mismatch: %ld:%ld", "5.4", fields=("wanted", "found")),),
        what="A devdax namespace was made with an alignment that this kernel or page size does not offer.",
        steps=(LIST,),
        see=("alignment",),
    ),
    Message(
        id="settings-mismatch",
        title="an info block that is not what was asked",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_validate",
        errno="EOPNOTSUPP",
        rule="info-block-settings",
        wordings=(Wording("init failed, settings mismatch"),),
        what=(
            "The namespace holds an info block whose mode or alignment differ from the request. (Up to 5.2 the errno "
            "is EINVAL.)"
        ),
        steps=(
            Step(
                "Re-make the namespace with force, if its data may go.",
                ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "-m", "<mode>"),
            ),
        ),
    ),
    Message(
        id="read-only-metadata",
        title="a region that is read-only gets no info block",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_init",
        errno="ENXIO",
        wordings=(Wording("%s is read-only, unable to init metadata", fields=("region",)),),
        what="The region {region} is read-only, so no info block can be written.",
        steps=(Step("See the flag.", ("cat", "/sys/bus/nd/devices/<region>/read_only")),),
    ),
    Message(
        id="debug-page-map",
        title="debug options make the page array too large",
        file="drivers/nvdimm/pfn_devs.c",
        function="nd_pfn_init",
        errno="EINVAL",
        rule="page-map-debug",
        wordings=(
            Wording("Memory debug options prevent using pmem for the page map", "6.3", note="6.1.y stable has it too"),
        ),
        what="This kernel is built with options (KMSAN, page extensions) that make struct page larger than 64 bytes.",
        steps=(
            Step("Keep the page array in RAM.", ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "--map=mem")),
        ),
    ),
    Message(
        id="pfns-truncated",
        title="an info block that counts more pages than there are",
        file="drivers/nvdimm/pfn_devs.c",
        function="__nvdimm_setup_pfn",
        rule="info-block-capacity",
        wordings=(Wording("number of pfns truncated from %lld to %ld", fields=("stored", "real")),),
        what=(
            "Only {real} of the {stored} pages that the info block counts fit behind the data offset; the kernel uses "
            "those and goes on."
        ),
        see=("info block",),
    ),
)
