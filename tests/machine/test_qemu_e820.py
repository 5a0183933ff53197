"""arch/x86/kernel/e820.c against a map kept byte by byte, and against command lines worked out by hand."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.errors import InputError, NotModelledError
from sparsemem.machine.e820 import (
    E820_TYPE_PRAM,
    E820_TYPE_RAM,
    E820_TYPE_RESERVED,
    E820_TYPE_SOFT_RESERVED,
    E820Entry,
    boot_e820,
    e820__range_remove,
    e820__range_update,
    e820__update_table,
    kernel_parameters,
    memparse,
)

TOP = 40
TYPES = [1, 2, 3, 4, 5, 7, 12]
BASE = [
    E820Entry(0, 0x9FC00, E820_TYPE_RAM),
    E820Entry(0x100000, 0x20000000 - 0x100000, E820_TYPE_RAM),
    E820Entry(0xFEC00000, 0x1000, E820_TYPE_RESERVED),
]
MIB = 1 << 20

entries = st.lists(
    st.builds(E820Entry, st.integers(0, TOP), st.integers(0, 15), st.sampled_from(TYPES)), min_size=1, max_size=8
)


def bytes_of(table: list[E820Entry] | tuple[E820Entry, ...]) -> list[int]:
    """The type at each address, the highest where several lie; 0 for none."""
    return [max((e.type for e in table if e.addr <= b < e.end), default=0) for b in range(TOP + 20)]


@given(entries)
def test_sanitising_keeps_every_byte(table: list[E820Entry]) -> None:
    clean = e820__update_table(table)
    assert bytes_of(clean) == bytes_of(table)
    assert all(left.end <= right.addr for left, right in itertools.pairwise(clean))
    assert all(e.size for e in clean)
    borders = {e.addr for e in table if e.size} | {e.end for e in table if e.size}
    for left, right in itertools.pairwise(clean):
        touching = left.end == right.addr and left.type == right.type
        assert not touching or (left.type == E820_TYPE_PRAM and left.end in borders)
    for e in clean:
        if e.type == E820_TYPE_PRAM:
            assert not any(e.addr < border < e.end for border in borders)
    assert e820__update_table(clean) == clean


@given(entries, st.integers(0, TOP), st.integers(0, 15), st.sampled_from([None, *TYPES]))
def test_removing_is_byte_by_byte(table: list[E820Entry], start: int, size: int, kind: int | None) -> None:
    clean = e820__update_table(table)
    want = [
        0 if start <= b < start + size and (kind is None or t == kind) else t for b, t in enumerate(bytes_of(clean))
    ]
    assert bytes_of(e820__range_remove(clean, start, size, kind)) == want


@given(entries, st.integers(0, TOP), st.integers(0, 15), st.sampled_from(TYPES), st.sampled_from(TYPES))
def test_updating_is_byte_by_byte(table: list[E820Entry], start: int, size: int, old: int, new: int) -> None:
    clean = e820__update_table(table)
    want = [new if start <= b < start + size and t == old else t for b, t in enumerate(bytes_of(clean))]
    assert bytes_of(e820__range_update(clean, start, size, old, new)) == want


@pytest.mark.parametrize(
    ("text", "value", "rest"),
    [
        ("48M!336M", 48 << 20, "!336M"),
        ("0x15000000", 0x15000000, ""),
        ("0x10k", 0x10 << 10, ""),
        ("010M", 8 << 20, ""),
        ("08", 0, "8"),
        ("1g,", 1 << 30, ","),
        ("2T3", 2 << 40, "3"),
        ("M", 0, "M"),
        ("", 0, ""),
        ("1P", 1 << 50, ""),
        ("16E", 0, ""),
    ],
)
def test_memparse(text: str, value: int, rest: str) -> None:
    assert memparse(text) == (value, rest)


def test_parameters_are_split_as_the_kernel_splits_them() -> None:
    line = 'ro mem="400M" memhp-default_state=online "memmap=1M!2M" quiet -- memmap=9M!9M'
    assert list(kernel_parameters(line)) == [
        ("ro", None),
        ("mem", "400M"),
        ("memhp_default_state", "online"),
        ("memmap", "1M!2M"),
        ("quiet", None),
    ]


def kinds(cmdline: str) -> list[tuple[int, int, int]]:
    """Entries between 1 MiB and 4 GiB, in MiB."""
    found = boot_e820(BASE, cmdline).entries
    return [(e.addr // MIB, e.end // MIB, e.type) for e in found if MIB <= e.addr < 0xFEC00000]


@pytest.mark.parametrize(
    ("cmdline", "want"),
    [
        ("", [(1, 512, 1)]),
        ("memmap=48M!336M", [(1, 336, 1), (336, 384, 12), (384, 512, 1)]),
        ("memmap=32M!256M,32M!288M", [(1, 256, 1), (256, 288, 12), (288, 320, 12), (320, 512, 1)]),
        ("memmap=32M$256M memmap=16M#300M", [(1, 256, 1), (256, 288, 2), (288, 300, 1), (300, 316, 3), (316, 512, 1)]),
        ("memmap=64M!480M", [(1, 480, 1), (480, 512, 12), (512, 544, 12)]),
        ("mem=400M", [(1, 400, 1)]),
        ("memmap=400M", [(1, 400, 1)]),
        ("mem=400M memmap=16M@448M", [(1, 400, 1), (448, 464, 1)]),
        ("memmap=16M@448M mem=400M", [(1, 400, 1)]),
        ("memmap=32M%256M", [(1, 256, 1), (288, 512, 1)]),
        ("memmap=32M%256M-2", [(1, 512, 1)]),
        ("memmap=32M%256M-1+2", [(1, 256, 1), (256, 288, 2), (288, 512, 1)]),
        ("memmap=32M%256M+12", [(1, 256, 1), (256, 288, 12), (288, 512, 1)]),
        ("memmap=32M%256M-1+0xefffffff", [(1, 256, 1), (256, 288, E820_TYPE_SOFT_RESERVED), (288, 512, 1)]),
        ("memmap=16M!256M memmap=48M$240M", [(1, 240, 1), (240, 256, 2), (256, 272, 12), (272, 288, 2), (288, 512, 1)]),
        ("memmap=exactmap memmap=640K@0 memmap=255M@1M", [(1, 256, 1)]),
        ("memmap=nonsense", [(1, 512, 1)]),
        ("mem=nopentium", [(1, 512, 1)]),
    ],
)
def test_command_lines(cmdline: str, want: list[tuple[int, int, int]]) -> None:
    assert kinds(cmdline) == want


def test_mem_also_limits_what_is_added_at_boot() -> None:
    assert boot_e820(BASE, "mem=400M").max_mem_size == 400 * MIB
    assert boot_e820(BASE, "memmap=400M").max_mem_size is None


def test_the_first_page_and_the_isa_hole_are_never_ram() -> None:
    whole = boot_e820([E820Entry(0, 0x20000000, E820_TYPE_RAM), BASE[2]], "").entries
    assert [(e.addr, e.end, e.type) for e in whole[:3]] == [
        (0, 0x1000, E820_TYPE_RESERVED),
        (0x1000, 0xA0000, E820_TYPE_RAM),
        (0x100000, 0x20000000, E820_TYPE_RAM),
    ]


def test_a_command_line_that_no_kernel_boots_with() -> None:
    with pytest.raises(InputError, match="would not boot"):
        boot_e820(BASE, "memmap=exactmap memmap=512M@0")
    with pytest.raises(InputError, match="would not boot"):
        boot_e820(BASE, "memmap=1M%2M-1+1")
    with pytest.raises(NotModelledError, match="128"):
        boot_e820(BASE, "memmap=1M%2M+128")


@given(st.text(alphabet="0123456789xabKMGE!$#@%-+,exactmap= \"'", max_size=60))
def test_any_command_line_is_answered(text: str) -> None:
    try:
        found = boot_e820(BASE, "memmap=" + text).entries
    except (InputError, NotModelledError):
        return
    assert all(left.end <= right.addr for left, right in itertools.pairwise(found))
