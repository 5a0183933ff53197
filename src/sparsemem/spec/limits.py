"""Where zones end and which addresses can be plugged, by architecture and kernel.

Sources: ``zone_sizes_init()`` (``arch_zone_limits_init()`` from v7.0) of ``arch/*/mm``,
``mhp_get_pluggable_range()`` of mm/memory_hotplug.c, ``arch_get_mappable_range()`` of arm64 and riscv,
``kernel_randomize_memory()`` of arch/x86/mm/kaslr.c.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.ranges import Range
from sparsemem.spec.version import KernelVersion

if TYPE_CHECKING:
    from sparsemem.spec.kernel import Kernel

__all__ = ["mappable_range", "physmem_end", "pluggable_range", "zone_limits"]

_MIB, _GIB, _TIB = 1 << 20, 1 << 30, 1 << 40
_FIXED = {
    "ppc64": (),
    "s390x": (("DMA", 2 * _GIB),),
    "riscv64": (("DMA32", 4 * _GIB),),
    "loongarch64": (("DMA32", 4 * _GIB),),
}


def zone_limits(kernel: Kernel, dram_start: int = 0) -> tuple[tuple[str, int], ...]:
    """The kernel zones, lowest first, each with the pfn where it ends (exclusive). The last is Normal, to the last pfn.

    ``dram_start``: the first byte of RAM, which moves the limits on arm64. A limit that firmware sets there
    (dma-ranges, IORT) is not known here: the answer is for firmware that sets none.
    """
    shift = kernel.geometry.PAGE_SHIFT
    end = 1 << kernel.geometry.MAX_PHYSMEM_BITS
    if kernel.arch == "x86_64":
        dma = (("DMA", 16 * _MIB),) if kernel.config.ZONE_DMA else ()
        low: tuple[tuple[str, int], ...] = (*dma, ("DMA32", 4 * _GIB))
    elif kernel.arch == "arm64":
        low = _arm64_zones(kernel, dram_start, end)
    elif kernel.arch == "ppc64" and kernel.version < KernelVersion.merged_in("5.0"):
        low = (("DMA", end),)
    else:
        low = _FIXED[kernel.arch]
    return (*((name, limit >> shift) for name, limit in low), ("Normal", end >> shift))


def _arm64_zones(kernel: Kernel, dram_start: int, end: int) -> tuple[tuple[str, int], ...]:
    window = dram_start >> 32 << 32
    form = kernel.features.arm64_zones
    if form == "DMA32":
        return (("DMA32", window + 4 * _GIB),)
    if form == "DMA 1G and DMA32":
        return (("DMA", (dram_start >> 30 << 30) + _GIB), ("DMA32", window + 4 * _GIB))
    if dram_start >= 4 * _GIB:
        return (("DMA", end), ("DMA32", end))
    return (("DMA", 4 * _GIB), ("DMA32", 4 * _GIB))


def physmem_end(kernel: Kernel, boot_mem_end: int | None = None, *, kaslr: bool = False) -> int:
    """The first byte beyond what hot-plug accepts (``DIRECT_MAP_PHYSMEM_END + 1`` where the kernel has it).

    With ``kaslr`` on x86-64, kernels between two changes accept only boot RAM (``boot_mem_end``, bytes) rounded up to a
    TiB plus 10 TiB:
    Linux kernel commit ea72ce5da228 ("x86/kaslr: Expose and use the end of the physical memory address space")
    (in v6.11)
    Linux kernel commit 7ffb791423c7 ("x86/kaslr: Reduce KASLR entropy on most x86 systems") (in v6.15)
    """
    end = 1 << kernel.geometry.MAX_PHYSMEM_BITS
    f = kernel.features
    trimmed = kaslr and f.physmem_end_limits_hotplug and not f.kaslr_keeps_direct_map_whole
    if kernel.arch != "x86_64" or not trimmed or boot_mem_end is None:
        return end
    return min(end, (-(-boot_mem_end // _TIB) + kernel.config.RANDOMIZE_MEMORY_PHYSICAL_PADDING) * _TIB)


def mappable_range(kernel: Kernel, dram_start: int = 0) -> Range:
    """``arch_get_mappable_range()``: the bytes that the direct map can reach, half-open.

    arm64 maps 128 TiB (48-bit addresses) from the start of RAM on, rounded down to 1 GiB (512 MiB with 64 KiB pages).
    s390x and riscv64 have a limit too, which depends on the layout chosen at boot and is not known here.
    """
    if kernel.arch != "arm64":
        return Range(0, 1 << 64)
    g = kernel.geometry
    align = max(g.SECTION_SIZE, _GIB if g.PAGE_SIZE != 65536 else 512 * _MIB)
    start = dram_start // align * align
    if kernel.levels == 4:
        return Range(start, start + (1 << 47))
    whole = kernel.version >= KernelVersion.merged_in("5.11")
    return Range(start, start + ((1 << 52) - (1 << 47) if whole else 1 << 51))


def pluggable_range(
    kernel: Kernel,
    *,
    need_mapping: bool = True,
    dram_start: int = 0,
    boot_mem_end: int | None = None,
    kaslr: bool = False,
) -> Range:
    """``mhp_get_pluggable_range()``: the bytes that can be plugged, half-open.

    ``need_mapping``: in the direct map too (all but device-private memory). Kernels before v5.12 do not ask, but beyond
    this range their answers are errors or crashes of other kinds.
    """
    end = physmem_end(kernel, boot_mem_end, kaslr=kaslr)
    if not need_mapping:
        return Range(0, end)
    mappable = mappable_range(kernel, dram_start)
    if mappable.start >= end:
        return Range(0, 0)
    return Range(mappable.start, min(mappable.end, end))
