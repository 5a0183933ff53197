"""What iomem tells of devices that are System RAM, against maps that people posted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.doctor import diagnose
from sparsemem.ranges import Range
from sparsemem.readers import read_text
from sparsemem.readers.kmem_extents import KmemEntry, block_size_of

GIB = 1 << 30
RAM = "00100000-7fffffff : System RAM\n100000000-104fffffff : System RAM\n"
# AMD, 2025: the series "Add managed SOFT RESERVE resource handling", before and after
BEFORE = """1050000000-304fffffff : CXL Window 0
  1050000000-304fffffff : region0
    1050000000-304fffffff : Soft Reserved
      1080000000-2fffffffff : dax0.0
        1080000000-2fffffffff : System RAM (kmem)
"""
AFTER = """1050000000-304fffffff : CXL Window 0
  1050000000-304fffffff : region0
    1080000000-2fffffffff : dax0.0
      1080000000-2fffffffff : System RAM (kmem)
"""


HMEM = """1050000000-304fffffff : Soft Reserved
  1050000000-304fffffff : hmem.0
    1080000000-2fffffffff : dax0.0
      1080000000-2fffffffff : System RAM (kmem)
"""


@pytest.mark.parametrize("text", [BEFORE, AFTER, HMEM])
def test_the_region_around_tells_the_device_and_the_size_of_a_block(text: str) -> None:
    machine = read_text(RAM + text, "posted")
    (dax,) = machine.dax
    assert dax.ranges == (Range(0x1050000000, 0x3050000000),)
    assert dax.size == 128 * GIB
    assert diagnose(machine, "6.1").summary.hotplugged == 126 * GIB
    assert machine.block_size == 2 * GIB  # 1 GiB would have ended at 0x3040000000


def test_a_device_that_lost_nothing_tells_no_block_size() -> None:
    whole = read_text(RAM + AFTER.replace("1080000000-2fffffffff", "1050000000-304fffffff"), "posted")
    assert whole.dax[0].ranges == (Range(0x1050000000, 0x3050000000),)
    assert whole.block_size is None


def test_an_entry_with_something_else_in_it_tells_nothing() -> None:
    """Half of a region, made by hand: nothing says how large the device is."""
    text = BEFORE + "      3000000000-3003ffffff : dax0.1\n"
    machine = read_text(RAM + text, "posted")
    assert machine.dax[0].ranges == (Range(0x1080000000, 0x3000000000),)
    assert machine.block_size is None
    off = AFTER.replace("1080000000-2fffffffff", "1090000000-2fffffffff")  # no size of a block leaves that
    assert read_text(RAM + off, "posted").dax[0].ranges == (Range(0x1090000000, 0x3000000000),)


def test_the_size_of_a_listing_places_the_data_of_a_namespace() -> None:
    """Linux kernel commit 60858c00e5f0: the data begins where the metadata ends, 126 MiB before the first block."""
    entry = KmemEntry("dax0.0", Range(0x150000000, 0x340000000), after=0x148200000)
    assert entry.device(0x340000000 - 0x148200000) == Range(0x148200000, 0x340000000)
    assert entry.device(None) is None
    assert entry.device(0x340000000 - 0x148200000 + GIB) is None  # no block leaves so little of it
    assert entry.sizes(Range(0x148200000, 0x340000000)) == (1 << 27, 1 << 28)


@given(
    bits=st.integers(24, 31),
    start=st.integers(0, 1 << 14),
    length=st.integers(1, 1 << 12),
)
def test_the_size_that_was_used_is_always_among_those_that_fit(bits: int, start: int, length: int) -> None:
    """The rounding of dax_kmem_range(), and back."""
    size, step = 1 << bits, 1 << 24
    device = Range(start * step, (start + length) * step)
    taken = Range(-(-device.start // size) * size, device.end // size * size)
    if taken.start >= taken.end:
        return
    entry = KmemEntry("dax0.0", taken, around=device)
    assert size in entry.sizes(device)
    assert entry.device(None) == device
    assert block_size_of((entry,), {"dax0.0": device}) in (None, size)
