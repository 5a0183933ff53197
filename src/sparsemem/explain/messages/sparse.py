"""Messages of mm/sparse.c, mm/sparse-vmemmap.c and the page tables of the memmap."""

from __future__ import annotations

from sparsemem.explain.messages._steps import DOCTOR
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_REPORT = Step(
    "This is a fault of the kernel or of a driver: keep the whole trace, and report it with the kernel version.",
    ("dmesg",),
)

MESSAGES: tuple[Message, ...] = (
    Message(
        id="section-already-deactivated",
        title="memory is removed that was not there",
        file="mm/sparse.c",
        function="section_deactivate",
        wordings=(Wording("section already deactivated (%#lx + %ld)", "5.3"),),
        fields=("start_pfn", "nr_pages"),
        rule="subsection-inactive",
        units=("subsection",),
        what=(
            "A driver removed device pages of which at least one sub-section was not active. The kernel removed "
            "nothing of that section and went on: "
            "whatever was active there stays active."
        ),
        steps=(_REPORT, DOCTOR),
    ),
    Message(
        id="usemap-allocation-failed",
        title="no memory for section usage maps at boot",
        file="mm/sparse.c",
        function="sparse_init_nid",
        wordings=(Wording("%s: node[%d] usemap allocation failed", fields=("caller", "nid")),),
        rule="allocation-failure",
        what=(
            "While booting, the kernel found no memory for the usage maps of node {nid}. The sections of that node "
            "stay without a memmap, so their memory is lost until "
            "the next boot."
        ),
        steps=(
            Step(
                "Look for parameters that take boot memory away (mem=, memmap=, hugepages, crashkernel=).",
                ("cat", "/proc/cmdline"),
            ),
        ),
    ),
    Message(
        id="memmap-backing-failed",
        title="no memory for the page array at boot",
        file="mm/sparse.c",
        function="sparse_init_nid",
        wordings=(
            Wording(
                "%s: node[%d] memory map backing failed. Some memory will not be available.", fields=("caller", "nid")
            ),
        ),
        rule="allocation-failure",
        what=(
            "The page array of a section (2 MiB for 128 MiB on x86-64) could not be allocated on node {nid}. This and "
            "the following sections of that node are given up."
        ),
        steps=(
            Step(
                "Look for parameters that take boot memory away (mem=, memmap=, hugepages, crashkernel=).",
                ("cat", "/proc/cmdline"),
            ),
        ),
    ),
    Message(
        id="exceeds-sparsemem-max",
        title="boot memory above the kernel's address limit",
        file="mm/sparse.c",
        function="mminit_validate_memmodel_limits",
        wordings=(
            Wording("Start of range %lu -> %lu exceeds SPARSEMEM max %lu", fields=("first", "end", "limit")),
            Wording("End of range %lu -> %lu exceeds SPARSEMEM max %lu", fields=("first", "end", "limit")),
        ),
        rule="physmem-limit",
        what=(
            "The firmware describes memory (pages {first} to {end}, decimal) that lies above page {limit}, the last "
            "one this kernel can keep a section for. That part is ignored."
        ),
        steps=(
            Step(
                "On x86-64 a kernel with 5-level page tables reaches 52 bits; see whether the CPU has them.",
                ("grep", "-m1", "-o", "la57", "/proc/cpuinfo"),
            ),
        ),
    ),
    Message(
        id="offnode-page-structs",
        title="the page array lies on another node",
        file="mm/sparse-vmemmap.c",
        function="vmemmap_verify",
        wordings=(Wording("[%lx-%lx] potential offnode page_structs", fields=("from", "to")),),
        what="A warning about speed only: the page array of some memory was allocated on a node that is not near it.",
    ),
    Message(
        id="altmap-allocation-multiple",
        title="an allocation from the device's reserved area had an odd size",
        file="mm/sparse-vmemmap.c",
        function="altmap_alloc_block_buf",
        wordings=(Wording("%s: allocations must be multiple of PAGE_SIZE (%ld)", "5.8", fields=("caller", "page")),),
        rule="altmap-exhausted",
        what="Page arrays are taken from the device in whole pages; this request was not. It is a bug of the kernel.",
        steps=(_REPORT,),
    ),
    Message(
        id="no-cpu-support-for-altmap",
        title="this CPU can not keep a page array in the device",
        file="arch/x86/mm/init_64.c",
        function="vmemmap_populate",
        errno="ENOMEM",
        wordings=(Wording("%s: no cpu support for altmap allocations", fields=("caller",)),),
        rule="altmap-exhausted",
        what=(
            "A page array inside the device needs 2 MiB mappings (PSE), which this CPU does not show. Virtual "
            "machines with a trimmed CPU model do this."
        ),
        steps=(
            Step(
                "Keep the page array in RAM instead.",
                ("ndctl", "create-namespace", "-f", "-e", "<namespace>", "--map=mem"),
            ),
        ),
    ),
    Message(
        id="usemap-circular-dependency",
        title="nodes depend on one another's memory",
        file="mm/sparse.c",
        function="check_usemap_section_nr",
        wordings=(
            Wording(
                "node %d must be removed before remove section %ld",
                None,
                "7.1",
                note="last release not verified; read in 6.12",
                fields=("nid", "section"),
            ),
            Wording(
                "Section %ld and %ld (node %d) have a circular dependency on usemap and pgdat allocations",
                None,
                "7.1",
                note="last release not verified; read in 6.12",
                fields=("section", "other", "nid"),
            ),
        ),
        what=(
            "Bookkeeping of one node lies in memory of another, so that memory can not be removed before the node. "
            "For your information only."
        ),
    ),
)
