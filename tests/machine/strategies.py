"""Machines and operations to draw from. Each new operation is added here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from sparsemem.machine.notation import parse_machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

VERSIONS = ("5.1", "5.2", "5.3", "5.5", "5.8", "5.10", "5.12", "5.15", "6.1", "6.6", "6.8", "6.12", "7.2")
MIB = 1 << 20
SUB = 2 * MIB
SECTION = 128 * MIB
BASE = 4 << 30

#: RAM up to 3 GiB, a device that starts 64 MiB into a section right after RAM at 4 GiB, a hole, RAM again mid-section.
LAYOUT = (
    "1000-9fbff ram, 1M-1G ram, 4G+320M ram, 0x114000000+448M pmem, 0x130000000+64M pmem, 0x138000000+64M ram; "
    "with block=128M auto_online=offline"
)


def machine(version: str) -> Machine:
    return parse_machine(f"{version}; {LAYOUT}")


def spans(unit: int = SUB, window: int = 12) -> st.SearchStrategy[tuple[int, int]]:
    """Byte ranges around the interesting addresses: sub-section steps, sometimes one page off."""
    edges = [0x114000000, 0x118000000, 0x120000000, 0x128000000, 0x130000000, 0x134000000, 0x140000000, 0x148000000]
    start = st.builds(lambda edge, steps, off: edge + steps * unit + off, st.sampled_from(edges), st.integers(-window, window),
                      st.sampled_from([0, 0, 0, 0, 4096]))  # fmt: skip
    size = st.one_of(
        st.integers(1, 70).map(lambda n: n * unit), st.just(SECTION), st.just(2 * SECTION), st.just(unit + 4096)
    )
    return st.tuples(start, size).map(lambda pair: (pair[0], pair[0] + pair[1]))


def _ranged(name: str, *options: str) -> st.SearchStrategy[str]:
    extra = st.sampled_from(["", *options])
    return st.builds(lambda r, o: f"{name} {r[0]:#x}-{r[1] - 1:#x}{o}", spans(), extra)


def _blocks() -> st.SearchStrategy[str]:
    words = st.sampled_from(["offline", "online", "online_kernel", "online_movable"])
    return st.builds(lambda word, nr: f"{word} memory{nr}", words, st.integers(30, 42))


def _block_ranges(name: str, *options: str) -> st.SearchStrategy[str]:
    return st.builds(
        lambda nr, count, o: f"{name} {nr * SECTION:#x}-{(nr + count) * SECTION - 1:#x}{o}",
        st.integers(34, 44), st.integers(1, 3), st.sampled_from(["", *options]),
    )  # fmt: skip


OPERATIONS = st.one_of(
    _ranged("memremap_pages", " type=generic", " type=private owner=x", " altmap=2:510"),
    _ranged("memremap_pages", " type=fs_dax"),
    _ranged("memunmap_pages"),
    _ranged("arch_add_memory"),
    _ranged("arch_remove_memory"),
    _block_ranges("add_memory"),
    _block_ranges("add_memory_driver_managed"),
    _block_ranges("remove_memory"),
    _block_ranges("offline_and_remove_memory"),
    _block_ranges("acpi_memory_device_add"),
    _block_ranges("acpi_memory_device_remove"),
    _blocks(),
)
