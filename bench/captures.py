"""Machines with thousands of namespaces, as files: what ``/sys`` and ``/proc`` of such a machine hold, or its iomem alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SHAPES", "Shape", "Space", "spaces", "write_capture", "write_iomem"]

_GIB, _MIB = 1 << 30, 1 << 20
_INFO, _STRUCT_PAGE, _PAGE = 8192, 64, 4096
_BUS = "sys/devices/LNXSYSTM:00/ACPI0012:00/ndbus0"


@dataclass(frozen=True)
class Shape:
    """``modes`` and ``sizes`` (raw bytes) take turns, over so many regions. ``ram``: every second dax device is System RAM."""

    regions: int
    modes: tuple[str, ...]
    sizes: tuple[int, ...]
    ram: bool = False


SHAPES: dict[str, Shape] = {
    "one region": Shape(1, ("fsdax",), (_GIB,)),
    "8 regions": Shape(8, ("fsdax",), (2 * _GIB,)),
    "mixed modes": Shape(
        8, ("fsdax", "fsdax-mem", "devdax", "sector", "raw"), (272 * _MIB, 528 * _MIB, _GIB, 16 * _MIB)
    ),
    "dax devices": Shape(8, ("devdax",), (_GIB,), ram=True),
}
"""What 4,096 namespaces may look like. Sizes of "mixed modes" are multiples of 16 MiB, and of no section."""


@dataclass(frozen=True)
class Space:
    """A namespace: where it lies, and where its data begins. ``system_ram``: its dax device is System RAM."""

    region: int
    number: int
    mode: str
    start: int
    size: int
    data: int
    system_ram: bool = False

    @property
    def end(self) -> int:
        return self.start + self.size


def spaces(shape: Shape, count: int) -> Iterator[tuple[int, int, list[Space]]]:
    """(start, size, namespaces) of each region, which has 1 GiB free behind them."""
    at, nr = 1 << 40, 0
    for region in range(shape.regions):
        begin, found = at, []
        for number in range(count // shape.regions):
            mode, size = shape.modes[nr % len(shape.modes)], shape.sizes[nr % len(shape.sizes)]
            head = _INFO + (_STRUCT_PAGE * (size - _INFO) // _PAGE if mode in ("fsdax", "devdax") else 0)
            data = at + -(-head // (2 * _MIB)) * 2 * _MIB if mode not in ("raw", "sector") else at
            found.append(Space(region, number, mode, at, size, data, shape.ram and nr % 2 == 1))
            at, nr = at + size, nr + 1
        at += _GIB
        yield begin, at - begin, found
        at = -(-at // (64 * _GIB)) * 64 * _GIB


def _iomem(shape: Shape, count: int) -> str:
    lines = ["00001000-0009ffff : System RAM", "00100000-7fffffff : System RAM"]
    for start, size, found in spaces(shape, count):
        lines.append(f"{start:x}-{start + size - 1:x} : Persistent Memory")
        for each in found:
            name = f"{each.region}.{each.number}"
            if each.mode != "devdax":
                lines.append(
                    f"  {each.start:x}-{each.end - 1:x} : {'btt' if each.mode == 'sector' else 'namespace'}{name}"
                )
                continue
            lines.append(f"  {each.start:x}-{each.data - 1:x} : namespace{name}")
            begin, end = (each.data, each.end) if not each.system_ram else _blocks(each)
            lines.append(f"  {begin:x}-{end - 1:x} : dax{name}")
            if each.system_ram:
                lines.append(f"    {begin:x}-{end - 1:x} : System RAM (kmem)")
    return "\n".join(lines) + "\n"


def _blocks(each: Space) -> tuple[int, int]:
    """The whole memory blocks of 128 MiB of its data."""
    block = 128 * _MIB
    return -(-each.data // block) * block, each.end // block * block


def write_iomem(path: Path, shape: Shape, count: int) -> None:
    """The iomem text alone."""
    path.write_text(_iomem(shape, count))


class _Tree:
    """Files under a root, as attributes of devices."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def device(self, bus: str, path: str, driver: str | None, **attributes: object) -> None:
        """A device directory, its link on the bus and to its driver."""
        directory = self.root / path
        directory.mkdir(parents=True)
        for name, value in attributes.items():
            (directory / name).write_text(f"{value}\n")
        links = self.root / f"sys/bus/{bus}/devices"
        links.mkdir(parents=True, exist_ok=True)
        (links / directory.name).symlink_to("../../../../" + path)
        if driver is not None:
            (directory / "driver").symlink_to("../" * path.count("/") + f"bus/{bus}/drivers/{driver}")


def write_capture(root: Path, shape: Shape, count: int, release: str = "6.12.5") -> int:
    """The files that the readers look at, with links as sysfs has them; the bytes that file systems and processes see of it."""
    tree, usable = _Tree(root), 0
    (root / "proc").mkdir()
    (root / "proc/version").write_text(f"Linux version {release} (bench)\n")
    (root / "proc/cpuinfo").write_text(
        "processor\t: 0\nflags\t\t: fpu hypervisor lm\naddress sizes\t: 46 bits physical, 48 bits virtual\n"
    )
    write_iomem(root / "proc/iomem", shape, count)
    memory = root / "sys/devices/system/memory"
    memory.mkdir(parents=True)
    (memory / "block_size_bytes").write_text("8000000\n")
    (memory / "auto_online_blocks").write_text("offline\n")
    blocks = [(nr, "Normal", 0) for nr in range(16)]
    for start, size, found in spaces(shape, count):
        region = f"{_BUS}/region{found[0].region}"
        tree.device(
            "nd", region, "nd_region", size=size, resource=f"{start:#x}", nstype=5, align=f"{16 * _MIB:#x}", mappings=1,
            available_size=_GIB, max_available_extent=_GIB, numa_node=0, target_node=1,
        )  # fmt: skip
        for each in found:
            usable += _namespace(tree, region, each)
            if each.system_ram:
                begin, end = _blocks(each)
                blocks += [(nr, "Movable", 1) for nr in range(begin // (128 * _MIB), end // (128 * _MIB))]
    for nr, zone, node in blocks:
        directory = memory / f"memory{nr}"
        (directory / f"node{node}").mkdir(parents=True)
        for name, value in (("phys_index", f"{nr:08x}"), ("state", "online"), ("valid_zones", zone), ("removable", 1)):
            (directory / name).write_text(f"{value}\n")
    return usable


def _namespace(tree: _Tree, region: str, each: Space) -> int:
    """A namespace, what claims it, and its dax device; the usable bytes."""
    name = f"{each.region}.{each.number}"
    uuid = f"{each.region:08x}-0000-4000-8000-{each.number:012x}"
    kind = {"fsdax": "pfn", "fsdax-mem": "pfn", "devdax": "dax", "sector": "btt"}.get(each.mode)
    word = {"fsdax": "memory", "fsdax-mem": "memory", "devdax": "dax", "sector": "safe"}.get(each.mode, "raw")
    usable = each.end - each.data if each.mode != "sector" else each.size - each.size // 512
    own = {"size": each.size, "resource": f"{each.start:#x}", "mode": word, "force_raw": 0, "uuid": uuid, "alt_name": "",
           "sector_size": "[512] 4096",
               "target_node": 1}  # fmt: skip
    if kind is None:
        tree.device("nd", f"{region}/namespace{name}", "nd_pmem", **own)
        return usable
    tree.device("nd", f"{region}/namespace{name}", None, **own, holder=f"{kind}{name}")
    held: dict[str, object] = {"uuid": uuid, "namespace": f"namespace{name}", "size": usable}
    if kind == "btt":
        held |= {"sector_size": "512 [4096]"}
    else:
        held |= {
            "mode": "ram" if each.mode == "fsdax-mem" else "pmem",
            "resource": f"{each.data:#x}",
            "align": 2 * _MIB,
        }
    tree.device("nd", f"{region}/{kind}{name}", "dax_pmem" if kind == "dax" else "nd_pmem", **held)
    if kind == "dax":
        tree.device(
            "dax", f"{region}/{kind}{name}/dax{each.region}/dax{name}", "kmem" if each.system_ram else "device_dax", size=usable,
            resource=f"{each.data:#x}", align=2 * _MIB, target_node=1, numa_node=0,
        )  # fmt: skip
        mapping = tree.root / f"{region}/{kind}{name}/dax{each.region}/dax{name}/mapping0"
        mapping.mkdir()
        (mapping / "start").write_text(f"{each.data:#x}\n")
        (mapping / "end").write_text(f"{each.end - 1:#x}\n")
    return usable
