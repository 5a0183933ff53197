"""``/proc/iomem`` text: goldens by hand from ``r_show``, and every text in the transcripts of real kernels."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparsemem.kernel.iomem_text import IomemEntry, flags_for_name, format_iomem, tree_from_entries
from sparsemem.kernel.ioport import (
    IORES_DESC_CXL,
    IORES_DESC_PERSISTENT_MEMORY,
    IORES_DESC_SOFT_RESERVED,
    IORESOURCE_BUSY,
    IORESOURCE_MEM,
    IORESOURCE_SYSRAM_DRIVER_MANAGED,
    IORESOURCE_SYSTEM_RAM,
    Resource,
)
from sparsemem.kernel.resource import iomem_resource

RAM = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY
TRANSCRIPTS = sorted((Path(__file__).parents[1] / "transcripts").glob("*@*.json"))
TEXTS = {path.stem: json.loads(path.read_text()).get("iomem_full") for path in TRANSCRIPTS}


def nested(depth: int) -> Resource:
    res = Resource(0, 0xFF, f"level{depth - 1}")
    for level in range(depth - 2, -1, -1):
        res = Resource(0, 0xFF, f"level{level}", children=(res,))
    return iomem_resource(children=(res,))


def entries(text: str) -> list[IomemEntry]:
    found = []
    for line in text.splitlines():
        place, name = line.split(" : ", 1)
        start, end = place.strip().split("-")
        depth = (len(place) - len(place.lstrip())) // 2
        found.append(IomemEntry(depth, int(start, 16), int(end, 16), None if name == "<BAD>" else name))
    return found


def test_widths_names_and_privilege() -> None:
    low = Resource(0x1000, 0x1FFF, None)
    high = Resource(
        0x2FC000000, 0x2FFFFFFFF, "System RAM", RAM, 0, (Resource(0x2FC000000, 0x2FC0000FF, "Kernel code"),)
    )
    root = iomem_resource(children=(low, high))
    assert format_iomem(root) == (
        "00001000-00001fff : <BAD>\n2fc000000-2ffffffff : System RAM\n  2fc000000-2fc0000ff : Kernel code\n"
    )
    assert format_iomem(root, privileged=False) == (
        "00000000-00000000 : <BAD>\n00000000-00000000 : System RAM\n  00000000-00000000 : Kernel code\n"
    )
    ports = Resource(0, 0xFFFF, "PCI IO", children=(Resource(0x60, 0x60, "keyboard"),))
    assert format_iomem(ports) == "0060-0060 : keyboard\n"


@pytest.mark.parametrize(("levels", "deepest"), [(5, 10), (8, 16)])
def test_depth_is_limited(levels: int, deepest: int) -> None:
    lines = format_iomem(nested(12), max_level=levels).splitlines()
    indents = [len(line) - len(line.lstrip()) for line in lines]
    assert indents == [min(2 * n, deepest) for n in range(12)]
    assert tree_from_entries(entries(format_iomem(nested(12), max_level=levels))) is not None


def test_folded_levels_nest_again() -> None:
    text = format_iomem(nested(9))
    assert [depth for depth, _ in tree_from_entries(entries(text)).walk()] == list(range(9))


@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in TEXTS.items() if text])
def test_a_real_text_comes_back(text: str) -> None:
    assert format_iomem(tree_from_entries(entries(text))) == text


def test_flags_of_well_known_names() -> None:
    assert flags_for_name("System RAM") == (RAM, 0)
    assert flags_for_name("System RAM (kmem)")[0] == RAM | IORESOURCE_SYSRAM_DRIVER_MANAGED
    assert flags_for_name("Persistent Memory") == (IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY)
    assert flags_for_name("Soft Reserved") == (IORESOURCE_MEM, IORES_DESC_SOFT_RESERVED)
    assert flags_for_name("CXL Window 3") == (IORESOURCE_MEM, IORES_DESC_CXL)
    assert flags_for_name("PCI Bus 0000:3a") == (IORESOURCE_MEM, 0)
    assert not flags_for_name("Reserved", 0xB0000000)[0] & IORESOURCE_BUSY
    assert flags_for_name("Reserved", 0x9FC00)[0] & IORESOURCE_BUSY
    inside = flags_for_name("namespace0.0", None, (IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY))
    assert inside == (IORESOURCE_MEM | IORESOURCE_BUSY, IORES_DESC_PERSISTENT_MEMORY)


def test_a_dax_device_that_holds_ram_is_not_busy() -> None:
    text = "100-4ff : Persistent Memory\n  100-4ff : dax0.0\n    200-4ff : System RAM (kmem)\n"
    dax = tree_from_entries(entries(text)).children[0].children[0]
    assert dax.flags == IORESOURCE_SYSTEM_RAM
    alone = tree_from_entries(entries("100-4ff : Persistent Memory\n  100-4ff : dax0.0\n")).children[0].children[0]
    assert alone.flags & IORESOURCE_BUSY


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 99), st.integers(0, 99)), max_size=60))
def test_any_entries_become_a_tree_that_keeps_them_all(rows: list[tuple[int, int, int]]) -> None:
    root = tree_from_entries(IomemEntry(depth, start, end, str(n)) for n, (depth, start, end) in enumerate(rows))
    assert sorted(int(res.name or "") for _, res in root.walk()) == list(range(len(rows)))
    assert hash(root) == hash(tree_from_entries(IomemEntry(d, s, e, str(n)) for n, (d, s, e) in enumerate(rows)))
