"""CXL of QEMU's q35: where its window lies, what each kernel makes of the devices, regions step by step, and undo."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sparsemem.errors import InputError, NotModelledError
from sparsemem.kernel.refusal import errno_name
from sparsemem.machine import sysfs
from sparsemem.machine.notation import format_machine, parse_machine
from sparsemem.machine.operations import store_operation
from sparsemem.machine.qemu import memory_layout
from sparsemem.play.scenario import parse_scenario
from sparsemem.play.setup import set_up
from sparsemem.units import GIB, MIB

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

BUS = "/sys/bus/cxl/devices"
REGION, DECODER = f"{BUS}/region0", f"{BUS}/decoder2.0"
UUID = "11111111-2222-3333-4444-555555555555\n"
READY = (
    (f"{BUS}/decoder0.0/create_pmem_region", "region0"),
    (f"{REGION}/interleave_granularity", "256\n"),
    (f"{REGION}/interleave_ways", "1\n"),
    (f"{REGION}/uuid", UUID),
    (f"{REGION}/size", "0x10000000\n"),
    (f"{DECODER}/mode", "pmem"),
    (f"{DECODER}/dpa_size", "0x10000000\n"),
    (f"{REGION}/target0", "decoder2.0"),
)
UP = (*READY, (f"{REGION}/commit", "1\n"), ("/sys/bus/cxl/drivers/cxl_region/bind", "region0"))


def machine(kernel: str, more: str = "hypervisor = false", devices: int = 1) -> Machine:
    cxl = ", ".join(['{ size = "512M" }'] * devices)
    text = f'[machine]\nmemory = "512M"\ncmdline = "pci=nomsi"\n{more}\ncxl = [{cxl}]\n'
    return set_up(parse_scenario(text), kernel)[0]


def wrote(of: Machine, *steps: tuple[str, str]) -> list[int]:
    return [of.apply(store_operation(path, text)).errno for path, text in steps]


def iomem(of: Machine) -> str:
    return sysfs.show(of.state, "/proc/iomem")


def test_the_window_moves_the_64_bit_pci_window() -> None:
    assert memory_layout(512 * MIB).hole64.start == 0x700000000
    layout = memory_layout(512 * MIB, cxl_window=4 * GIB)
    assert (layout.cxl.start, layout.cxl.end) == (0x6F0000000, 0x7F0000000)  # type: ignore[union-attr]
    assert layout.hole64.start == 0x800000000


@pytest.mark.parametrize(("kernel", "shown"), [("5.10", False), ("6.1", True), ("6.12", True), ("7.2", True)])
def test_kernels_that_know_windows(kernel: str, shown: bool) -> None:
    of = machine(kernel)
    assert ("6f0000000-7efffffff : CXL Window 0" in iomem(of)) == shown
    assert sysfs.exists(of.state, f"{BUS}/mem0") == shown
    assert of.faults() == []


def test_a_kernel_that_was_never_booted() -> None:
    with pytest.raises(NotModelledError, match=r"5\.15"):
        machine("5.15")


@pytest.mark.parametrize(("kernel", "taken"), [("6.1", True), ("6.12", False), ("7.2", False)])
def test_message_interrupts(kernel: str, taken: bool) -> None:
    text = '[machine]\nmemory = "512M"\ncxl = [{ size = "256M" }]\n'
    of = set_up(parse_scenario(text), kernel)[0]
    assert sysfs.exists(of.state, f"{BUS}/mem0") == taken
    assert sysfs.exists(of.state, f"{BUS}/decoder1.0")


def test_another_word_about_pci() -> None:
    with pytest.raises(NotModelledError, match="pcie_ports=compat"):
        set_up(parse_scenario('[machine]\nmemory="512M"\ncmdline="pcie_ports=compat"\ncxl=[{size="256M"}]'), "6.12")


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("{ size = '100M' }", "256 MiB"),
        ("{ size = '256M', serial = -1 }", "serial"),
        ("{ size = '256M', lsa = 1 }", "unknown key 'lsa'"),
        ("{ serial = 1 }", "with a size"),
        ("7", "with a size"),
    ],
)
def test_devices_that_are_none(entry: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        parse_scenario(f"[machine]\nmemory = '512M'\ncxl = [{entry}]\n")


def test_windows_that_are_none() -> None:
    for more, words in (
        ("cxl_window = '4G'", "goes with cxl"),
        ("cxl = [{ size = '256M' }]\ncxl_window = '100M'", "256 MiB"),
    ):
        with pytest.raises(InputError, match=words):
            parse_scenario(f"[machine]\nmemory = '512M'\n{more}\n")


@pytest.mark.parametrize(
    ("beside", "words"),
    [
        ('pmem = [{ size = "64M" }]', "NVDIMMs"),
        ('virtio_mem = [{ size = "1G" }]', "virtio-mem"),
        ("slots = 0", "no slots"),
    ],
)
def test_what_was_never_booted_beside_it_is_not_told(beside: str, words: str) -> None:
    with pytest.raises(NotModelledError, match=words):
        machine("6.1", f"hypervisor = false\n{beside}")


@pytest.mark.parametrize("kernel", ["6.1", "6.12", "7.2"])
def test_a_region_step_by_step(kernel: str) -> None:
    of = machine(kernel)
    assert wrote(of, *UP) == [0] * len(UP)
    assert "  6f0000000-6ffffffff : Persistent Memory\n    6f0000000-6ffffffff : region0\n" in iomem(of)
    assert sysfs.show(of.state, "/sys/bus/nd/devices/region0/size") == "268435456\n"
    assert sysfs.show(of.state, "/sys/bus/nd/devices/region0/target_node") == "1\n"
    assert of.faults() == []
    assert wrote(of, (f"{REGION}/driver/unbind", "region0"), (f"{REGION}/commit", "0\n")) == [0, 0]
    assert "Persistent" not in iomem(of)
    assert wrote(of, (f"{BUS}/decoder0.0/delete_region", "region0")) == [0]
    assert "region0" not in iomem(of)


def test_each_step_needs_the_one_before() -> None:
    names = []
    for missing in range(1, len(UP) - 1):
        of = machine("6.12")
        answers = wrote(of, *(step for number, step in enumerate(UP) if number != missing))
        names.append(errno_name(next(each for each in answers if each)))
    assert names == ["ENXIO", "ENXIO", "ENXIO", "ENXIO", "EINVAL", "ENXIO", "ENXIO", "ENXIO"]


def test_a_guest_commits_nothing() -> None:
    of = machine("6.12", "")
    assert wrote(of, *READY) == [0] * len(READY)
    answer = of.apply(store_operation(f"{REGION}/commit", "1\n"))
    assert answer.refusal is not None
    assert (answer.refusal.name, answer.refusal.rule) == ("ENXIO", "cxl-cache-flush")
    assert [line.text for line in answer.log] == ["cxl region0: Failed to synchronize CPU cache state"]
    older = machine("6.1", "")
    assert wrote(older, *UP) == [0] * len(UP)


def test_a_serial_number_is_needed_from_6_15_on() -> None:
    text = (
        '[machine]\nmemory = "512M"\ncmdline = "pci=nomsi"\nhypervisor = false\ncxl = [{ size = "512M", serial = 0 }]\n'
    )
    for kernel, there in (("6.12", True), ("7.2", False)):
        of = set_up(parse_scenario(text), kernel)[0]
        assert wrote(of, *UP) == [0] * len(UP)
        assert sysfs.exists(of.state, "/sys/bus/nd/devices/region0") == there
        assert sysfs.exists(of.state, f"{BUS}/pmem_region0")


@pytest.mark.parametrize("kernel", ["6.1", "6.12", "7.2"])
def test_undo_and_replay(kernel: str) -> None:
    of = machine(kernel, devices=2)
    before = of.snapshot()
    more = (
        (f"{REGION}/driver/unbind", "region0"),
        (f"{BUS}/decoder0.0/delete_region", "region0"),
        ("/sys/bus/cxl/drivers/cxl_mem/unbind", "mem1"),
        ("/sys/bus/cxl/drivers/cxl_mem/bind", "mem1"),
    )
    assert wrote(of, *UP, *more) == [0] * (len(UP) + len(more))
    assert parse_machine(format_machine(of)) == of
    for _ in (*UP, *more):
        of.undo()
    assert of.snapshot() == before


def test_bytes_stay_on_the_devices_however_they_are_interleaved() -> None:
    from sparsemem.kernel.nvdimm import media

    def region(granularity: int, *targets: str) -> tuple[tuple[str, str], ...]:
        sizes = [
            (f"{BUS}/{name}/{file}", text)
            for name in targets
            for file, text in (("mode", "pmem"), ("dpa_size", "0x10000000"))
        ]
        return (
            *READY[:1],
            (f"{REGION}/interleave_granularity", f"{granularity}"),
            (f"{REGION}/interleave_ways", f"{len(targets)}"),
            (f"{REGION}/uuid", UUID),
            (f"{REGION}/size", f"{len(targets) * 0x10000000:#x}"),
            *sizes,
            *((f"{REGION}/target{number}", name) for number, name in enumerate(targets)),
            *UP[-2:],
        )

    def gone(of: Machine) -> None:
        assert wrote(of, (f"{REGION}/driver/unbind", "region0"), (f"{BUS}/decoder0.0/delete_region", "region0")) == [
            0,
            0,
        ]

    of = machine("6.12", devices=2)
    data = bytes(range(256)) * 64
    first = region(256, "decoder2.0", "decoder3.0")
    assert wrote(of, *first) == [0] * len(first)
    media.write(of.state, "region0", 8192, data)
    gone(of)
    one = region(256, "decoder3.0")
    assert wrote(of, *one) == [0] * len(one)
    odd = b"".join(data[at : at + 256] for at in range(256, len(data), 512))
    assert media.read(of.state, "region0", 4096, len(odd)) == odd
    gone(of)
    swapped = region(256, "decoder3.0", "decoder2.0")
    assert wrote(of, *swapped) == [0] * len(swapped)
    assert media.read(of.state, "region0", 8192, 512) == data[256:512] + data[:256]
    gone(of)
    assert wrote(of, *first) == [0] * len(first)
    assert media.read(of.state, "region0", 8192, len(data)) == data


def test_a_device_that_had_a_region_does_not_come_back() -> None:
    of = machine("6.12")
    unbind, bind = ("/sys/bus/cxl/drivers/cxl_mem/unbind", "mem0"), ("/sys/bus/cxl/drivers/cxl_mem/bind", "mem0")
    assert wrote(of, unbind, bind) == [0, 0]
    assert wrote(of, *UP, unbind) == [0] * (len(UP) + 1)
    assert not sysfs.exists(of.state, "/sys/bus/nd/devices/nmem0")
    answer = of.apply(store_operation(*bind))
    assert answer.refusal is not None
    assert answer.refusal.rule == "cxl-decoder-stuck"
    assert answer.log[-1].text == "cxl_mem mem0: endpoint2 failed probe"


def test_writable_is_what_can_be_written() -> None:
    of = machine("7.2")
    assert wrote(of, *READY[:3]) == [0, 0, 0]
    files = [path for path in sysfs.paths(of.state) if "/cxl/" in path or "ACPI0017" in path]
    written = {path.rpartition("/")[2] for path in files if sysfs.writable(of.state, path) and "ndbus" not in path}
    assert written == {
        "bind", "commit", "create_pmem_region", "create_ram_region", "delete_region", "dpa_size", "interleave_granularity",
        "interleave_ways", "mode", "size", "target0", "unbind", "uuid",
    }  # fmt: skip
