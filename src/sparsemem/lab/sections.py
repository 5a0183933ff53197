"""The section table of a running guest, read out of its memory by drgn over QMP: the second source that no tool stands between."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from sparsemem.errors import MissingExtraError
from sparsemem.lab.errors import GuestLostError, LabError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["OLD_FLAGS", "GuestSection", "SectionReader", "TableReader", "flag_bits"]

OLD_FLAGS = {1: "MARKED_PRESENT", 2: "HAS_MEM_MAP", 4: "IS_ONLINE", 8: "IS_EARLY"}
"""Before 6.0 they are macros, which neither debug information nor BTF tells."""


class GuestSection(NamedTuple):
    """``flags`` by name, sorted; ``subsection_map`` None where the kernel has no usage map for it."""

    nr: int
    flags: tuple[str, ...]
    subsection_map: int | None


class TableReader(Protocol):
    """What reads a guest's section table and nodes; ``how`` is for the report."""

    how: str

    def read(self) -> list[GuestSection]:
        """Every present section. Raises LabError, GuestLostError."""

    def nodes(self) -> list[tuple[int, int, int]]:
        """(node, first pfn, pages spanned) of every node that spans pages."""


def flag_bits(enum: Mapping[str, int]) -> dict[str, int]:
    """ "MARKED_PRESENT" -> 0, of the kernel's enumeration of section flags."""
    names = {name[len("SECTION_") : -len("_BIT")]: bit for name, bit in enum.items() if name.endswith("_BIT")}
    return {name: bit for name, bit in names.items() if name != "MAP_LAST"}


class SectionReader:
    """drgn on one guest. ``socket`` is a QMP socket that nobody else uses."""

    how = "drgn"

    def __init__(self, vmlinux: Path, socket: str) -> None:
        try:
            import drgn
        except ImportError:
            raise MissingExtraError(
                "reading a guest's section table needs drgn", remedy="pip install 'sparsemem[lab]'"
            ) from None
        self._drgn: Any = drgn
        self._program: Any = drgn.Program()
        try:
            self._program.set_qemu_qmp(socket)
            self._program.load_debug_info([str(vmlinux)])
        except Exception as error:
            raise LabError(
                "drgn cannot read this guest", why=str(error)[:200],
                remedy="its kernel and vmlinux must be of one build; sparsemem kernels fetch SERIES --debuginfo --renew",
            ) from None  # fmt: skip
        self._names = self._flag_names()
        self._section = self._program.type("struct mem_section")
        self._size = drgn.sizeof(self._section)
        self._offsets = {name: drgn.offsetof(self._section, name) for name in ("section_mem_map", "usage")}
        usage = self._program.type("struct mem_section_usage")
        self._map = drgn.offsetof(usage, "subsection_map")
        self._map_bytes = drgn.sizeof(usage.member("subsection_map").type)

    def _flag_names(self) -> dict[int, str]:
        try:
            members = self._program.constant("SECTION_MARKED_PRESENT_BIT").type_.enumerators
        except LookupError:
            return OLD_FLAGS
        return {1 << bit: name for name, bit in flag_bits({each.name: each.value for each in members}).items()}

    def read(self) -> list[GuestSection]:
        """Every present section. Raises GuestLostError when the guest is gone."""
        program, found = self._program, []
        try:
            roots = program["mem_section"]
            per_root = 4096 // self._size
            count = roots.type_.length if hasattr(roots.type_, "length") else (1 << 19) // per_root
            base = roots.address_ if hasattr(roots.type_, "length") else roots.value_()
            pointers = program.read(base, 8 * count)
            for index in range(count):
                root = int.from_bytes(pointers[8 * index : 8 * index + 8], "little")
                if root:
                    found += self._root(index * per_root, program.read(root, per_root * self._size), per_root)
        except self._drgn.FaultError as error:
            raise LabError("the guest's section table cannot be read", why=str(error)) from None
        except OSError as error:
            raise GuestLostError("drgn lost the guest", str(error)) from None
        return found

    def _root(self, first: int, page: bytes, per_root: int) -> list[GuestSection]:
        found = []
        for index in range(per_root):
            at = index * self._size + self._offsets["section_mem_map"]
            word = int.from_bytes(page[at : at + 8], "little")
            if not word & 1:
                continue
            at = index * self._size + self._offsets["usage"]
            usage = int.from_bytes(page[at : at + 8], "little")
            mask = None
            if usage:
                mask = int.from_bytes(self._program.read(usage + self._map, self._map_bytes), "little")
            flags = tuple(sorted(name for bit, name in self._names.items() if word & bit))
            found.append(GuestSection(first + index, flags, mask))
        return found

    def nodes(self) -> list[tuple[int, int, int]]:
        """(node, first pfn, pages spanned) of every node that spans pages."""
        found = []
        try:
            array = self._program["node_data"]
            for nid in range(min(array.type_.length, 64)):
                if array[nid]:
                    start, pages = array[nid].node_start_pfn.value_(), array[nid].node_spanned_pages.value_()
                    if pages:
                        found.append((nid, start, pages))
        except self._drgn.FaultError as error:
            raise LabError("the guest's nodes cannot be read", why=str(error)) from None
        return found
