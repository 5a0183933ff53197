"""What both sides show after a step, in one form: the guest through its shell and its memory, the model through its attribute tree."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.iomem_text import format_iomem
from sparsemem.kernel.memory_block import valid_zones_show
from sparsemem.kernel.mmzone import SECTION_MARKED_PRESENT, flag_names, pfn_valid
from sparsemem.lab.errors import GuestLostError
from sparsemem.lab.masks import without_hardware

if TYPE_CHECKING:
    from sparsemem.kernel.state import State
    from sparsemem.lab.sections import GuestSection, TableReader
    from sparsemem.play.player import Player

__all__ = ["Block", "Node", "Observation", "Section", "Valid", "Zone", "of_guest", "of_model"]

CXL_ROOT = "/sys/bus/cxl/devices/root0"
_MEMORY = "/sys/devices/system/memory"
_ALL = (1 << 64) - 1


class Block(NamedTuple):
    """A memory block; ``valid_zones`` split at blanks."""

    name: str
    state: str
    valid_zones: tuple[str, ...]


class Zone(NamedTuple):
    """A zone that spans pages; ``start_pfn`` None where nothing is present (the kernel does not print it then)."""

    node: int
    zone: str
    start_pfn: int | None
    spanned: int
    present: int


class Section(NamedTuple):
    """A present section: flags by name, sorted, and its sub-section map."""

    nr: int
    flags: tuple[str, ...]
    subsection_map: int | None


class Valid(NamedTuple):
    """``pfn_valid`` of the first and of the last page of each sub-section of a section, as masks."""

    nr: int
    first: int
    last: int


class Node(NamedTuple):
    """The span of a node that has one."""

    nid: int
    start_pfn: int
    spanned: int


class Observation(NamedTuple):
    """``iomem`` without the guest's own hardware; the tools' lists as printed, that of cxl on a machine with CXL; sections, pfn_valid and
    nodes None where memory was not read."""

    iomem: tuple[str, ...]
    blocks: tuple[Block, ...]
    zones: tuple[Zone, ...]
    block_size_bytes: int
    auto_online_blocks: str
    ndctl: str
    daxctl: str
    sections: tuple[Section, ...] | None
    pfn_valid: tuple[Valid, ...] | None
    nodes: tuple[Node, ...] | None
    cxl: str = ""


def parse_zones(text: str) -> tuple[Zone, ...]:
    """The zones of a ``/proc/zoneinfo`` that span pages, sorted."""
    found: list[dict[str, int | str]] = []
    for line in text.splitlines():
        head = re.match(r"Node (\d+), zone\s+(\S+)", line)
        if head is not None:
            found.append({"node": int(head[1]), "zone": head[2]})
            continue
        field = re.match(r"\s+(spanned|present|start_pfn):?\s+(\d+)$", line)
        if field is not None and found:
            found[-1].setdefault(field[1], int(field[2]))
    return _zones(
        (int(z["node"]), str(z["zone"]), int(z.get("start_pfn", 0)), int(z.get("spanned", 0)), int(z.get("present", 0)))
        for z in found
    )


def _zones(rows: object) -> tuple[Zone, ...]:
    return tuple(
        sorted(
            Zone(node, name, start if present else None, spanned, present)
            for node, name, start, spanned, present in rows  # type: ignore[attr-defined]
            if spanned
        )
    )


def _blocks(files: dict[str, list[str]]) -> tuple[Block, ...]:
    states: dict[int, str] = {}
    zones: dict[int, tuple[str, ...]] = {}
    for path, lines in files.items():
        match = re.fullmatch(rf"{_MEMORY}/memory(\d+)/(state|valid_zones)", path)
        if match is None:
            continue
        if match[2] == "state":
            states[int(match[1])] = lines[0]
        else:
            zones[int(match[1])] = tuple(lines[0].split())
    return tuple(Block(f"memory{nr}", state, zones.get(nr, ())) for nr, state in sorted(states.items()))


def of_guest(text: str, reader: TableReader | None) -> Observation:
    """``text``: the answer of ``Guest.take`` or ``Guest.look``. Raises GuestLostError."""
    shown, ndctl, daxctl, cxl = [*text.split("@@\n"), "", "", ""][:4]
    files: dict[str, list[str]] = {}
    for line in shown.splitlines():
        match = re.match(r"(/(?:proc|sys)/[\w/]+):(.*)", line)
        if match is not None:
            files.setdefault(match[1], []).append(match[2])
    if "/proc/iomem" not in files:
        raise GuestLostError("the guest shows no /proc/iomem", text[-400:])
    size = files.get(f"{_MEMORY}/block_size_bytes", ["0"])[0]
    policy = files.get(f"{_MEMORY}/auto_online_blocks", [""])[0]
    table = None if reader is None else reader.read()
    nodes = None if reader is None else tuple(Node(*each) for each in reader.nodes())
    return Observation(
        without_hardware("\n".join(files["/proc/iomem"])), _blocks(files), parse_zones(shown), int(size, 16), policy,
        ndctl.strip(), daxctl.strip(),
        None if table is None else tuple(Section(s.nr, s.flags, s.subsection_map) for s in table),
        None if table is None else tuple(_valid(s) for s in table), nodes, cxl.strip(),
    )  # fmt: skip


def _valid(section: GuestSection) -> Valid:
    """The kernel's own rule on the kernel's own table: an early section is valid as a whole, another one by its map."""
    mask = 0
    if "HAS_MEM_MAP" in section.flags:
        mask = _ALL if "IS_EARLY" in section.flags else section.subsection_map or 0
    return Valid(section.nr, mask, mask)


def _asked(state: State, nr: int) -> Valid:
    """The model's ``pfn_valid`` at both edges of each sub-section."""
    g = state.kernel.geometry
    base, pages = nr << g.PFN_SECTION_SHIFT, g.PAGES_PER_SUBSECTION
    first = sum(1 << index for index in range(g.SUBSECTIONS_PER_SECTION) if pfn_valid(state, base + index * pages))
    last = sum(
        1 << index for index in range(g.SUBSECTIONS_PER_SECTION) if pfn_valid(state, base + (index + 1) * pages - 1)
    )
    return Valid(nr, first, last)


def of_model(player: Player) -> Observation:
    """The same of the model."""
    from sparsemem.tools import cxl, daxctl, ndctl
    from sparsemem.tools.result import Console
    from sparsemem.tools.tree import MachineTree

    machine = player.machine
    state, k = machine.state, machine.kernel
    tree = MachineTree(machine)
    mapped = k.features.subsection_hotplug
    present = [nr for nr, ms in sorted(state.sections.items()) if ms.section_mem_map & SECTION_MARKED_PRESENT]
    sections = tuple(
        Section(
            nr, tuple(sorted(flag_names(ms.section_mem_map))), ms.usage.subsection_map if mapped and ms.usage is not None else None
        )
        for nr in present
        for ms in [state.sections[nr]]
    )  # fmt: skip
    rows = ((nid, name, z.zone_start_pfn, z.spanned_pages, z.present_pages) for (nid, name), z in state.zones.items())
    blocks = (
        Block(f"memory{nr}", b.state, tuple(valid_zones_show(state, nr).split()))
        for nr, b in sorted(state.blocks.items())
    )
    return Observation(
        without_hardware(format_iomem(state.iomem, max_level=k.features.max_iores_level)), tuple(blocks), _zones(rows),
        state.misc["memory_block_size_bytes"], state.misc["auto_online"],
        ndctl.main(tree, ["list", "-RNDi"], Console(tty=False)).stdout.strip(),
        daxctl.main(tree, ["list", "-RDi"], Console(tty=False)).stdout.strip(),
        sections, tuple(_asked(state, nr) for nr in present),
        tuple(Node(nid, n.node_start_pfn, n.node_spanned_pages) for nid, n in sorted(state.nodes.items()) if n.node_spanned_pages),
        cxl.main(tree, ["list", "-vvi"], Console(tty=False)).stdout.strip() if tree.exists(CXL_ROOT) else "",
    )  # fmt: skip
