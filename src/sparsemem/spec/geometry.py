"""Numbers of the memory model by architecture, page size and kernel version, each under the kernel's name.

Sources: ``arch/*/include/asm/sparsemem.h`` (SECTION_SIZE_BITS, MAX_PHYSMEM_BITS), ``include/linux/mmzone.h`` (sections,
sub-sections, roots), ``arch/*/include/asm/pgtable*.h`` and ``memory.h`` (page tables, vmemmap), of the releases from
4.19 to 7.3. tests/spec/headers.txt has the lines that count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sparsemem.errors import UsageError
from sparsemem.spec.version import KernelVersion

__all__ = ["ARCHES", "Geometry", "geometry"]

_PAGE_SIZES: dict[str, tuple[int, ...]] = {
    "x86_64": (4096,),
    "arm64": (4096, 16384, 65536),
    "ppc64": (65536, 4096),
    "s390x": (4096,),
    "riscv64": (4096,),
    "loongarch64": (16384, 4096, 65536),
}
ARCHES: tuple[str, ...] = tuple(_PAGE_SIZES)
"""The architectures with a geometry. The first page size of each is what its distributions build."""

_LEVELS = {"x86_64": (4, 5), "arm64": (4, 5)}
_SUBSECTION_SHIFT = 21
_SIZEOF_STRUCT_PAGE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Plain integers under the kernel's names: sizes in bytes, ``PAGES_*`` in pages, shifts and bits in bits.

    ``vmemmap_base`` is the memmap word of every section with SPARSEMEM_VMEMMAP (the address of the struct page of pfn
    0): on x86-64, arm64 and ppc64 (radix) the kernel's own value without KASLR and with RAM from 0, elsewhere a
    stand-in, since those kernels lay it out at boot.
    """

    PAGE_SHIFT: int
    PAGE_SIZE: int
    SECTION_SIZE_BITS: int
    PA_SECTION_SHIFT: int
    PFN_SECTION_SHIFT: int
    PAGES_PER_SECTION: int
    SECTION_SIZE: int
    SUBSECTION_SHIFT: int
    SUBSECTION_SIZE: int
    PAGES_PER_SUBSECTION: int
    SUBSECTIONS_PER_SECTION: int
    FULL_SUBSECTION_MAP: int
    MAX_PHYSMEM_BITS: int
    SECTIONS_SHIFT: int
    NR_MEM_SECTIONS: int
    SECTIONS_PER_ROOT: int
    NR_SECTION_ROOTS: int
    pageblock_order: int
    pageblock_nr_pages: int
    sizeof_struct_page: int
    sizeof_mem_section: int
    PMD_SIZE: int
    PUD_SIZE: int
    vmemmap_base: int


def _section_size_bits(arch: str, version: KernelVersion, page_size: int) -> int:
    """SECTION_SIZE_BITS.

    arm64 had 1 GiB sections before Linux kernel commit f0b13ee23241 ("arm64/sparsemem: reduce SECTION_SIZE_BITS")
    (in v5.12), s390x 256 MiB before v6.13 (28 in v6.12, 27 in v6.13).
    """
    if arch == "arm64":
        if version < KernelVersion.merged_in("5.12"):
            return 30
        return 29 if page_size == 65536 else 27
    if arch == "s390x":
        return 28 if version < KernelVersion.merged_in("6.13") else 27
    return {"x86_64": 27, "ppc64": 24, "riscv64": 27, "loongarch64": 29}[arch]


def _max_physmem_bits(arch: str, version: KernelVersion, page_size: int, levels: int) -> int:
    """MAX_PHYSMEM_BITS; arm64 and s390x with the default of their build option."""
    if arch == "x86_64":
        return 52 if levels == 5 else 46
    if arch == "arm64":
        return 52 if levels == 5 else 48
    if arch == "ppc64":
        if version < KernelVersion.merged_in("4.20"):
            return 47
        return 51 if page_size == 65536 else 46
    return {"s390x": 46, "riscv64": 56, "loongarch64": 48}[arch]


def _table_shifts(arch: str, page_shift: int) -> tuple[int, int]:
    """PMD_SHIFT and PUD_SHIFT. Every table is a page of 8-byte entries, but for s390x and ppc64 (radix)."""
    if arch == "s390x":
        return 20, 31
    if arch == "ppc64":
        return 21, 30
    return 2 * page_shift - 3, 3 * page_shift - 6


def _vmemmap_base(arch: str, version: KernelVersion, page_shift: int, levels: int) -> int:
    if arch == "x86_64":  # __VMEMMAP_BASE_L4, __VMEMMAP_BASE_L5
        return 0xFFD4000000000000 if levels == 5 else 0xFFFFEA0000000000
    if arch == "arm64":  # VMEMMAP_START with 48 or 52 bits of virtual address
        va_bits = 52 if levels == 5 else 48
        shift = page_shift - 6
        if version < KernelVersion.merged_in("5.4"):  # below the linear map, which was the upper half
            return (1 << 64) - (1 << (va_bits - 1)) - (1 << (va_bits - 1 - shift))
        va_bits_min = 47 if levels == 5 and page_shift == 14 else 48
        size = ((1 << va_bits) - (1 << (va_bits_min - 1))) >> shift
        if version < KernelVersion.merged_in("5.11"):
            return (1 << 64) - size - (1 << 21)
        if version < KernelVersion.merged_in("6.9"):
            return (1 << 64) - (1 << (va_bits - shift))
        return (1 << 64) - (1 << 30) - size
    if arch == "ppc64":  # RADIX_VMEMMAP_START
        return 0xC00C000000000000
    return (1 << 64) - (1 << 51)


@cache
def geometry(
    arch: str,
    version: KernelVersion,
    page_size: int | None = None,
    levels: int = 4,
    *,
    page_extension: bool = False,
) -> Geometry:
    """The geometry of one kernel.

    ``page_size`` in bytes (None: what distributions build); ``levels`` of page tables: 5 stands for LA57 on x86-64 and
    for 52-bit physical addresses on arm64; ``page_extension``: a build with CONFIG_PAGE_EXTENSION, whose ``struct
    mem_section`` is twice as large. Raises UsageError for an architecture, page size or depth that there is not.
    """
    if arch not in _PAGE_SIZES:
        raise UsageError(f"unknown architecture: {arch!r}", remedy="name one of " + ", ".join(ARCHES))
    page_size = _PAGE_SIZES[arch][0] if page_size is None else page_size
    if page_size not in _PAGE_SIZES[arch]:
        sizes = ", ".join(str(size) for size in _PAGE_SIZES[arch])
        raise UsageError(f"{arch} has no pages of {page_size} bytes", remedy=f"name one of {sizes}")
    if levels not in _LEVELS.get(arch, (4,)):
        raise UsageError(
            f"{arch} has no choice of {levels} page table levels", remedy="name 4, or 5 on x86_64 and arm64"
        )
    shift = page_size.bit_length() - 1
    bits = _section_size_bits(arch, version, page_size)
    physmem_bits = _max_physmem_bits(arch, version, page_size, levels)
    pmd_shift, pud_shift = _table_shifts(arch, shift)
    sizeof_mem_section = 32 if page_extension else 16
    sections_per_root = page_size // sizeof_mem_section
    return Geometry(
        PAGE_SHIFT=shift,
        PAGE_SIZE=page_size,
        SECTION_SIZE_BITS=bits,
        PA_SECTION_SHIFT=bits,
        PFN_SECTION_SHIFT=bits - shift,
        PAGES_PER_SECTION=1 << (bits - shift),
        SECTION_SIZE=1 << bits,
        SUBSECTION_SHIFT=_SUBSECTION_SHIFT,
        SUBSECTION_SIZE=1 << _SUBSECTION_SHIFT,
        PAGES_PER_SUBSECTION=1 << (_SUBSECTION_SHIFT - shift),
        SUBSECTIONS_PER_SECTION=1 << (bits - _SUBSECTION_SHIFT),
        FULL_SUBSECTION_MAP=(1 << (1 << (bits - _SUBSECTION_SHIFT))) - 1,
        MAX_PHYSMEM_BITS=physmem_bits,
        SECTIONS_SHIFT=physmem_bits - bits,
        NR_MEM_SECTIONS=1 << (physmem_bits - bits),
        SECTIONS_PER_ROOT=sections_per_root,
        NR_SECTION_ROOTS=-(-(1 << (physmem_bits - bits)) // sections_per_root),
        pageblock_order=pmd_shift - shift,
        pageblock_nr_pages=1 << (pmd_shift - shift),
        sizeof_struct_page=_SIZEOF_STRUCT_PAGE,
        sizeof_mem_section=sizeof_mem_section,
        PMD_SIZE=1 << pmd_shift,
        PUD_SIZE=1 << pud_shift,
        vmemmap_base=_vmemmap_base(arch, version, shift, levels),
    )
