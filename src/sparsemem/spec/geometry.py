"""Numbers of the memory model by architecture, page size and kernel version, each under the kernel's name.

Headers: ``arch/*/include/asm/sparsemem.h`` (SECTION_SIZE_BITS, MAX_PHYSMEM_BITS), ``include/linux/mmzone.h`` (the rest).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from sparsemem.errors import UsageError
from sparsemem.spec.version import KernelVersion

__all__ = ["ARCHES", "DEFAULT_PAGE_SIZE", "Geometry", "geometry"]

ARCHES = ("x86_64", "arm64", "ppc64", "s390x", "riscv64", "loongarch64")
_PAGE_SIZES: dict[str, tuple[int, ...]] = {
    "x86_64": (4096,),
    "arm64": (4096, 16384, 65536),
    "ppc64": (65536, 4096),
    "s390x": (4096,),
    "riscv64": (4096,),
    "loongarch64": (16384, 4096, 65536),
}
DEFAULT_PAGE_SIZE = {arch: sizes[0] for arch, sizes in _PAGE_SIZES.items()}
_LEVELS = {"x86_64": (4, 5)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Geometry:
    """Plain integers under the kernel's names: sizes in bytes, ``PAGES_*`` in pages, ``*_SHIFT`` and ``*_BITS`` in bits."""

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


def _section_bits(arch: str, version: KernelVersion, page_size: int) -> int:
    if arch == "arm64":
        if version < KernelVersion.merged_in("5.12"):
            return 30
        return 29 if page_size == 65536 else 27
    if arch == "s390x":
        return 28 if version < KernelVersion.merged_in("6.14") else 27
    return {"x86_64": 27, "ppc64": 24, "riscv64": 27, "loongarch64": 29}[arch]


def _physmem_bits(arch: str, page_size: int, levels: int) -> int:
    if arch == "x86_64":
        return 52 if levels == 5 else 46
    if arch == "ppc64":
        return 51 if page_size == 65536 else 46
    return {"arm64": 48, "s390x": 46, "riscv64": 56, "loongarch64": 48}[arch]


def _vmemmap_base(arch: str, levels: int) -> int:
    if arch == "x86_64":
        return 0xFFD4000000000000 if levels == 5 else 0xFFFFEA0000000000
    return {"arm64": 0xFFFFFC0000000000, "ppc64": 0xC00C000000000000, "s390x": 0x0004000000000000,
            "riscv64": 0xFFFF8D8000000000, "loongarch64": 0xFFFFFEFF00000000}[arch]  # fmt: skip


@cache
def geometry(arch: str, version: KernelVersion, page_size: int | None = None, levels: int = 4) -> Geometry:
    """The geometry of one kernel. Raises UsageError for an architecture, page size (bytes) or paging depth it does not have."""
    if arch not in _PAGE_SIZES:
        raise UsageError(f"unknown architecture: {arch!r}", remedy="name one of " + ", ".join(ARCHES))
    page_size = DEFAULT_PAGE_SIZE[arch] if page_size is None else page_size
    if page_size not in _PAGE_SIZES[arch]:
        sizes = ", ".join(str(size) for size in _PAGE_SIZES[arch])
        raise UsageError(f"{arch} has no pages of {page_size} bytes", remedy=f"name one of {sizes}")
    if levels not in _LEVELS.get(arch, (4,)):
        raise UsageError(f"{arch} has no {levels}-level paging here", remedy="name 4, or 5 on x86_64")
    shift = page_size.bit_length() - 1
    bits, phys = _section_bits(arch, version, page_size), _physmem_bits(arch, page_size, levels)
    pmd_shift = 20 if arch == "s390x" else shift + (shift - 3)
    pud_shift = 31 if arch == "s390x" else pmd_shift + (shift - 3)
    sizeof_mem_section, sections_shift = 16, phys - bits
    per_root = page_size // sizeof_mem_section
    order = 5 if arch == "ppc64" and page_size == 65536 else pmd_shift - shift
    return Geometry(
        PAGE_SHIFT=shift,
        PAGE_SIZE=page_size,
        SECTION_SIZE_BITS=bits,
        PA_SECTION_SHIFT=bits,
        PFN_SECTION_SHIFT=bits - shift,
        PAGES_PER_SECTION=1 << (bits - shift),
        SECTION_SIZE=1 << bits,
        SUBSECTION_SHIFT=21,
        SUBSECTION_SIZE=1 << 21,
        PAGES_PER_SUBSECTION=1 << (21 - shift),
        SUBSECTIONS_PER_SECTION=1 << (bits - 21),
        FULL_SUBSECTION_MAP=(1 << (1 << (bits - 21))) - 1,
        MAX_PHYSMEM_BITS=phys,
        SECTIONS_SHIFT=sections_shift,
        NR_MEM_SECTIONS=1 << sections_shift,
        SECTIONS_PER_ROOT=per_root,
        NR_SECTION_ROOTS=-(-(1 << sections_shift) // per_root),
        pageblock_order=order,
        pageblock_nr_pages=1 << order,
        sizeof_struct_page=64,
        sizeof_mem_section=sizeof_mem_section,
        PMD_SIZE=1 << pmd_shift,
        PUD_SIZE=1 << pud_shift,
        vmemmap_base=_vmemmap_base(arch, levels),
    )
