"""Info blocks: what an old kernel wrote, and what the running one makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_namespaces
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.needs import INFO_BLOCKS
from sparsemem.doctor.rules import BACK_UP, NEWER_KERNEL, finding, remake
from sparsemem.doctor.verdict import judge
from sparsemem.kernel.nvdimm import pfn
from sparsemem.kernel.nvdimm.info_block import SB_SIZE
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.devices import Device
    from sparsemem.doctor.finding import Finding
    from sparsemem.kernel.nvdimm.pfn import NdPfnSb
    from sparsemem.machine.description import NamespaceFact

__all__ = ["InfoBlocks"]

_STRUCT_PAGE = 64


_AGAIN = "Then make the namespace anew on this kernel."


def _anew(ctx: Context, name: str, mode: str) -> tuple[Remedy, ...]:
    """Made anew in that mode; where this kernel would refuse to map it there (up to v5.2: a section that somebody else has), without struct
    pages."""
    device: Device | None = next((each for each in ctx.devices if each.name == name), None)
    if device is None or device.namespace is None:
        return (remake(_AGAIN, name, mode),)
    fact = replace(device.namespace, mode=mode, data=None, force_raw=None)
    verdict = judge(ctx, replace(device, mode=mode, live=False, answer=None, namespace=fact))
    if not verdict.refused:
        return (remake(_AGAIN, name, mode),)
    why = f"Then make it anew in sector mode: with struct pages this kernel refuses it there (-{verdict.errno} from {verdict.function}())."
    newer = () if ctx.kernel.features.subsection_hotplug else (NEWER_KERNEL,)
    return (*newer, remake(why, name, "sector"))


class InfoBlocks(Check):
    """The info block of each fsdax or devdax namespace, held to this kernel's pages."""

    id = "info-blocks"
    question = "Do the info blocks fit this kernel: checksum, version, padding, page size, struct page?"
    about = "info blocks of namespaces"
    needs = (INFO_BLOCKS,)
    finds = (
        Kind("info-block-corrupt", ("error",), "info-block-none"),
        Kind("info-block-other-page-size", ("error", "notice"), "info-block-page-size"),
        Kind("info-block-other-struct-page", ("error",), "info-block-page-size"),
        Kind("info-block-old", ("notice",), "section-padding"),
        Kind("info-block-other-namespace", ("error",), "info-block-none"),
    )

    def nothing(self, ctx: Context) -> str | None:
        missing = no_namespaces(ctx)
        if ctx.description is not None and ctx.description.info_blocks:
            return None
        if missing is None and ctx.description is not None:
            made = any(
                fact.mode in ("fsdax", "devdax") and (fact.holder or fact.uuid) for fact in ctx.description.namespaces
            )
            return None if made else "no namespace has an info block"
        return missing

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        facts = {fact.dev: fact for fact in ctx.description.namespaces}
        for each in ctx.description.info_blocks:
            if len(each.data) < SB_SIZE or each.data[:16] not in (pfn.PFN_SIG, pfn.DAX_SIG):
                continue  # a BTT's, or none
            fact = facts.get(each.namespace)
            yield from self._judge(ctx, each.namespace, fact, pfn.decode(each.data), pfn.checksum_valid(each.data))

    def _judge(
        self, ctx: Context, name: str, fact: NamespaceFact | None, sb: NdPfnSb, whole: bool
    ) -> Iterator[Finding]:
        f, g = ctx.kernel.features, ctx.kernel.geometry
        ranges = (fact.range,) if fact is not None and fact.range is not None else ()
        capacity = ranges[0].size if ranges else None
        mode = "devdax" if sb.signature == pfn.DAX_SIG else "fsdax"
        again = remake(_AGAIN, name, mode)
        if not whole:
            yield finding(
                "info-block-corrupt",
                "error",
                f"The info block of {name} has a wrong checksum: the kernel takes the namespace for raw.",
                "info-block-none",
                ranges=ranges,
                devices=(name,),
                capacity=capacity,
                remedies=(
                    Remedy(
                        "Save the first 8 KiB of it; ndctl write-infoblock can write a new block if all its numbers are known.",
                        ("ndctl", "read-infoblock", "-j", name),
                    ),
                ),
            )
            return
        if (
            fact is not None
            and fact.holder is None
            and fact.uuid
            and int(sb.parent_uuid.replace("-", ""), 16)
            and sb.parent_uuid != fact.uuid.lower()
        ):
            yield finding(
                "info-block-other-namespace",
                "error",
                f"The info block in {name} belongs to the namespace {sb.parent_uuid}: the kernel passes it over.",
                "info-block-none",
                ranges=ranges,
                devices=(name,),
                capacity=capacity,
                remedies=(BACK_UP, *_anew(ctx, name, mode)),
            )
        page = sb.page_size if sb.version_minor >= 4 else g.PAGE_SIZE
        struct = sb.page_struct_size if sb.version_minor >= 4 else _STRUCT_PAGE
        on_device = pfn.page_map(sb) == "dev"
        if page > g.PAGE_SIZE and on_device and f.info_block_minor >= 4:
            yield finding(
                "info-block-other-page-size",
                "error",
                f"{name} was made by a kernel with pages of {format_size(page)}; this one has {format_size(g.PAGE_SIZE)}, and its page "
                "array does not fit into the room left for it: refused (-EOPNOTSUPP).",
                "info-block-page-size",
                ranges=ranges,
                devices=(name,),
                errno="EOPNOTSUPP",
                capacity=capacity,
                kernel_says=(f"nd_pmem {name}: init failed, page size mismatch {page}",),
                remedies=(Remedy(f"Boot a kernel with pages of {format_size(page)} to read it."), BACK_UP, again),
            )
        elif page != g.PAGE_SIZE:
            spare = (
                max(0, _STRUCT_PAGE * (capacity or 0) // page - _STRUCT_PAGE * (capacity or 0) // g.PAGE_SIZE)
                if on_device
                else 0
            )
            yield finding(
                "info-block-other-page-size",
                "notice",
                f"{name} was made by a kernel with pages of {format_size(page)}; this one has {format_size(g.PAGE_SIZE)}."
                + (
                    f" It works; about {format_size(spare)} of the room for the page array are not used."
                    if spare
                    else " It works."
                ),
                "info-block-page-size",
                ranges=ranges,
                devices=(name,),
                capacity=spare or None,
            )
        if struct < g.sizeof_struct_page and on_device and f.info_block_minor >= 4:
            yield finding(
                "info-block-other-struct-page",
                "error",
                f"{name} has room for struct pages of {struct} bytes; this kernel's have {g.sizeof_struct_page}: refused (-EOPNOTSUPP).",
                "info-block-page-size",
                ranges=ranges,
                devices=(name,),
                errno="EOPNOTSUPP",
                capacity=capacity,
                kernel_says=(f"nd_pmem {name}: init failed, struct page size mismatch {struct}",),
                remedies=(
                    Remedy("Boot a kernel built without the debug options that enlarge struct page."),
                    BACK_UP,
                    again,
                ),
            )
        if sb.version_minor >= 1 and sb.start_pad and f.subsection_hotplug:
            yield finding(
                "info-block-old",
                "notice",
                f"The info block of {name} (version {sb.version_major}.{sb.version_minor}) is of a kernel up to 5.2: "
                f"{format_size(sb.start_pad)} at its start are padding, which stays until the namespace is made anew.",
                "section-padding",
                ranges=ranges,
                devices=(name,),
                capacity=sb.start_pad + sb.end_trunc,
                remedies=(BACK_UP, again),
            )
