"""Zone limits and pluggable ranges: against /proc/zoneinfo and the arithmetic of the kernel sources."""

from __future__ import annotations

import pytest

from sparsemem.spec import kernel
from sparsemem.spec.limits import mappable_range, physmem_end, pluggable_range, zone_limits

GIB, TIB = 1 << 30, 1 << 40


def _bytes(version: str, arch: str, page_size: int | None = None, dram_start: int = 0) -> dict[str, int]:
    k = kernel(version, arch, page_size)
    return {name: pfn * k.page_size for name, pfn in zone_limits(k, dram_start)}


def test_x86_zones_are_those_of_zoneinfo() -> None:
    """A 64-bit PC: DMA spans pfns below 4096, DMA32 starts at pfn 4096, Normal at 1048576."""
    assert zone_limits(kernel("6.1"))[:2] == (("DMA", 4096), ("DMA32", 1048576))
    assert zone_limits(kernel("6.1"))[-1] == ("Normal", 1 << 34)


@pytest.mark.parametrize(
    ("version", "start", "zones"),
    [
        ("5.4", GIB, {"DMA32": 4 * GIB}),
        ("5.9", GIB, {"DMA": 2 * GIB, "DMA32": 4 * GIB}),
        ("5.10.21", GIB, {"DMA": 2 * GIB, "DMA32": 4 * GIB}),
        ("5.10.22", GIB, {"DMA": 4 * GIB, "DMA32": 4 * GIB}),
        ("6.1", GIB, {"DMA": 4 * GIB, "DMA32": 4 * GIB}),
        ("5.4", 512 * GIB, {"DMA32": 516 * GIB}),
    ],
)
def test_arm64_zones_moved(version: str, start: int, zones: dict[str, int]) -> None:
    found = _bytes(version, "arm64", dram_start=start)
    assert found.pop("Normal") == 1 << 48
    assert found == zones


@pytest.mark.parametrize(
    ("arch", "zones"),
    [
        ("s390x", {"DMA": 2 * GIB}),
        ("riscv64", {"DMA32": 4 * GIB}),
        ("loongarch64", {"DMA32": 4 * GIB}),
        ("ppc64", {}),
    ],
)
def test_the_other_zones(arch: str, zones: dict[str, int]) -> None:
    found = _bytes("6.12", arch)
    found.pop("Normal")
    assert found == zones


def test_the_pluggable_range_is_what_the_kernel_prints() -> None:
    """The maximum in "Hotplug memory [...] exceeds maximum addressable range [0x0-0x3fffffffffff]"."""
    assert pluggable_range(kernel("6.1")) == (0, 1 << 46)
    assert pluggable_range(kernel("6.1", levels=5)) == (0, 1 << 52)


def test_kaslr_trimmed_the_direct_map_between_two_changes() -> None:
    ram = 64 * GIB
    expected = {"6.1.109": 64 * TIB, "6.1.110": 11 * TIB, "6.1.141": 64 * TIB, "6.10": 64 * TIB, "6.11": 11 * TIB}
    for version, end in expected.items():
        assert physmem_end(kernel(version), ram, kaslr=True) == end, version
        assert physmem_end(kernel(version), ram, kaslr=False) == 64 * TIB
    assert physmem_end(kernel("6.15"), ram, kaslr=True) == 64 * TIB
    assert physmem_end(kernel("6.11"), 60 * TIB, kaslr=True) == 64 * TIB


def test_arm64_maps_128_tib_from_the_start_of_ram() -> None:
    k = kernel("6.1", "arm64")
    assert mappable_range(k, GIB + 4096) == (GIB, GIB + 128 * TIB)
    assert pluggable_range(k, dram_start=GIB) == (GIB, GIB + 128 * TIB)
    assert pluggable_range(k, dram_start=GIB, need_mapping=False) == (0, 256 * TIB)
    assert mappable_range(kernel("6.1", "arm64", 65536), 3 * GIB // 2).start == 3 * GIB // 2
