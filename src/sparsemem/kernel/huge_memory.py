"""``include/linux/huge_mm.h``: which huge pages the machine maps, and so which alignments of device memory make sense."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["has_transparent_hugepage", "has_transparent_pud_hugepage", "mapped_sizes", "pmd_size"]

_HASH_MMU_PAGE = 16 << 20


def has_transparent_hugepage(state: State) -> bool:
    """Huge pages of a PMD: off by a machine's ``transparent_hugepage`` setting only."""
    return bool(state.misc.get("transparent_hugepage", True))


def has_transparent_pud_hugepage(state: State) -> bool:
    """Huge pages of a PUD: on x86-64, and on ppc64 with the radix MMU since v6.6."""
    if state.kernel.arch == "x86_64":
        return True
    radix = state.misc.get("linear_map_page_size", 0) != _HASH_MMU_PAGE
    return state.kernel.features.ppc64_transparent_pud and radix


def pmd_size(state: State) -> int:
    """Bytes below one PMD. With ppc64's hash MMU and pages of 64 KiB it is 16 MiB (``H_PTE_INDEX_SIZE`` 8), with radix 2 MiB."""
    g = state.kernel.geometry
    hashed = state.misc.get("linear_map_page_size", 0) == _HASH_MMU_PAGE
    return _HASH_MMU_PAGE if state.kernel.arch == "ppc64" and hashed and g.PAGE_SIZE == 65536 else g.PMD_SIZE


def mapped_sizes(state: State) -> tuple[int, ...]:
    """A page, a PMD and a PUD in bytes, as far as the machine maps them."""
    g = state.kernel.geometry
    if not has_transparent_hugepage(state):
        return (g.PAGE_SIZE,)
    if has_transparent_pud_hugepage(state):
        return (g.PAGE_SIZE, g.PMD_SIZE, g.PUD_SIZE)
    return (g.PAGE_SIZE, g.PMD_SIZE)
