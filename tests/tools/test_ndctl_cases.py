"""What people saw ndctl say on the kernels of their time: the replayable cases of the collection (``cases.md``) that turn on the tool."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from sparsemem.machine.notation import parse_machine
from sparsemem.tools import ndctl
from sparsemem.tools.result import Console
from sparsemem.tools.tree import MachineTree

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine
    from sparsemem.tools.result import ToolResult

SIX_WAYS = "0-4G ram, 100000000-c0ffffffff pmem; nd_region 0x100000000-0xc0ffffffff ways=6 labels=1.2"
ONE_GIB = "0-4G ram, 100000000-13fffffff pmem; nd_region 0x100000000-0x13fffffff labels=1.1"


def run(machine: Machine, command: str, release: int = 76, *, tty: bool = True) -> tuple[ToolResult, list[str]]:
    """The answer, and what the kernel logs."""
    before = len(machine.state.lines)
    result = ndctl.main(MachineTree(machine), command.split()[1:], Console(tty=tty), (release,))
    return result, [line.text for line in machine.state.lines[before:] if line.level != "debug"]


def made(result: ToolResult) -> Any:
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_c01_two_regions_share_a_section() -> None:
    """ndctl issue 76, Linux 4.18: 64 MiB are cut from the first, the second collides with it."""
    machine = parse_machine(
        "4.18; 0-80000000 ram, 100000000-187bffffff ram, 187c000000-967bffffff pmem, 967c000000-ae7fffffff ram; "
        "nd_region 0x187c000000-0x577bffffff labels=1.2; nd_region 0x577c000000-0x967bffffff labels=1.2"
    )
    result, log = run(machine, "ndctl create-namespace -r region0", 63)
    assert made(result)["size"] == "248.00 GiB (266.29 GB)"
    assert "nd_pmem pfn0.0: namespace0.0 alignment collision, truncate 67108864 bytes" in log
    assert "pmem0: detected capacity change from 0 to 266285875200" in log
    result, log = run(machine, "ndctl create-namespace -r region1", 63)
    assert "nd_pmem pfn1.0: namespace1.0 alignment collision, truncate 67108864 bytes" in log
    assert "nd_pmem pfn1.0: Conflicting mapping in same section" in log
    assert result.output == (
        "libndctl: ndctl_pfn_enable: pfn1.0: failed to enable\n  Error: namespace1.0: failed to enable\n\n"
        "failed to create namespace: No such device or address\n"
    )


def test_c02_two_small_namespaces_on_six_ways() -> None:
    """Jeff Moyer, 2019-02: 128m is refused, 132m gives 126 MiB, a second 132m fails."""
    machine = parse_machine(f"5.0; {SIX_WAYS}")
    result, _ = run(machine, "ndctl create-namespace -m fsdax -s 128m", 64)
    assert (
        "'--size=' must align to interleave-width: 6 and alignment: 2097152\ndid you intend --size=132M?"
        in result.output
    )
    assert made(run(machine, "ndctl create-namespace -m fsdax -s 132m", 64)[0])["size"] == "126.00 MiB (132.12 MB)"
    result, log = run(machine, "ndctl create-namespace -m fsdax -s 132m", 64)
    assert "libndctl: ndctl_pfn_enable: pfn0.1: failed to enable\n" in result.output
    assert "failed to create namespace: No such device or address\n" in result.output
    assert "nd_pmem pfn0.1: Conflicting mapping in same section" in log


def test_c02_passes_with_sub_sections() -> None:
    machine = parse_machine(f"5.3; {SIX_WAYS}")
    for _ in range(3):
        assert made(run(machine, "ndctl create-namespace -m fsdax -s 132m", 67)[0])


def test_c03_sixty_four_mib_twice() -> None:
    """ndctl issue 28, with the mode names of 2017: the second one shares a section with the first."""
    machine = parse_machine(f"4.9; {ONE_GIB}")
    command = "ndctl create-namespace --mode memory --map mem --region region0 --size 64M"
    found = made(run(machine, command, 60)[0])
    assert found["size"] == "62.00 MiB (65.01 MB)"
    assert "map" not in found  # listed since v61; the answer of 2017 has none
    result, _ = run(machine, command, 60)
    assert "libndctl: ndctl_pfn_enable: pfn0.1: failed to enable\n" in result.output
    assert result.output.endswith("failed to create namespace: No such device or address\n")
    assert run(machine, "ndctl destroy-namespace namespace0.1", 60)[0].output == "destroyed 1 namespace\n"


def test_c05_a_hundred_mib_of_devdax_twice() -> None:
    """ndctl issue 107: up to v67 the tool lets it through; since v68 a start that is not 16 MiB aligned takes --force."""
    machine = parse_machine("5.2; 0-4G ram, 100000000-1ffffffff pmem; nd_region 0x100000000-0x1ffffffff labels=1.2")
    command = "ndctl create-namespace --mode devdax -s 100M -a 4k -r region0"
    assert made(run(machine, command, 66)[0])
    _, log = run(machine, command, 66)
    assert "device_dax dax0.1: Conflicting mapping in same section" in log
    result, _ = run(machine, command, 68)
    assert "namespace0.2 misaligned to 16M, adjust region alignment and retry" in result.output
    assert made(run(machine, command + " -f", 68)[0])


def test_c19_an_odd_size_on_six_ways() -> None:
    """ndctl issue 125: the suggestion, to the byte."""
    machine = parse_machine(f"5.3; {SIX_WAYS}")
    result, _ = run(machine, "ndctl create-namespace -s 4295000000", 67)
    assert (
        "must align to interleave-width: 6 and alignment: 2097152\ndid you intend --size=4303355904?" in result.output
    )
    assert made(run(machine, "ndctl create-namespace -s 4303355904", 67)[0])


@pytest.mark.parametrize(
    ("size", "usable"), [("1G", None), ("2G", "1024.00 MiB (1073.74 MB)"), ("3G", "2.00 GiB (2.15 GB)")]
)
def test_c22_an_alignment_of_a_gib_costs_one(size: str, usable: str | None) -> None:
    """ndctl issue 79."""
    machine = parse_machine("5.10; 0-4G ram, 100000000-4ffffffff pmem; nd_region 0x100000000-0x4ffffffff labels=1.2")
    result, _ = run(machine, f"ndctl create-namespace -m devdax -a 1G -s {size}")
    if usable is None:
        assert "libndctl: ndctl_dax_enable: dax0.0: failed to enable\n" in result.output
    else:
        assert made(result)["size"] == usable


def test_c25_fsdax_on_four_gib_of_emulated_memory() -> None:
    """ndctl issue 52: 4294967296 bytes become 4225761280 with the memmap on the device; -s is not for a label-less namespace."""
    machine = parse_machine("4.17; 0-4G ram, 100000000-1ffffffff legacy; nd_region 0x100000000-0x1ffffffff bus=e820")
    assert json.loads(run(machine, "ndctl list -N", 60)[0].stdout)[0]["size"] == 4294967296
    command = "ndctl create-namespace -e namespace0.0 -m fsdax -f"
    assert made(run(machine, command, 60, tty=False)[0])["size"] == 4225761280
    result, _ = run(machine, command + " -s 1G", 76)
    assert "Legacy / label-less namespaces do not support sub-dividing a region" in result.output


def test_before_v64_the_alignment_is_2m() -> None:
    """... also where the seed's is another, and a hint has two spaces in front."""
    machine = parse_machine(f"5.0; {SIX_WAYS}")
    result, _ = run(machine, "ndctl create-namespace -m fsdax -s 128m", 60)
    assert "alignment: 2097152\n  did you intend --size=132M?" in result.output


def test_a_full_region_is_told_by_the_errno_of_its_time() -> None:
    machine = parse_machine(f"5.10; {ONE_GIB}")
    for release, words in ((60, "Resource temporarily unavailable"), (67, "No space left on device")):
        result, _ = run(machine, "ndctl create-namespace -s 2G", release)
        assert (result.exit_code, result.output) == (237, f"failed to create namespace: {words}\n")


def test_a_failed_namespace_is_deleted_since_v64() -> None:
    for release, left in ((63, "namespace0.1"), (64, "namespace0.0")):
        machine = parse_machine(f"5.0; {SIX_WAYS}")
        run(machine, "ndctl create-namespace -m fsdax -s 132m", release)
        run(machine, "ndctl create-namespace -m fsdax -s 132m", release)
        sizes = {key: machine.state.nd[key].size for key in machine.state.nd if key.startswith("namespace")}
        assert max(key for key, size in sizes.items() if size) == left
