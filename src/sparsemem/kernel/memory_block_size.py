"""``memory_block_size_bytes()`` by architecture, version and machine. Bytes throughout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.ranges import Range

if TYPE_CHECKING:
    from sparsemem.kernel.ioport import Resource
    from sparsemem.spec import Kernel

__all__ = ["cxl_windows", "memory_block_advise_max_size", "memory_block_size_bytes"]

_MIB, _GIB = 1 << 20, 1 << 30
_MAX_BLOCK_SIZE = 2 * _GIB
_MEM_SIZE_FOR_LARGE_BLOCK = 64 * _GIB


def cxl_windows(root: Resource) -> tuple[tuple[str, Range], ...]:
    """The CXL fixed memory windows of an iomem tree, by address. Up to v6.18 one may lie inside "Soft Reserved"."""
    return tuple(
        (res.name, Range(res.start, res.end + 1))
        for _, res in root.walk()
        if res.name is not None and res.name.startswith("CXL Window")
    )


def memory_block_advise_max_size(windows: tuple[Range, ...]) -> int | None:
    """What the CXL fixed memory windows advise: the largest power of two that divides every edge.

    Windows that divide by less than 256 MiB are a firmware bug and advise nothing; None without advice (v6.16+).
    """
    advice: int | None = None
    for start, end in windows:
        align = (start | end) & -(start | end)
        if align >= 256 * _MIB:
            advice = align if advice is None else min(advice, align)
    return advice


def memory_block_size_bytes(
    kernel: Kernel, boot_mem_end: int, *, hypervisor: bool, advice: int | None = None, forced: int | None = None
) -> int:
    """The size of a memory block.

    ``boot_mem_end``: end of boot RAM (max_pfn in bytes); ``hypervisor``: the CPU says it is a guest (x86); ``advice``: of
    ``memory_block_advise_max_size``; ``forced``: a size that firmware or command line sets (ppc64 LMB, s390x increment, UV).

    x86-64: 128 MiB below 64 GiB of RAM; then 2 GiB on bare metal, or the largest size up to 2 GiB that divides the end of
    RAM. arm64, riscv64 and loongarch64: one section.
    """
    section = kernel.geometry.SECTION_SIZE
    if forced is not None:
        return forced
    if kernel.arch != "x86_64":
        return max(section, 256 * _MIB) if kernel.arch == "ppc64" else section
    if boot_mem_end < _MEM_SIZE_FOR_LARGE_BLOCK:
        return section
    rule = kernel.features.block_size_rule
    size = _MAX_BLOCK_SIZE
    if rule == "advised" and advice is not None:
        size = max(min(advice, _MAX_BLOCK_SIZE), section)
    elif rule != "largest divisor" and not hypervisor:
        return size
    while size > section and boot_mem_end % size:
        size >>= 1
    return size
