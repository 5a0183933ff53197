"""For each check a machine on which it finds something, and one on which it runs and finds nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sparsemem import fixtures
from sparsemem.doctor import Diagnosis, diagnose, diagnose_machine
from sparsemem.doctor.checks import CHECKS
from sparsemem.machine.description import Note
from sparsemem.machine.notation import parse_machine
from sparsemem.ranges import Range
from sparsemem.readers import read_machine, read_text
from sparsemem.readers.model import read_model
from tests.doctor.machines import case_path
from tests.doctor.played import play
from tests.doctor.test_checks_played import LABELLED, SIX_WAYS
from tests.doctor.test_labels import BOARD, MAKE, areas_of, judged, patched

if TYPE_CHECKING:
    from collections.abc import Callable

DEVDAX = "ndctl create-namespace -m devdax -s 1G"
_C15 = "{}; 1M-2G ram, 1860000000-d55fffffff pmem; nd_region 0x1860000000-0xd55fffffff ways=6 labels=1.2"
_EDGE = "6.1; 1M-2G ram, 4G-0x103ffffff ram, {}-0x13fffffff CXL Window 0"
_CXL = (
    "6.12; 1M-2G ram, 4G+4G CXL Window 0; with bare-metal possible_nodes=2; cxl_acpi_probe 0x100000000-0x1ffffffff "
    "devices=536870912:1:262144 dports=1 msi=N"
)
_SMALL = "{}; 0-2G ram, 4G+1G pmem; nd_region 0x100000000-0x13fffffff labels=1.2"
_PAIR = "{}; 0-4G ram, 8G+60M pmem, 8252M+68M pmem"
_ARM = "{} arm64; 1G-5G ram, 8G+66M pmem, 8258M+62M pmem; memremap_pages 0x200000000-0x2041fffff; memremap_pages 0x204200000-0x207ffffff"


def case(name: str, version: str | None = None) -> Diagnosis:
    path = case_path(name)
    if path.suffix == ".layout":
        return diagnose_machine(parse_machine(path.read_text().strip()))
    return diagnose(replace(read_machine(path), arch="x86_64"), version)


def example(name: str, version: str | None = None) -> Diagnosis:
    return diagnose(read_machine(fixtures.path(name)), version)


def line(text: str) -> Diagnosis:
    return diagnose_machine(parse_machine(text))


def played(layout: str, *steps: str, ndctl: int = 76, refused: bool = False) -> Diagnosis:
    return diagnose_machine(play(layout, *steps, ndctl=ndctl, refused=refused).machine)


def hidden(note: str) -> Diagnosis:
    description = read_text("0-7fffffff : System RAM\n", "x")
    blocks = read_machine(fixtures.path("pmem-guest"))
    notes = (Note("/proc/iomem", "", note),)
    return diagnose(
        replace(description, iomem=None, notes=notes, blocks=blocks.blocks, block_size=blocks.block_size), "6.1"
    )


def held(iomem: str) -> Diagnosis:
    region = read_text('[{"dev":"region0","size":536870912,"type":"pmem","namespaces":[]}]', "nd").regions[0]
    region = replace(region, range=Range(0x48000000, 0x68000000))
    return diagnose(replace(read_text(iomem, "dt"), arch="arm64", regions=(region,), kernel_release="6.10.0"))


def far(cmdline: str) -> Diagnosis:
    iomem = "00100000-7fffffff : System RAM\n3ff000000000-3ff0ffffffff : Persistent Memory\n"
    return diagnose(replace(read_text(iomem, "vm"), arch="x86_64", hypervisor=True, cmdline=cmdline), "6.12.10")


def windows(*entries: str) -> Diagnosis:
    text = read_text("\n".join(entries) + "\n", "cxl")
    return diagnose(replace(text, arch="x86_64", hypervisor=False), "6.12")


def labels(change: bool, *, only_one: bool = False) -> Diagnosis:
    player = play(BOARD.format("6.1"), MAKE)
    areas = areas_of(player)
    if change:
        areas["nmem0"] = areas["nmem0"][:1000] if not only_one else bytes(len(areas["nmem0"]))
    return judged(player, areas)


def labels_apart() -> Diagnosis:
    """One DIMM of the set has forgotten the namespace."""
    areas = areas_of(play(BOARD.format("6.1"), MAKE))
    empty = areas_of(play(BOARD.format("6.1"), MAKE, "ndctl destroy-namespace -f all"))
    return judged(play(BOARD.format("6.1"), MAKE), {**areas, "nmem1": empty["nmem1"]})


def info(change: bool) -> Diagnosis:
    player = play(BOARD.format("6.1"), MAKE)
    (block,) = read_model(player.machine).info_blocks
    return judged(player, block=patched(block.data, 40, b"\xff") if change else block.data)


_PLAIN = ("1000000000-10ffffffff : System RAM",)
MACHINES: dict[str, tuple[Callable[[], Diagnosis], Callable[[], Diagnosis]]] = {
    "access": (lambda: hidden("every address in it is zero: the kernel"), lambda: example("pmem-guest")),
    "invariants": (lambda: case("C14.iomem", "5.1"), lambda: example("pmem-guest")),
    "steps": (lambda: case("C39.layout"), lambda: line("6.1; 0-4G ram; add_memory 0x140000000-0x147ffffff")),
    "mappings": (lambda: case("C09.iomem", "5.1"), lambda: case("C09.iomem", "6.1")),
    "neighbours": (lambda: line(_PAIR.format("5.1")), lambda: line(_PAIR.format("5.3"))),
    "sub-sections": (lambda: case("C15", "6.1"), lambda: example("pmem-guest")),
    "beside-ram": (lambda: case("C09.iomem", "6.1"), lambda: example("pmem-guest")),
    "teardown": (lambda: line(_ARM.format("5.10")), lambda: line(_ARM.format("6.14"))),
    "busy-range": (
        lambda: held("48000000-67ffffff : System RAM\n68000000-7fffffff : System RAM\n"),
        lambda: held("68000000-7fffffff : System RAM\n"),
    ),
    "direct-map": (lambda: far("quiet"), lambda: far("nokaslr")),
    "blocks": (lambda: case("C09.iomem", "6.1"), lambda: case("C09.iomem", "5.4")),
    "hotplug-room": (lambda: case("C33.layout"), lambda: line("4.17; 0-4G ram")),
    "early-edges": (lambda: line(_EDGE.format("0x104000000")), lambda: line(_EDGE.format("0x108000000"))),
    "target-node": (
        lambda: played(LABELLED.format("6.1").replace("target_node=1", "target_node=-1"), DEVDAX),
        lambda: played(LABELLED.format("6.1"), DEVDAX),
    ),
    "auto-online": (
        lambda: played(LABELLED.format("6.1"), "echo online > /sys/devices/system/memory/auto_online_blocks", DEVDAX),
        lambda: played(LABELLED.format("6.1"), "echo offline > /sys/devices/system/memory/auto_online_blocks", DEVDAX),
    ),
    "partly-online": (
        lambda: played(LABELLED.format("6.1"), DEVDAX, "daxctl reconfigure-device -N -m system-ram dax0.0"),
        lambda: played(LABELLED.format("6.1"), DEVDAX, "daxctl reconfigure-device -m system-ram dax0.0"),
    ),
    "movable": (
        lambda: played(LABELLED.format("6.1"), DEVDAX, "daxctl reconfigure-device --no-movable -m system-ram dax0.0"),
        lambda: played(LABELLED.format("6.1"), DEVDAX, "daxctl reconfigure-device -m system-ram dax0.0"),
    ),
    "kmem": (lambda: example("pmem-kmem"), lambda: played(LABELLED.format("6.1"), DEVDAX)),
    "cxl-windows": (lambda: case("C31.layout"), lambda: case("C30.iomem", "6.12")),
    "cxl-low-memory-hole": (
        lambda: windows("00000000-7fffffff : CXL Window 0", "100000000-27fffffff : CXL Window 1", *_PLAIN),
        lambda: windows("100000000-27fffffff : CXL Window 1", *_PLAIN),
    ),
    "cxl-unused": (lambda: line(_CXL), lambda: played(_CXL, "cxl create-region -t pmem -d decoder0.0 -m mem0")),
    "soft-reserved": (lambda: case("C30.iomem", "6.12"), lambda: windows("100000000-27fffffff : CXL Window 1", *_PLAIN)),
    "label-less": (
        lambda: played("4.17; 1M-4G ram, 4G+4G pmem; nd_region 0x100000000-0x1ffffffff bus=e820",
                       "ndctl create-namespace -e namespace0.0 -f -s 1G", ndctl=60),
        lambda: played(LABELLED.format("6.1"), DEVDAX),
    ),
    "free-in-section": (
        lambda: played(SIX_WAYS.format("5.0"), "ndctl create-namespace -m fsdax -s 132m", ndctl=64),
        lambda: played(LABELLED.format("5.0"), "ndctl create-namespace -s 1G", ndctl=64),
    ),
    "free-off-sub-section": (
        lambda: played(_SMALL.format("5.4 ppc64"), "ndctl create-namespace -s 16908288 --align 64K", ndctl=67),
        lambda: played(_SMALL.format("5.6"), "ndctl create-namespace -s 16M", ndctl=67),
    ),
    "interleave-unit": (lambda: played(SIX_WAYS.format("6.1")), lambda: played(LABELLED.format("6.1"))),
    "align-cost": (
        lambda: played(LABELLED.format("6.1"), "ndctl create-namespace -m devdax -a 1G -s 2G"),
        lambda: played(LABELLED.format("6.1"), "ndctl create-namespace -m devdax -s 2G"),
    ),
    "newer-kernels": (
        lambda: played(_C15.format("5.2"), "ndctl create-namespace -m fsdax -a 4K -s 53687107584", ndctl=64),
        lambda: played(_C15.format("5.6"), "ndctl create-namespace -m fsdax -a 4K -s 53687107584", ndctl=66),
    ),
    "free-space": (
        lambda: played(
            _C15.format("5.7"), "echo 24576 > /sys/bus/nd/devices/region0/align", "ndctl create-namespace -a 4096 -s 53687107584",
            "ndctl create-namespace -m sector -l 512 -s 53687107584", "echo 100663296 > /sys/bus/nd/devices/region0/align",
            "ndctl create-namespace -s 36g"),
        lambda: played(LABELLED.format("6.1"), "ndctl create-namespace -s 1G"),
    ),
    "cut-namespaces": (lambda: example("pmem-two-regions"), lambda: example("pmem-guest")),
    "page-arrays": (lambda: example("pmem-guest"), lambda: played(LABELLED.format("6.1"), "ndctl create-namespace -s 1G")),
    "label-areas": (lambda: labels(True), lambda: labels(False)),
    "label-sets": (labels_apart, lambda: labels(False)),
    "memmap": (lambda: case("N01.iomem"), lambda: case("C09.iomem", "6.1")),
    "half-made": (
        lambda: played("4.18; 1M-2G ram, 4G+8G pmem; nd_region 0x100000000-0x2ffffffff labels=1.2",
                       "ndctl create-namespace -m fsdax -s 1G -a 1G", ndctl=63, refused=True),
        lambda: played(LABELLED.format("6.1"), DEVDAX),
    ),
    "virtio-mem": (
        lambda: line("6.1; 0-4G ram, 0x180400000-0x1903fffff virtio0"),
        lambda: line("6.1; 0-4G ram, 0x180000000-0x18fffffff virtio0"),
    ),
    "tdx-host": (
        lambda: played(LABELLED.format("6.12").replace("with ", "with tdx_host=Y "), DEVDAX),
        lambda: played(LABELLED.format("6.6").replace("with ", "with tdx_host=Y "), DEVDAX),
    ),
    "info-blocks": (lambda: info(True), lambda: info(False)),
}  # fmt: skip
"""Check -> (where it finds, where it runs and does not)."""


def test_every_check_has_its_machines() -> None:
    assert set(MACHINES) == {check.id for check in CHECKS}


@pytest.mark.parametrize("check", MACHINES)
def test_it_finds(check: str) -> None:
    found = MACHINES[check][0]()
    assert check in {each.check for each in found.findings}, [
        (run.state, run.reason) for run in found.checks if run.name == check
    ]


@pytest.mark.parametrize("check", MACHINES)
def test_it_runs_and_finds_nothing(check: str) -> None:
    clean = MACHINES[check][1]()
    assert [run.state for run in clean.checks if run.name == check] == ["ran"]
    assert check not in {each.check for each in clean.findings}
