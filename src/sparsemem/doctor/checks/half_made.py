"""Namespaces that a failed ``create-namespace`` left behind: they have space and a holder, and no driver."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_namespaces
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import align_down, align_up
from sparsemem.doctor.needs import OWN_KERNEL, REGIONS
from sparsemem.doctor.rules import cure, finding
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.description import NamespaceFact

__all__ = ["HalfMade"]

_INFO, _STRUCT_PAGE = 8192, 64


class HalfMade(Check):
    """``ndctl`` gives a namespace its space, then a pfn, dax or btt device, then starts that. Where the start fails and the tool does not
    clean up (it does from 64 on, unless told not to), the next ``create-namespace`` takes the same one, and fails as well. One that was
    disabled on purpose has no holder: its pfn device goes with the driver."""

    id = "half-made"
    question = "Did a failed create-namespace leave something behind that blocks the next one?"
    about = "namespaces that are half made"
    needs = (REGIONS, OWN_KERNEL)
    finds = (Kind("half-made-namespace", ("warning",)),)

    def nothing(self, ctx: Context) -> str | None:
        return no_namespaces(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        regions = {region.dev: region for region in ctx.description.regions}
        for fact in ctx.description.namespaces:
            region = regions.get(fact.region)
            if fact.enabled or fact.holder is None or not fact.size or (region is not None and not region.enabled):
                continue
            full = _nothing_left(ctx, fact)
            why = (
                f" Nothing of it is left behind its metadata with an align of {format_size(fact.align or 0)}."
                if full
                else ""
            )
            yield finding(
                "half-made-namespace", "warning",
                f"{fact.dev} ({format_size(fact.size)}) is half made: {fact.holder} holds it, and its driver did not start. ndctl takes "
                f"it for "
                f"the next namespace of {fact.region}, too, and that fails as well.{why}",
                None, why="A namespace without a driver is what create-namespace takes first, or the seed of the region, which stays it.",
                ranges=(fact.range,) if fact.range is not None else (), devices=(fact.dev,), capacity=fact.size,
                errno="ENXIO" if full else None,
                kernel_says=(f"nd_pmem {fact.holder}: {fact.dev} unable to satisfy requested alignment",) if full else (),
                source="ndctl/namespace.c: region_get_namespace()",
                remedies=(
                    cure("Destroy it: it has never been used.", "ndctl", "destroy-namespace", "-f", fact.dev),
                    *(_smaller_align(ctx, fact) if full else ()),
                ),
            )  # fmt: skip


def _smaller_align(ctx: Context, fact: NamespaceFact) -> Iterator[Remedy]:
    usual = format_size(ctx.kernel.geometry.PMD_SIZE)
    yield Remedy(f"Then ask for the usual align of {usual}, or for {format_size(fact.align or 0)} more.")


def _nothing_left(ctx: Context, fact: NamespaceFact) -> bool:
    """Does its data begin where, or behind where, it ends? (nd_pfn_init(): -ENXIO.)"""
    if fact.range is None or not fact.align or fact.mode not in ("fsdax", "devdax"):
        return False
    pages = (fact.range.size - _INFO) // ctx.kernel.page_size
    table = _STRUCT_PAGE * pages if fact.map == "dev" else 0
    return align_up(fact.range.start + _INFO + table, fact.align) >= align_down(fact.range.end, fact.align)
