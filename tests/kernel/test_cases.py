"""Cases from public reports: what people saw, and what the model answers."""

from __future__ import annotations

import pytest

from sparsemem.kernel.memremap import memremap_compat_align
from sparsemem.machine.notation import parse_machine


def _log(answer: object) -> list[str]:
    return [line.text for line in answer.log]  # type: ignore[attr-defined]


def test_c33_a_dimm_above_an_odd_gibibyte() -> None:
    """QEMU -m 64G and a 2 GiB DIMM at 0x1040000000, block size 2 GiB (2018-02-15)."""
    machine = parse_machine("4.17; 0-3G ram, 4G-65G ram; with block=2G")
    answer = machine.apply("acpi_memory_device_add 0x1040000000-0x10bfffffff")
    assert answer.errno == 22
    assert _log(answer)[0] == "Block size [0x80000000] unaligned hotplug range: start 0x1040000000, size 0x80000000"
    assert _log(answer)[1:3] == [
        "acpi PNP0C80:00: add_memory failed",
        "acpi PNP0C80:00: acpi_memory_enable_device() error",
    ]


def test_c35_arm64_blocks_of_a_gibibyte() -> None:
    """kata-containers #1841: 128 MiB past a 1 GiB line; v5.12 made the sections smaller."""
    old = parse_machine("5.10 arm64; 40000000-bfffffff ram")
    answer = old.apply("acpi_memory_device_add 0xc8000000-0x107ffffff device=PNP0C80:01")
    assert _log(answer)[:2] == [
        "Block size [0x40000000] unaligned hotplug range: start 0xc8000000, size 0x40000000",
        "acpi PNP0C80:01: add_memory failed",
    ]
    new = parse_machine("5.12 arm64; 40000000-bfffffff ram")
    assert new.apply("acpi_memory_device_add 0xc8000000-0x107ffffff").refusal is None


def test_c39_removing_a_section_of_a_larger_block_is_a_bug() -> None:
    """Power6 DLPAR: 16 MiB of a 64 MiB block (2018-06-12)."""
    machine = parse_machine("4.17 ppc64; 0-16G ram; with block=64M")
    answer = machine.apply("remove_memory 0x220000000-0x220ffffff")
    assert answer.refusal is not None
    assert answer.refusal.crash
    text = "Block size [0x4000000] unaligned hotplug range: start 0x220000000, size 0x1000000"
    assert text in answer.refusal.log
    assert any("kernel BUG at mm/memory_hotplug.c" in line for line in answer.refusal.log)


@pytest.mark.parametrize(
    ("version", "text"),
    [
        ("5.3", "Misaligned __add_pages start: 0xfc605 end: #fc609"),
        ("5.19", "Misaligned __add_pages start: 0xfc605 end: #fc609"),
        ("6.0", "Misaligned __add_pages start: 0xfc605 end: #fc609"),
        ("6.1", "Misaligned __add_pages start: 0xfc605 end: #fc609"),
        ("6.3", "Misaligned __add_pages start: 0xfc605 end: #fc609"),
        ("6.12", "Misaligned __add_pages start: 0xfc605 end: 0xfc609"),
    ],
)
def test_c44_five_pages_of_peer_memory(version: str, text: str) -> None:
    """A PCI BAR of five pages at 0xfc605000 (2023-05-10)."""
    machine = parse_machine(f"{version}; 0-2G ram")
    answer = machine.apply("memremap_pages 0xfc605000-0xfc609fff type=pci_p2pdma")
    assert answer.errno == 22
    assert _log(answer) == [text]


def test_c45_the_same_bar_twice() -> None:
    """NVMe CMB registered again at reset: the same message without any layout problem."""
    machine = parse_machine("5.0; 0-2G ram")
    operation = "memremap_pages 0xf0000000-0xf7ffffff type=pci_p2pdma owner=nvme"
    assert machine.apply(operation).refusal is None
    answer = machine.apply(operation)
    assert answer.errno == 12
    assert _log(answer) == ["nvme: Conflicting mapping in same section"]


@pytest.mark.parametrize("version", ["5.3", "5.4", "5.6", "6.1"])
def test_c17_an_altmap_off_the_sub_section_line(version: str) -> None:
    """Namespaces of 16 MiB + 128 KiB: the second begins 128 KiB past a 2 MiB line (2019-12-03)."""
    machine = parse_machine(f"{version}; 0-1G ram, 4G+1G pmem")
    assert machine.apply("memremap_pages 0x101020000-0x10203ffff altmap=2:510").errno == 22
    answer = machine.apply("memremap_pages 0x101020000-0x10203ffff altmap=2:510")
    assert answer.refusal is not None
    assert answer.refusal.rule == "altmap-invalid"
    assert [line.text for line in machine.state.lines] == ["memory add fail, invalid altmap"]  # pr_warn_once


def test_c16_what_ppc64_can_map() -> None:
    """memremap_compat_align() is 16 MiB with a 16 MiB linear mapping (hash), 2 MiB else; 2 MiB on x86."""
    assert (
        memremap_compat_align(parse_machine("6.1 ppc64; 0-1G ram; with linear_map_page_size=16777216").state)
        == 16 << 20
    )
    assert memremap_compat_align(parse_machine("6.1 ppc64; 0-1G ram").state) == 2 << 20
    assert memremap_compat_align(parse_machine("6.1; 0-1G ram").state) == 2 << 20


def test_addressable_range_texts() -> None:
    """v5.5 to v5.11 print a maximum that is one bit too large."""
    machine = parse_machine("5.10; 0-1G ram")
    answer = machine.apply("arch_add_memory 0x400000000000-0x400007ffffff")
    assert answer.errno == 7
    assert _log(answer) == [
        "Hotplugged memory exceeds maximum addressable address, "
        "range=0x400000000000-0x400007ffffff, maximum=0x7fffffffffff"
    ]
    machine = parse_machine("6.1; 0-1G ram")
    answer = machine.apply("memremap_pages 0x400000000000-0x400007ffffff")
    assert answer.errno == 22
    assert _log(answer) == [
        "Hotplug memory [0x400000000000-0x400008000000] exceeds maximum addressable range [0x0-0x3fffffffffff]"
    ]
    assert machine.apply("add_memory 0x400000000000-0x400007ffffff").errno == 7


@pytest.mark.parametrize(
    ("head", "operation", "errno", "rule"),
    [
        # arch/*/Kconfig and include/linux/memory_hotplug.h of these releases
        ("5.0 arm64", "add_memory 0x100000000-0x13fffffff", 38, "no-memory-hotplug"),
        ("5.1 arm64", "add_memory 0x100000000-0x13fffffff", 0, None),
        ("5.6 arm64", "memremap_pages 0x100000000-0x13fffffff", 6, "zone-device-config"),
        ("5.7 arm64", "memremap_pages 0x100000000-0x13fffffff", 0, None),
        ("5.6 arm64", "remove_memory 0x100000000-0x13fffffff", 16, "no-memory-hotplug"),
        ("5.2 arm64", "remove_memory 0x100000000-0x13fffffff", 0, None),
        ("5.6 arm64", "offline memory1", 22, "no-memory-hotplug"),
        ("5.7 arm64", "offline memory1", 16, "isolation-failure"),
        ("6.10 riscv64", "add_memory 0x100000000-0x13fffffff", 38, "no-memory-hotplug"),
        ("6.11 riscv64", "add_memory 0x100000000-0x13fffffff", 0, None),
        ("6.6 riscv64", "memremap_pages 0x100000000-0x13fffffff", 6, "zone-device-config"),
        ("6.12 s390x", "memremap_pages 0x100000000-0x13fffffff", 6, "zone-device-config"),
        ("7.2 s390x", "memremap_pages 0x100000000-0x13fffffff", 0, None),
        ("6.12 ppc64", "memremap_pages 0x100000000-0x13fffffff", 0, None),
        ("5.10 arm64", "arch_add_memory 0x1000000000000-0x100003fffffff", 22, "linear-region"),
    ],
)
def test_what_an_architecture_is_built_with(head: str, operation: str, errno: int, rule: str | None) -> None:
    machine = parse_machine(f"{head}; 40000000-7fffffff ram; with auto_online=offline")
    answer = machine.apply(operation)
    assert answer.errno == errno
    assert (answer.refusal.rule if answer.refusal else None) == rule
