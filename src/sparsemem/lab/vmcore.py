"""The section table of a running guest without debug symbols: addresses out of the kernel's vmcoreinfo, layouts out of its BTF.

Both are the kernel's own words about itself, so nothing here hangs on a release. Memory is read by QEMU (QMP ``pmemsave``); what
``sections`` reads with drgn on a kernel that has symbols, this reads the same.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
from array import array
from typing import TYPE_CHECKING, TypedDict

from sparsemem.lab.btf import Btf
from sparsemem.lab.errors import LabError
from sparsemem.lab.sections import OLD_FLAGS, GuestSection, flag_bits

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sparsemem.lab.guest import Guest

__all__ = ["VmcoreReader"]

_PAGE_OFFSET = {False: 0xFFFF_8880_0000_0000, True: 0xFF11_0000_0000_0000}
"""The direct mapping of all memory, by whether there are five levels of page tables; it does not move: the lab says nokaslr.
Source: Documentation/arch/x86/x86_64/mm.rst."""
_TEXT = 0xFFFF_FFFF_8000_0000
_NODES = 64


class _Layout(TypedDict):
    """Offsets and sizes in bytes; ``flags``: name -> bit."""

    usage: int
    subsection_map: int
    subsection_map_bytes: int
    flags: dict[str, int]


def _vmcoreinfo(text: str) -> dict[str, int]:
    """``SYMBOL(mem_section)=ffff...`` -> its number: symbols and ``KERNELOFFSET`` are hexadecimal, the others decimal."""
    found = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        with contextlib.suppress(ValueError):
            found[name] = int(value, 16 if name.startswith(("SYMBOL(", "KERNELOFFSET")) else 0)
    return found


class VmcoreReader:
    """Raises LabError where the kernel does not say what is needed. ``layout``: where what its BTF says is kept for the next time."""

    how = "vmcoreinfo and BTF"

    def __init__(self, guest: Guest, layout: Path) -> None:
        self._qmp: Callable[..., object] = guest.qemu.qmp
        self._file = guest.qemu.directory / "memory"
        words = guest.run("cat /sys/kernel/vmcoreinfo").stdout.split()
        if len(words) != 2:
            raise LabError(
                "this kernel has no vmcoreinfo",
                remedy="give its vmlinux: sparsemem kernels add IMAGE --debuginfo VMLINUX",
            )
        note = self._physical(int(words[0], 16), int(words[1], 16))
        self._told = _vmcoreinfo(note.partition(b"OSRELEASE=")[2].partition(b"\0")[0].decode("ascii", "replace"))
        if self._number("KERNELOFFSET"):
            raise LabError(
                "this kernel has moved itself, so its memory cannot be read",
                remedy="leave kaslr out of its command line",
            )
        self._base = _PAGE_OFFSET[bool(self._told.get("NUMBER(pgtable_l5_enabled)", 0))]
        told = self._cached(layout) or self._learn(guest, layout)
        self._usage, self._map, self._map_bytes = told["usage"], told["subsection_map"], told["subsection_map_bytes"]
        self._flags: dict[int, str] = {1 << bit: name for name, bit in told["flags"].items()} or OLD_FLAGS
        self._size = self._number("SIZE(mem_section)")

    def _number(self, name: str) -> int:
        try:
            return self._told[name]
        except KeyError:
            raise LabError(f"this kernel's vmcoreinfo has no {name}") from None

    @staticmethod
    def _cached(layout: Path) -> _Layout | None:
        try:
            told: _Layout = json.loads(layout.read_text())
            return told if set(told) == set(_Layout.__annotations__) else None
        except (OSError, ValueError, TypeError):
            return None

    def _learn(self, guest: Guest, layout: Path) -> _Layout:
        """Read the BTF out of the guest's memory: once for each kernel, it takes a second or two."""
        answer = guest.run("grep -w __start_BTF /proc/kallsyms; wc -c </sys/kernel/btf/vmlinux")
        found = re.fullmatch(r"([0-9a-f]*[1-9a-f][0-9a-f]*) . __start_BTF\n(\d+)\n", answer.stdout)
        if found is None:
            raise LabError(
                "this kernel has no BTF", remedy="give its vmlinux: sparsemem kernels add IMAGE --debuginfo VMLINUX"
            )
        btf = Btf(self._physical(self._place(int(found[1], 16)), int(found[2])))
        bitmap = btf.members("mem_section_usage").get("subsection_map")
        usage = btf.members("mem_section").get("usage")
        if bitmap is None or usage is None:
            raise LabError("this kernel has no sub-section map", why="it is older than 5.3")
        told: _Layout = {
            "usage": usage.offset, "subsection_map": bitmap.offset, "subsection_map_bytes": 8 * bitmap.elements,
            "flags": flag_bits(btf.enum_with("SECTION_MARKED_PRESENT_BIT")),
        }  # fmt: skip
        temporary = layout.with_name(f".{layout.name}.{os.getpid()}")
        try:
            temporary.write_text(json.dumps(told))
            temporary.rename(layout)
        except OSError:  # read again the next time
            temporary.unlink(missing_ok=True)
        return told

    def _place(self, address: int) -> int:
        """The physical address of a kernel address. Raises LabError outside of the two mappings that do not move."""
        if address >= _TEXT:
            return address - _TEXT + self._told.get("NUMBER(phys_base)", 0)
        if self._base <= address < self._base + (1 << self._number("NUMBER(MAX_PHYSMEM_BITS)")):
            return address - self._base
        raise LabError(f"the kernel's address {address:#x} is in no mapping that the lab knows")

    def _physical(self, start: int, size: int) -> bytes:
        try:
            self._qmp("pmemsave", val=start, size=size, filename=str(self._file))
            data = self._file.read_bytes()
        except OSError as error:
            raise LabError(f"the guest's memory cannot be read: {error.strerror}") from None
        if len(data) != size:
            raise LabError("the guest's memory cannot be read", why=f"{len(data)} of {size} bytes at {start:#x}")
        return data

    def _words(self, start: int, count: int) -> array[int]:
        found = array("Q")
        found.frombytes(self._physical(self._place(start), 8 * count))
        return found

    def read(self) -> list[GuestSection]:
        """Every present section. Raises LabError, GuestLostError."""
        per_root, found = 4096 // self._size, []
        pages: dict[int, bytes] = {}
        roots = self._words(self._number("SYMBOL(mem_section)"), self._number("LENGTH(mem_section)"))
        for index, root in enumerate(roots):
            if not root:
                continue
            page = self._physical(self._place(root), per_root * self._size)
            for slot in range(per_root):
                word, usage = (
                    int.from_bytes(page[slot * self._size + at : slot * self._size + at + 8], "little")
                    for at in (self._number("OFFSET(mem_section.section_mem_map)"), self._usage)
                )
                if word & 1:
                    flags = tuple(sorted(name for bit, name in self._flags.items() if word & bit))
                    found.append(GuestSection(index * per_root + slot, flags, self._bitmap(usage, pages)))
        return found

    def _bitmap(self, usage: int, pages: dict[int, bytes]) -> int | None:
        """Usage maps lie next to each other, most of them: a page of memory is read once."""
        if not usage:
            return None
        out = b""
        at, end = usage + self._map, usage + self._map + self._map_bytes
        while at < end:
            page = at & ~4095
            if page not in pages:
                pages[page] = self._physical(self._place(page), 4096)
            take = min(end, page + 4096) - at
            out += pages[page][at - page : at - page + take]
            at += take
        return int.from_bytes(out, "little")

    def nodes(self) -> list[tuple[int, int, int]]:
        """(node, first pfn, pages spanned) of every node that spans pages."""
        found = []
        count = min(self._number("LENGTH(node_data)"), _NODES)
        for nid, node in enumerate(self._words(self._number("SYMBOL(node_data)"), count)):
            if node:
                start, pages = (
                    self._words(node + self._number(f"OFFSET(pglist_data.{name})"), 1)[0]
                    for name in ("node_start_pfn", "node_spanned_pages")
                )
                if pages:
                    found.append((nid, start, pages))
        return found
