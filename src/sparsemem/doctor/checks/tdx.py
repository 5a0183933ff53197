"""A TDX host: the memory that it had when the TDX module was initialized is all that can ever be online."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_dax
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import inward
from sparsemem.doctor.needs import DAX
from sparsemem.doctor.rules import finding
from sparsemem.ranges import Range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding

__all__ = ["TdxHost"]


class TdxHost(Check):
    """Device memory as RAM on such a host: it is added, and no block of it goes online."""

    id = "tdx-host"
    question = "Does a TDX host keep device memory from becoming RAM?"
    about = "device memory on a TDX host"
    needs = (DAX,)
    finds = (Kind("tdx-static-memory", ("warning", "notice"), "notifier-refused", "x86-64 with TDX: 6.8 and later"),)

    def nothing(self, ctx: Context) -> str | None:
        if not ctx.state.misc.get("tdx_host"):
            return "no log says that the TDX module was initialized"
        return no_dax(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        if not ctx.kernel.features.tdx_memory_is_static:
            return
        block = ctx.block_size
        for dax in ctx.description.dax:
            ram = dax.mode == "system-ram"
            does = (
                "is added, and no block of it goes online"
                if ram
                else "can be added as RAM, and no block of it will go online"
            )
            whole = [r for r in (inward(each, block) for each in dax.ranges) if r.size]
            says = [
                f"online_pages [mem {r.start:#010x}-{min(r.start + block, r.end) - 1:#010x}] failed" for r in whole[:1]
            ]
            yield finding(
                "tdx-static-memory",
                "warning" if ram else "notice",
                f"{dax.dev} ({format_size(dax.size)}) {does} (-EPERM): this host has TDX, and only memory that was there when "
                "the TDX module was initialized can be online.",
                "notifier-refused",
                kernels="x86-64 with TDX: 6.8 and later",
                ranges=tuple(Range(r.start, r.end) for r in dax.ranges),
                devices=(dax.dev,),
                errno="EPERM",
                capacity=dax.size,
                lost=ram,
                kernel_says=tuple(says),
                source="arch/x86/virt/vmx/tdx/tdx.c tdx_memory_notifier() (Linux kernel commit abe8dbab8f9f)",
                remedies=(
                    Remedy(
                        "Use it as devdax: that needs no memory block.",
                        ("daxctl", "reconfigure-device", "-f", "-m", "devdax", dax.dev),
                    ),
                    Remedy("Or do without TDX on this host: boot with kvm_intel.tdx=0, or turn it off in firmware."),
                ),
            )
