"""Messages of the page allocator and of the architectures around hot-plug, and the quiet ones of namespace sizes."""

from __future__ import annotations

from sparsemem.explain.messages._steps import IOMEM
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_DEBUG = "A debug message: it is printed where dynamic debug is on for libnvdimm."

MESSAGES: tuple[Message, ...] = (
    Message(
        id="zonelists-rebuilt",
        title="a zone got its first memory, or lost its last",
        file="mm/page_alloc.c",
        function="build_all_zonelists",
        wordings=(
            Wording("Built %u zonelists, mobility grouping %s.  Total pages: %ld", fields=("nodes", "state", "total")),
            Wording("Fallback order for Node %d: %s", "5.16", fields=("node", "order")),
            Wording("Policy zone: %s", fields=("zone",)),
        ),
        what=(
            "Not an error: memory went online in a zone that was empty, or offline from one that is empty now, and the "
            "order in which zones are asked for pages was written anew."
        ),
        steps=(Step("See which block is in which zone.", ("lsmem", "-o", "+ZONES")),),
    ),
    Message(
        id="ppc64-mapping",
        title="the direct map of hot-added memory could not be made",
        file="arch/powerpc/mm/mem.c",
        function="arch_create_linear_mapping",
        errno="EFAULT",
        wordings=(
            Wording(
                "Unable to create mapping for hot added memory 0x%llx..0x%llx: %d", fields=("first", "end", "code")
            ),
        ),
        what=(
            "ppc64 only: the range is not a multiple of the page size of the linear mapping (16 MiB with the hash MMU), or "
            "the hash table is full. Nothing was added."
        ),
        steps=(Step("Align the range to 16 MiB."), IOMEM),
        cases=("C16",),
        see=("sub-section",),
    ),
    Message(
        id="loongarch-add-pages",
        title="hot-added memory was refused",
        file="arch/loongarch/mm/init.c",
        function="arch_add_memory",
        wordings=(Wording("%s: Problem encountered in __add_pages() as ret=%d", fields=("caller", "errno")),),
        what="loongarch only: the pages of the range could not be added; the number is the errno.",
        by_errno=(
            (-22, "-22 is EINVAL: the range is not whole sub-sections."),
            (-17, "-17 is EEXIST: it is active already."),
        ),
        steps=(IOMEM,),
    ),
    Message(
        id="arm64-linear-region",
        title="hot-added memory lies outside the direct map",
        file="arch/arm64/mm/mmu.c",
        function="arch_add_memory",
        errno="EINVAL",
        wordings=(Wording("[%llx %llx] is outside linear mapping region", "5.10", "5.11", fields=("first", "end")),),
        what="arm64 only: the kernel can not map the range at its fixed offset. Nothing was added.",
        steps=(IOMEM,),
    ),
    Message(
        id="size-not-aligned",
        title="a namespace size that is no multiple of the unit",
        file="drivers/nvdimm/namespace_devs.c",
        function="__size_store",
        errno="EINVAL",
        rule="namespace-space",
        wordings=(
            Wording("%llu is not %ldK aligned", "5.4", fields=("bytes", "unit")),
            Wording("%llu is not %dK aligned", None, "5.3", fields=("bytes", "unit")),
        ),
        what=f"A size that was written is not a multiple of {{unit}} KiB for each DIMM of the region. {_DEBUG}",
        steps=(Step("Ask for a size in steps of the region's alignment.", ("ndctl", "list", "-R", "-v")),),
        see=("region align",),
    ),
    Message(
        id="namespace-too-small",
        title="a namespace with hardly any space",
        file="drivers/nvdimm/namespace_devs.c",
        function="nvdimm_namespace_common_probe",
        errno="ENODEV",
        wordings=(Wording("%pa, too small must be at least %#x", fields=("size", "least")),),
        what=f"A namespace below the smallest size (16 MiB up to 5.3, one page later) gets no driver. {_DEBUG}",
        steps=(Step("Give it a size.", ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "-s", "<size>")),),
    ),
    Message(
        id="misaligned-to-iset",
        title="a namespace that does not end on the region's alignment",
        file="drivers/nvdimm/dimm_devs.c",
        function="nd_pmem_available_dpa",
        rule="namespace-space",
        wordings=(
            Wording("%s: %s: %#llx @ %#llx misaligned to iset", fields=("dimm", "label", "size", "start")),
            Wording("misaligned to iset", fields=()),
        ),
        what=(
            "An allocation on a DIMM, rounded out to the region's alignment, ends beyond the DIMM: the whole region then "
            f"reports no free space. {_DEBUG}"
        ),
        steps=(Step("See the alignment and the free space.", ("ndctl", "list", "-R", "-v")),),
        see=("region align",),
    ),
)
