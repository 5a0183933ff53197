"""Geometry against what the headers of the releases define (headers.txt), and the laws of include/linux/mmzone.h."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest

from sparsemem.errors import UsageError
from sparsemem.spec import ARCHES, Geometry, KernelVersion, geometry, kernel

Line = tuple[str, int, int, str, str, int]


def _lines() -> list[Line]:
    found: list[Line] = []
    for line in Path(__file__).with_name("headers.txt").read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            arch, size, levels, rest = line.split(None, 3)
            words = rest.split()
            stop = next(i for i, word in enumerate(words) if word[0].isupper())
            for release in words[:stop]:
                found.append((arch, int(size), int(levels), release, words[stop], int(words[stop + 1], 0)))
    return found


LINES = _lines()


@pytest.mark.parametrize("line", LINES, ids=lambda line: "-".join(map(str, line[:5])))
def test_what_the_header_says(line: Line) -> None:
    arch, size, levels, release, name, value = line
    g = geometry(arch, KernelVersion.parse(release), size, levels)
    if name in ("PMD_SHIFT", "PUD_SHIFT"):
        assert getattr(g, name.replace("SHIFT", "SIZE")) == 1 << value
    elif name == "VMEMMAP_BASE":
        assert g.vmemmap_base == value
    else:
        assert getattr(g, name) == value


def test_the_headers_cover_every_architecture() -> None:
    assert {line[0] for line in LINES} == set(ARCHES)
    assert len(LINES) > 100


EVERY = [
    (arch, size, release)
    for arch, sizes in {
        "x86_64": (4096,),
        "arm64": (4096, 16384, 65536),
        "ppc64": (4096, 65536),
        "s390x": (4096,),
        "riscv64": (4096,),
        "loongarch64": (4096, 16384, 65536),
    }.items()
    for size in sizes
    for release in ("5.1", "5.3", "5.10", "5.12", "6.1", "6.12", "6.13", "7.2")
]


@pytest.mark.parametrize(("arch", "size", "release"), EVERY)
def test_the_laws_of_mmzone(arch: str, size: int, release: str) -> None:
    g = kernel(release, arch, size).geometry
    assert all(type(getattr(g, f.name)) is int for f in fields(Geometry))
    assert g.PAGES_PER_SECTION * g.PAGE_SIZE == g.SECTION_SIZE
    assert g.PAGES_PER_SUBSECTION * g.PAGE_SIZE == g.SUBSECTION_SIZE == 2 << 20
    assert g.SUBSECTIONS_PER_SECTION * g.SUBSECTION_SIZE == g.SECTION_SIZE
    assert g.FULL_SUBSECTION_MAP == (1 << g.SUBSECTIONS_PER_SECTION) - 1
    assert g.NR_MEM_SECTIONS * g.SECTION_SIZE == 1 << g.MAX_PHYSMEM_BITS
    assert max(1, g.NR_MEM_SECTIONS // g.SECTIONS_PER_ROOT) == g.NR_SECTION_ROOTS
    assert g.SECTIONS_PER_ROOT * g.sizeof_mem_section == g.PAGE_SIZE
    assert g.pageblock_nr_pages == 1 << g.pageblock_order
    assert g.PAGES_PER_SECTION % g.pageblock_nr_pages == 0
    assert g.vmemmap_base % g.sizeof_struct_page == 0
    reach = g.MAX_PHYSMEM_BITS - (arch == "arm64")  # arm64: of the direct map, half of all addresses
    assert g.vmemmap_base + (1 << (reach - g.PAGE_SHIFT)) * g.sizeof_struct_page <= 1 << 64


# As counted by hand: pages a section, sub-sections a section, sections a root, roots, pageblock order
NUMBERS = [
    ("x86_64", None, 4, "6.1", (32768, 64, 256, 2048, 9)),
    ("x86_64", None, 5, "6.1", (32768, 64, 256, 131072, 9)),
    ("arm64", None, 4, "5.11", (262144, 512, 256, 1024, 9)),
    ("arm64", None, 4, "5.12", (32768, 64, 256, 8192, 9)),
    ("arm64", 16384, 4, "6.1", (8192, 64, 1024, 2048, 11)),
    ("arm64", 65536, 4, "6.1", (8192, 256, 4096, 128, 13)),
    ("ppc64", None, 4, "6.1", (256, 8, 4096, 32768, 5)),
    ("s390x", None, 4, "6.12", (65536, 128, 256, 1024, 8)),
    ("s390x", None, 4, "6.13", (32768, 64, 256, 2048, 8)),
    ("riscv64", None, 4, "6.12", (32768, 64, 256, 2097152, 9)),
    ("loongarch64", None, 4, "6.12", (32768, 256, 1024, 512, 11)),
]


@pytest.mark.parametrize(("arch", "size", "levels", "release", "numbers"), NUMBERS)
def test_numbers(arch: str, size: int | None, levels: int, release: str, numbers: tuple[int, ...]) -> None:
    g = kernel(release, arch, size, levels).geometry
    found = (g.PAGES_PER_SECTION, g.SUBSECTIONS_PER_SECTION, g.SECTIONS_PER_ROOT, g.NR_SECTION_ROOTS, g.pageblock_order)
    assert found == numbers


def test_page_extension_halves_the_sections_of_a_root() -> None:
    version = KernelVersion.parse("6.12")
    assert geometry("x86_64", version, page_extension=True).SECTIONS_PER_ROOT == 128


@pytest.mark.parametrize(
    ("arch", "size", "levels"),
    [
        ("x86", None, 4),
        ("", None, 4),
        ("x86_64", 65536, 4),
        ("arm64", 8192, 4),
        ("riscv64", None, 5),
        ("x86_64", None, 3),
    ],
)
def test_what_there_is_not_is_a_usage_error(arch: str, size: int | None, levels: int) -> None:
    with pytest.raises(UsageError) as caught:
        kernel("6.1", arch, size, levels)
    assert caught.value.remedy
