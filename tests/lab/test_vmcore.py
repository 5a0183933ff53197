"""Reading a guest's sections by the kernel's own words: a small BTF and a small memory, written here by the format's description."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sparsemem.lab.btf import Btf, Member
from sparsemem.lab.conversation import GuestAnswer
from sparsemem.lab.errors import LabError
from sparsemem.lab.sections import GuestSection, flag_bits
from sparsemem.lab.vmcore import VmcoreReader

INT, PTR, ARRAY, STRUCT, ENUM, TYPEDEF = 1, 2, 3, 4, 6, 8


def btf(*, bitmap: bool = True, enum: bool = True) -> bytes:
    """Types 1 to 6: unsigned long; an array of two; struct rcu_head; mem_section_usage; a pointer; mem_section; and the flags."""
    strings = bytearray(b"\0")

    def name(text: str) -> int:
        at = len(strings)
        strings.extend(text.encode() + b"\0")
        return at

    def head(text: str, kind: int, count: int, size: int) -> bytes:
        return struct.pack("<3I", name(text) if text else 0, kind << 24 | count, size)

    def member(text: str, kind: int, offset: int) -> bytes:
        return struct.pack("<3I", name(text), kind, offset * 8)

    usage = [member("rcu", 3, 0)] + ([member("subsection_map", 2, 16)] if bitmap else [])
    types = [
        head("long unsigned int", INT, 0, 8) + struct.pack("<I", 64),
        head("", ARRAY, 0, 0) + struct.pack("<3I", 1, 1, 2),
        head("callback_head", STRUCT, 0, 16),
        head("mem_section_usage", STRUCT, len(usage), 32) + b"".join(usage),
        head("", PTR, 0, 4),
        head("mem_section", STRUCT, 2, 16) + member("section_mem_map", 1, 0) + member("usage", 5, 8),
        head("u64", TYPEDEF, 0, 1),
    ]
    if enum:
        flags = ("SECTION_MARKED_PRESENT_BIT", "SECTION_HAS_MEM_MAP_BIT", "SECTION_MAP_LAST_BIT")
        types.append(
            head("", ENUM, len(flags), 4) + b"".join(struct.pack("<2I", name(f), n) for n, f in enumerate(flags))
        )
    body = b"".join(types)
    return struct.pack("<HBB5I", 0xEB9F, 1, 0, 24, 0, len(body), len(body), len(strings)) + body + bytes(strings)


def test_layouts_and_flags_are_read_out_of_btf() -> None:
    told = Btf(btf())
    assert told.members("mem_section_usage") == {"rcu": Member(0, 1), "subsection_map": Member(16, 2)}
    assert told.members("mem_section")["usage"] == Member(8, 1)
    assert flag_bits(told.enum_with("SECTION_MARKED_PRESENT_BIT")) == {"MARKED_PRESENT": 0, "HAS_MEM_MAP": 1}
    assert Btf(btf(enum=False)).enum_with("SECTION_MARKED_PRESENT_BIT") == {}
    with pytest.raises(LabError, match="no struct page"):
        told.members("page")


@pytest.mark.parametrize("data", [b"", b"\x7fELF" * 10, btf()[:60]])
def test_what_is_no_btf_is_said(data: bytes) -> None:
    with pytest.raises(LabError, match="BTF"):
        Btf(data)


class Fake:
    """A guest with 1 MiB of memory behind the direct mapping of four levels, and the kernel's text from 0xffffffff80000000 on."""

    BASE, TEXT = 0xFFFF_8880_0000_0000, 0xFFFF_FFFF_8000_0000

    def __init__(self, directory: Path, data: bytes, kernel_offset: int = 0) -> None:
        self.memory = bytearray(1 << 20)
        self.blob = data
        self.asked: list[str] = []
        self.put(0x80000, data)
        note = (
            f"OSRELEASE=6.1\nSYMBOL(mem_section)={self.BASE + 0x10000:x}\nLENGTH(mem_section)=4\nSIZE(mem_section)=16\n"
            f"OFFSET(mem_section.section_mem_map)=0\nNUMBER(MAX_PHYSMEM_BITS)=46\nNUMBER(phys_base)=0\n"
            f"SYMBOL(node_data)={self.TEXT + 0x20000:x}\nLENGTH(node_data)=1024\nOFFSET(pglist_data.node_start_pfn)=64\n"
            f"OFFSET(pglist_data.node_spanned_pages)=80\nKERNELOFFSET={kernel_offset:x}\n"
        )
        self.put(0x1000, b"\x0b\0\0\0VMCOREINFO\0\0" + note.encode())
        self.put(0x10008, struct.pack("<Q", self.BASE + 0x11000))  # the second root: sections 256 on
        self.put(0x11000, struct.pack("<2Q", 0x3, self.BASE + 0x12FF0 - 16))
        self.put(0x11020, struct.pack("<2Q", 0x1, 0))
        self.put(0x11030, struct.pack("<2Q", 0x2, self.BASE))  # not present
        self.put(0x12FF0, struct.pack("<2Q", 0xFF, 0x1))  # its two words end in the next page
        self.put(0x20000, struct.pack("<2Q", 0, self.BASE + 0x30000))
        self.put(0x30040, struct.pack("<3Q", 0x100, 0, 0x8000))
        self.qemu = SimpleNamespace(qmp=self.qmp, directory=directory)

    def put(self, at: int, data: bytes) -> None:
        self.memory[at : at + len(data)] = data

    def qmp(self, command: str, *, val: int, size: int, filename: str) -> None:
        assert command == "pmemsave"
        Path(filename).write_bytes(self.memory[val : val + size])

    def run(self, command: str) -> GuestAnswer:
        self.asked.append(command)
        if "vmcoreinfo" in command:
            return GuestAnswer(0, "0x0000000000001000 2000\n", ())
        if not self.blob:
            return GuestAnswer(1, "sh: can't open /sys/kernel/btf/vmlinux\n", ())
        return GuestAnswer(0, f"{self.TEXT + 0x80000:x} R __start_BTF\n{len(self.blob)}\n", ())


def reader(guest: Fake, layout: Path) -> VmcoreReader:
    anything: Any = guest
    return VmcoreReader(anything, layout)


def test_sections_and_nodes_are_read_out_of_memory(tmp_path: Path) -> None:
    guest, layout = Fake(tmp_path, btf()), tmp_path / "layout.json"
    first = reader(guest, layout)
    assert first.read() == [
        GuestSection(256, ("HAS_MEM_MAP", "MARKED_PRESENT"), (1 << 64) | 0xFF),
        GuestSection(258, ("MARKED_PRESENT",), None),
    ]
    assert first.nodes() == [(1, 0x100, 0x8000)]
    guest.asked.clear()
    assert reader(guest, layout).read() == first.read()
    assert guest.asked == ["cat /sys/kernel/vmcoreinfo"]  # the layout was kept
    layout.write_text("{ half of")
    assert reader(guest, layout).read() == first.read()


@pytest.mark.parametrize(
    ("data", "offset", "words"),
    [(b"", 0, "no BTF"), (btf(bitmap=False), 0, "no sub-section map"), (btf(), 0x1000000, "moved itself")],
)
def test_a_kernel_that_does_not_say_enough_is_said(tmp_path: Path, data: bytes, offset: int, words: str) -> None:
    with pytest.raises(LabError, match=words):
        reader(Fake(tmp_path, data, offset), tmp_path / "layout.json")
    assert not (tmp_path / "layout.json").exists()
