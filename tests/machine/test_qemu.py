"""The q35 board against real guests: every transcript's firmware map, iomem and DIMM addresses, and QEMU's own words."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from sparsemem.errors import InputError, NotModelledError
from sparsemem.kernel.iomem_text import format_iomem
from sparsemem.machine.memory_devices import DeviceMemory, DimmRefusedError, qom_order
from sparsemem.machine.qemu import Guest, PmemDevice, memory_layout, start
from sparsemem.play.scenario import parse_scenario
from sparsemem.ranges import Range
from sparsemem.spec import kernel
from sparsemem.units import GIB, MIB, parse_size

if TYPE_CHECKING:
    from collections.abc import Callable

DIRECTORY = Path(__file__).parents[1] / "transcripts"
TRANSCRIPTS = sorted(DIRECTORY.glob("*@*.json"))
# Not the board's: kernel text moves with the build, namespaces and dax devices come from drivers, and "Adapter ROM" is
# left-over bytes that come and go from boot to boot (tests/transcripts/README.md).
NOT_THE_BOARD = re.compile(r" : (Kernel (code|rodata|data|bss)|Adapter ROM|namespace\d|dax\d|btt\d|pfn\d)")
SEEN = re.compile(r"(BIOS-e820|user): \[mem 0x([0-9a-f]{16})-0x([0-9a-f]{16})\]\s+(.*)")
SAID_IN_7_2 = {
    "System RAM": "usable",
    "device reserved": "reserved",
    "persistent RAM (type 12)": "persistent (type 12)",
}


@cache
@cache
def guest(name: str, version: str) -> Guest:
    m = parse_scenario((DIRECTORY / f"{name}.toml").read_text().partition("[recording]")[0], name).machine
    pmem = [PmemDevice(each.size, each.labels, each.node) for each in m.pmem]
    dimms = [(each.size, each.node) for each in m.dimms]
    return start(kernel(version), m.memory, m.cmdline, pmem, slots=m.slots, maxmem=m.maxmem, dimms=dimms, nodes=m.nodes)


def plugs(data: dict[str, Any]) -> bool:
    return any("qemu_dimms" in step for step in data["steps"])


def leaves_namespaces_alone(data: dict[str, Any]) -> bool:
    return not any("ndctl" in step["command"] or "daxctl" in step["command"] for step in data["steps"])


def answers(key: str, wanted: Callable[[dict[str, Any]], bool] = bool) -> list[Any]:
    found = []
    for path in TRANSCRIPTS:
        data = json.loads(path.read_text())
        if key in data and wanted(data):
            found.append(pytest.param(*path.stem.split("@"), data, id=path.stem))
    assert found
    return found


@pytest.mark.parametrize(("name", "version", "data"), answers("iomem_full"))
def test_iomem_is_the_guests(name: str, version: str, data: dict[str, Any]) -> None:
    board = guest(name, version)
    window = board.devices.window
    real = []
    for line in data["iomem_full"].splitlines():
        at = int(line.split("-")[0], 16)
        added_later = "System RAM" in line and window.start <= at < window.end
        if not NOT_THE_BOARD.search(line) and not added_later:
            real.append(line)
    assert format_iomem(board.iomem).splitlines() == real


@pytest.mark.parametrize(("name", "version", "data"), answers("boot_log"))
def test_firmware_map_is_the_guests(name: str, version: str, data: dict[str, Any]) -> None:
    seen: dict[str, list[tuple[int, int, str]]] = {"BIOS-e820": [], "user": []}
    for line in data["boot_log"]:
        match = SEEN.match(line)
        if match:
            kind = match[4].strip()
            seen[match[1]].append((int(match[2], 16), int(match[3], 16) + 1, SAID_IN_7_2.get(kind, kind)))
    board = guest(name, version)
    assert [(e.range.start, e.range.end, e.kind) for e in board.firmware] == seen["BIOS-e820"]
    if seen["user"]:
        # printed before the kernel reserves its first page
        first, second = board.e820[:2]
        assert (first.range, first.kind) == (Range(0, 0x1000), "reserved")
        merged = [(0, second.range.end, "usable"), *((e.range.start, e.range.end, e.kind) for e in board.e820[2:])]
        assert merged == seen["user"]


@pytest.mark.parametrize(("name", "version", "data"), answers("dimms"))
def test_devices_of_the_command_line_are_where_qemu_put_them(name: str, version: str, data: dict[str, Any]) -> None:
    board = guest(name, version)
    real = {d["id"]: (int(d["addr"], 16), int(d["size"], 16), d["slot"]) for d in data["dimms"]}
    kept = {name for name in real if name.startswith(("nvdimm", "cold"))}
    ours = {d.name: (d.range.start, d.range.size, d.slot) for d in board.devices.devices}
    assert {name: ours[name] for name in kept} == {name: real[name] for name in kept}


@pytest.mark.parametrize(("name", "version", "data"), answers("iomem_full", leaves_namespaces_alone))
def test_namespaces_that_came_up_by_themselves_have_our_region_numbers(
    name: str, version: str, data: dict[str, Any]
) -> None:
    regions = {f"namespace{r.number}.0": r.range for r in guest(name, version).regions if not r.labels}
    for start_, end, namespace in re.findall(r"([0-9a-f]+)-([0-9a-f]+) : (namespace\d+\.\d+)", data["iomem_full"]):
        assert regions[namespace] == Range(int(start_, 16), int(end, 16) + 1)


@pytest.mark.parametrize(("name", "version", "data"), answers("steps", plugs))
def test_plug_and_unplug_answer_like_qemu(name: str, version: str, data: dict[str, Any]) -> None:
    devices = guest(name, version).devices
    for step in data["steps"]:
        if "qemu_dimms" not in step:
            continue
        words = step["command"].split()
        said = ""
        try:
            if words[0] == "plug":
                options = {key: int(value, 0) for key, value in (word.split("=") for word in words[3:])}
                devices, _ = devices.plug(words[1], parse_size(words[2]), **options)
            elif step["exit_code"] == 0 or "not found" in step["stdout"]:
                devices = devices.unplug(words[1])
            else:
                continue  # the guest kept it: not QEMU's answer
        except DimmRefusedError as refusal:
            said = refusal.what
        assert (said, bool(said)) == (step["stdout"].strip(), step["exit_code"] != 0)
        real = {d["id"]: (int(d["addr"], 16), int(d["size"], 16), d["slot"]) for d in step["qemu_dimms"]}
        assert {d.name: (d.range.start, d.range.size, d.slot) for d in devices.devices} == real


def window(memory: int = 512 * MIB, slots: int = 8, maxmem: int = 16 * GIB) -> DeviceMemory:
    layout = memory_layout(memory, slots, maxmem)
    return DeviceMemory(layout.window, maxmem - memory if slots else 0, slots)


# What QEMU 7.2 printed for -device pc-dimm,id=dN,memdev=mN with these sizes and options, one after the other.
WORDS = [
    ("100K node=1", "backend memory size must be multiple of 0x200000"),
    ("100K addr=1", "address must be aligned to 0x200000 bytes"),
    ("100K slot=9", "invalid slot number 9, valid range is [0-7]"),
    ("100K addr=0x700000000", "backend memory size must be multiple of 0x200000"),
    ("20G addr=1", "not enough space, currently 0x0 in use of total space for memory devices 0x3e0000000"),
    ("128M node=1 slot=9", "invalid slot number 9, valid range is [0-7]"),
    ("128M node=1 addr=1", "address must be aligned to 0x200000 bytes"),
    ("128M node=1", "'DIMM property node has value 1' which exceeds the number of numa nodes: 1"),
    ("128M slot=-2", "invalid slot number -2, valid range is [0-7]"),
    ("0", "property 'size' of memory-backend-ram doesn't take value '0'"),
    (
        "128M addr=0x6dfe00000",
        "can't add memory device [0x6dfe00000:0x8000000], usable range for memory devices [0x100000000:0x5e0000000]",
    ),
    ("128M addr=0x6d8000000", ""),
    ("128M slot=1, 128M slot=1", "slot 1 is busy"),
    (
        "128M addr=0x104000000, 128M, 64M addr=0x106000000",
        "address range conflicts with memory device id='d0'",
    ),
    ("128M addr=0x108000000, 64M addr=0x104000000, 128M, 128M", ""),
    ("15872M, 2M", "not enough space, currently 0x3e0000000 in use of total space for memory devices 0x3e0000000"),
    ("8G addr=0x200000000, 7680M", ""),
]


@pytest.mark.parametrize(("asked", "words"), WORDS, ids=[asked for asked, _ in WORDS])
def test_qemus_words(asked: str, words: str) -> None:
    devices, said = window(), ""
    for number, one in enumerate(asked.split(", ")):
        size, *options = one.split()
        named = {key: int(value, 0) for key, value in (option.split("=") for option in options)}
        assert not said
        try:
            devices, _ = devices.plug(f"d{number}", parse_size(size), **named)
        except DimmRefusedError as refusal:
            said = refusal.what
    assert said == words


def test_other_machines_words() -> None:
    with pytest.raises(DimmRefusedError, match=r"^no slots where allocated, please specify the 'slots' option$"):
        window(slots=0).plug("d0", 128 * MIB)
    with pytest.raises(DimmRefusedError, match=r"valid range is \[0-18446744073709551615\]$"):
        window(slots=0).plug("d0", 128 * MIB, slot=0)
    devices, _ = window(slots=2, maxmem=15874 * MIB).plug("d0", 2 * MIB, addr=0x200000000)
    with pytest.raises(DimmRefusedError, match="memory fragmented due to alignments"):
        devices.plug("d1", 15 * GIB)
    with pytest.raises(DimmRefusedError, match=r"^Device 'd7' not found$"):
        devices.unplug("d7")


@pytest.mark.parametrize(
    ("memory", "slots", "maxmem", "words"),
    [
        ("512M", 8, "975G", "Address space limit 0xffffffffff < 0x1fdbfffffff phys-bits too low (40)"),
        ("512M", 8, "1T", "Address space limit 0xffffffffff < 0x209ffffffff phys-bits too low (40)"),
        ("512M", 8, "512M", "memory slots were specified but maximum memory size (0x20000000) is equal"),
        ("512M", 8, "256M", "maximum memory size (0x10000000) must be at least the initial memory size (0x20000000)"),
        ("512M", 257, "16G", "unsupported amount of memory slots: 257"),
        ("512M", 8, "1048577K", "maximum memory size must by aligned to multiple of 4096 bytes"),
        ("512M", 8, "966G", None),
        ("4097M", 0, "16G", None),
    ],
)
def test_machines_that_qemu_does_not_start(memory: str, slots: int, maxmem: str, words: str | None) -> None:
    def run() -> Guest:
        return start(kernel("6.1"), parse_size(memory), slots=slots, maxmem=parse_size(maxmem))

    if words is None:
        assert run().iomem.children
    else:
        with pytest.raises(InputError, match=re.escape(words)):
            run()


@pytest.mark.parametrize(
    ("size", "labels", "usable"),
    [("1M", False, None), ("1M", True, None), ("2M", True, "2M"), ("3M", False, "2M"), ("16385K", False, "16M")],
)
def test_an_nvdimm_keeps_whole_two_mebibytes(size: str, labels: bool, usable: str | None) -> None:
    pmem = [PmemDevice(parse_size(size), labels)]
    if usable is None:
        with pytest.raises(InputError, match="is too small to contain nvdimm label"):
            start(kernel("6.1"), 512 * MIB, pmem=pmem)
    else:
        assert start(kernel("6.1"), 512 * MIB, pmem=pmem).nvdimms[0].size == parse_size(usable)


# The order in which QEMU 7.2 listed /machine/peripheral for NVDIMMs nvdimm0, nvdimm1, ... (qom-list prints it reversed).
ORDERS = [
    [0, 1],
    [0, 2, 1],
    [0, 2, 1, 3],
    [0, 2, 4, 1, 3],
    [5, 0, 2, 4, 1, 3],
    [5, 0, 2, 4, 6, 1, 3],
    [4, 3, 2, 1, 7, 0, 6, 5],
    [11, 4, 3, 9, 2, 8, 1, 7, 0, 6, 10, 5],
    [10, 13, 2, 5, 8, 11, 0, 3, 14, 6, 9, 1, 12, 15, 4, 7],
]


@pytest.mark.parametrize("order", ORDERS, ids=len)
def test_regions_are_numbered_in_qemus_order(order: list[int]) -> None:
    assert qom_order([f"nvdimm{n}" for n in range(len(order))]) == [f"nvdimm{n}" for n in order]


def test_too_little_memory_is_not_guessed_at() -> None:
    with pytest.raises(NotModelledError, match="I cannot tell"):
        start(kernel("6.1"), 32 * MIB)
    with pytest.raises(NotModelledError, match="I cannot tell"):
        start(kernel("6.1"), 512 * MIB, "memmap=16M!32M")


@pytest.mark.parametrize("cmdline", ["memmap=2M$0x0", "memmap=3M!-0x1000"])
def test_without_ram_below_1_mib_it_is_not_said_to_boot(cmdline: str) -> None:
    """The second is at 0: memparse() takes no sign. Real guests panic on both."""
    with pytest.raises(NotModelledError, match="below 1 MiB"):
        start(kernel("6.1"), 512 * MIB, cmdline)


def test_soft_reserved_leaves_iomem_in_newer_kernels() -> None:
    """The example of commit bc62f5b308cb: ``memmap=4G%4G+0xefffffff``."""
    for version, shown in (("6.12", True), ("7.2", False)):
        board = start(kernel(version), 10 * GIB, "memmap=4G%4G+0xefffffff")
        assert ("100000000-1ffffffff : Soft Reserved" in format_iomem(board.iomem)) is shown
        assert Range(1 << 32, 2 << 32) in [e.range for e in board.e820 if e.kind == "soft reserved"]
