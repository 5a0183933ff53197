"""A captured machine's devices on the model: captured again from the model's attribute tree, they are the same."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sparsemem import fixtures
from sparsemem.kernel.ioport import Resource
from sparsemem.machine import sysfs
from sparsemem.machine.build import build
from sparsemem.machine.description import LabelAreaFact, MachineDescription, NamespaceFact, RegionFact
from sparsemem.machine.notation import format_machine, parse_machine
from sparsemem.ranges import Range
from sparsemem.readers import read_machine, read_text

if TYPE_CHECKING:
    from pathlib import Path

    from sparsemem.machine.machine import Machine

MIB, GIB = 1 << 20, 1 << 30


def capture(machine: Machine, directory: Path) -> MachineDescription:
    """Every file and link of the model's tree, written out and read as a captured machine."""
    state = machine.state
    for path in sysfs.paths(state):
        if path.startswith("/dev/"):
            continue
        try:
            text = sysfs.show(state, path)
        except sysfs.SysfsError:
            continue
        place = directory / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    for folder in ("/sys/bus/nd/devices", "/sys/bus/dax/devices"):
        for name in sysfs.listdir(state, folder) or []:
            real = sysfs.realpath(state, f"{folder}/{name}")
            for link, target in (
                (f"{folder}/{name}", real),
                (f"{real}/driver", sysfs.readlink(state, f"{real}/driver")),
            ):
                if target is not None:
                    place = directory / link.lstrip("/")
                    place.parent.mkdir(parents=True, exist_ok=True)
                    up = "../" * (len(place.relative_to(directory).parts) - 1)
                    place.symlink_to(up + target.lstrip("/"))
    (directory / "proc/version").write_text(f"Linux version {machine.kernel.version} (x)\n")
    return read_machine(str(directory))


def _plain(fact: NamespaceFact) -> NamespaceFact:
    """What the numbers of seeds are does not matter; nor names of sizes that a reader may not see."""
    return replace(fact, holder=fact.holder and fact.holder[:3], name=fact.name or None)


@pytest.mark.parametrize("name", ["pmem-guest", "pmem-two-regions", "memmap-guest"])
def test_a_captured_machine_is_there_again(name: str, tmp_path: Path) -> None:
    before = read_machine(fixtures.path(name))
    machine = build(before, devices=True).machine
    after = capture(machine, tmp_path)
    assert [_plain(each) for each in after.namespaces] == [_plain(each) for each in before.namespaces]
    if before.regions[0].target_node is None:  # kernels before 5.5 do not tell
        after = replace(after, regions=tuple(replace(each, target_node=None) for each in after.regions))
    assert after.regions == before.regions
    assert after.dax == before.dax
    assert parse_machine(format_machine(machine)) == machine


def _machine(
    release: str, regions: tuple[RegionFact, ...], namespaces: tuple[NamespaceFact, ...]
) -> MachineDescription:
    layout = parse_machine("6.1; 0-1G ram, 4G+12G pmem").layout.iomem
    assert isinstance(layout, Resource)
    return MachineDescription(
        "test", kernel_release=release, arch="x86_64", iomem=layout, regions=regions, namespaces=namespaces
    )


@pytest.mark.parametrize("release", ["5.2.0", "5.4.0", "5.10.100", "6.1.50", "6.12.10", "7.2.1"])
@pytest.mark.parametrize("ways", [1, 2, 3, 4, 6])
def test_interleaved_regions_with_holes(release: str, ways: int, tmp_path: Path) -> None:
    whole = Range(4 * GIB, 16 * GIB)
    unit = 48 * MIB * 2
    region = RegionFact("region0", whole, whole.size, mappings=ways, type="pmem", labels=True, numa_node=0)
    namespaces = tuple(
        NamespaceFact(
            f"namespace0.{number}", "region0", mode, where, Range(start, start + 10 * unit), 10 * unit,
            f"11111111-2222-4333-8444-00000000000{number}", 2 * MIB if where else None, sector, name=f"n{number}",
        )
        for number, (mode, where, start, sector) in enumerate(
            [
                ("fsdax", "dev", whole.start, 512),
                ("devdax", "dev", whole.start + 20 * unit, 512),
                ("sector", None, whole.start + 40 * unit, 4096),
                ("fsdax", "mem", whole.start + 60 * unit, 512),
                ("raw", None, whole.start + 80 * unit, 512),
            ]
        )
    )  # fmt: skip
    built = build(_machine(release, (region,), namespaces), devices=True)
    assert not built.refused
    assert not [note for note in built.notes if "refuses" in note.what]
    after = capture(built.machine, tmp_path)
    keys = ("dev", "region", "mode", "map", "range", "size", "uuid", "align", "sector_size", "name", "enabled")
    for ours, theirs in zip(after.namespaces, namespaces, strict=True):
        assert {key: getattr(ours, key) for key in keys} == {key: getattr(theirs, key) for key in keys}
    assert not [fault for fault in built.machine.faults() if fault.severity == "error"]


def test_what_cannot_be_placed_is_a_note() -> None:
    region = RegionFact("region0", None, 4 * GIB, mappings=1)
    built = build(_machine("6.1.50", (region,), ()), devices=True)
    assert any(note.where == "region0" for note in built.notes)
    assert not built.machine.state.nd


def test_a_firmware_map_gets_the_memmap_of_the_command_line() -> None:
    """A log that was cut before its "user" lines, or /sys/firmware/memmap without root: the map is firmware's, memmap= is not in it."""
    head = "[    0.000000] Linux version 6.1.0\n[    0.000000] Command line: {}\n"
    firmware = (
        "[    0.000000] BIOS-e820: [mem 0x0000000000000000-0x000000000009fbff] usable\n"
        "[    0.000000] BIOS-e820: [mem 0x0000000000100000-0x00000000bfffffff] usable\n"
        "[    0.000000] BIOS-e820: [mem 0x0000000100000000-0x000000043fffffff] usable\n"
    )

    def legacy(text: str) -> list[tuple[int, int]]:
        root = build(read_text(text, "log")).machine.state.iomem
        return [(r.start, r.end) for r in root.children if r.name == "Persistent Memory (legacy)"]

    assert legacy(head.format("quiet") + firmware) == []
    assert legacy(head.format("memmap=4G!8G") + firmware) == [(0x200000000, 0x2FFFFFFFF)]
    assert legacy(head.format("memmap=4G!8G,2G!12G") + firmware) == [
        (0x200000000, 0x2FFFFFFFF),
        (0x300000000, 0x37FFFFFFF),
    ]
    # applied to a map that has it already, it is the same
    user = firmware.replace("BIOS-e820:", "user:").replace(
        "0x000000043fffffff] usable", "0x00000001ffffffff] usable"
    ) + (
        "[    0.000000] user: [mem 0x0000000200000000-0x00000002ffffffff] persistent (type 12)\n"
        "[    0.000000] user: [mem 0x0000000300000000-0x000000043fffffff] usable\n"
    )
    assert legacy(head.format("memmap=4G!8G") + firmware + user) == [(0x200000000, 0x2FFFFFFFF)]
    # a map with one entry left is what the kernel would panic over: said, and not applied
    assert legacy(head.format("memmap=exactmap memmap=1G@1M") + firmware) == []


@pytest.mark.parametrize("holds", [False, True])
@pytest.mark.parametrize(("version", "size"), [("1.1", 32440320), ("1.2", 32444416)])
def test_labels_have_the_version_that_was_read(version: str, size: int, holds: bool) -> None:
    """A sector namespace of 32 MiB: the smaller size is Linux 6.1's with ndctl 76.1 in QEMU, after ``ndctl init-labels``; a BTT of version
    2.0 has no 4 KiB in front."""
    from sparsemem.kernel.nvdimm import media
    from sparsemem.kernel.nvdimm.core import nvdimm_of
    from sparsemem.planner.apply import ModelRunner
    from sparsemem.planner.apply.view import uuids_of

    made = ModelRunner(parse_machine(f"6.1; 0-1G ram, 4G+1G pmem; nd_region 0x100000000-0x13fffffff labels={version}"))
    if holds:
        assert made.run(("ndctl", "create-namespace", "-m", "fsdax", "-s", "64M"))[0] == 0
    region = RegionFact("region0", Range(4 * GIB, 5 * GIB), GIB, mappings=1, type="pmem", labels=True, numa_node=0)
    there = NamespaceFact(
        "namespace0.0", "region0", "fsdax", "dev", Range(4 * GIB, 4 * GIB + 64 * MIB), 62 * MIB,
        "11111111-2222-4333-8444-000000000000", 2 * MIB, 512,
    )  # fmt: skip
    state = made.machine.state
    area = media.read_label_area(state, "nmem0", 0, nvdimm_of(state, "nmem0").config_size)
    description = replace(
        _machine("6.1.50", (region,), (there,) if holds else ()), label_areas=(LabelAreaFact("nmem0", area),)
    )
    runner = ModelRunner(build(description, devices=True).machine)
    code, said = runner.run(("ndctl", "create-namespace", "-r", "region0", "-m", "sector", "-s", "32M"))
    assert code == 0, said
    assert json.loads(said)["size"] == size
    assert len(uuids_of(runner.observe()).keys() - {"namespace0.2"}) == 1 + holds
