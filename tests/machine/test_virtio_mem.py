"""QEMU's virtio-mem device in the model: its address, what is refused, and how much the guest may use."""

from __future__ import annotations

import pytest

from sparsemem.machine.memory_devices import DeviceMemory, DimmRefusedError
from sparsemem.machine.virtio_mem import VirtioMemDevice, VirtioMemSpec, plug_virtio_mem
from sparsemem.ranges import Range

MIB, GIB = 1 << 20, 1 << 30
BASE = 4 * GIB


def window(capacity: int = 8 * GIB, slots: int = 1) -> DeviceMemory:
    return DeviceMemory(Range(BASE, BASE + capacity + slots * GIB), capacity, slots)


def plug(spec: VirtioMemSpec, devices: DeviceMemory | None = None) -> VirtioMemDevice:
    return plug_virtio_mem(devices or window(), "vm0", spec)[1]


def test_it_comes_after_what_is_there_and_takes_no_slot() -> None:
    devices, _ = window().plug("nvdimm0", 66 * MIB, nvdimm=True)
    devices, device = plug_virtio_mem(devices, "vm0", VirtioMemSpec(GIB))
    assert device.range == Range(BASE + 66 * MIB, BASE + 66 * MIB + GIB)
    with pytest.raises(DimmRefusedError, match="no free slots"):
        devices.plug("d0", 128 * MIB)


def test_a_large_block_size_is_its_alignment() -> None:
    devices, _ = window().plug("nvdimm0", 66 * MIB, nvdimm=True)
    assert plug(VirtioMemSpec(GIB, block_size=256 * MIB), devices).range.start == BASE + 256 * MIB


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (VirtioMemSpec(GIB, block_size=512 << 10), "'block-size' property has to be at least 0x100000"),
        (VirtioMemSpec(129 * MIB, block_size=3 * MIB), "'block-size' property has to be a power of two"),
        (
            VirtioMemSpec(9 * GIB),
            "not enough space, currently 0x0 in use of total space for memory devices 0x200000000",
        ),
        (VirtioMemSpec(129 * MIB, 3 * MIB, node=1), "backend memory size must be multiple of 0x200000"),
        (
            VirtioMemSpec(GIB, 3 * MIB, node=1),
            "'node' property has value '1', which exceedsthe number of numa nodes: 1",
        ),
        (VirtioMemSpec(GIB, 3 * MIB), "'requested-size' property has to be multiples of 'block-size' (0x200000)"),
    ],
)
def test_the_first_thing_that_is_wrong_is_said(spec: VirtioMemSpec, words: str) -> None:
    with pytest.raises(DimmRefusedError) as refused:
        plug(spec)
    assert refused.value.what == words


def test_without_maxmem_there_is_no_room() -> None:
    with pytest.raises(DimmRefusedError, match="please specify the maxmem option"):
        plug(VirtioMemSpec(GIB), DeviceMemory(Range(BASE, BASE), 0, 0))


def test_the_usable_region_is_a_little_more_and_only_grows() -> None:
    device = plug(VirtioMemSpec(2 * GIB))
    assert device.usable == 0
    device = device.resize(128 * MIB)
    assert device.usable == 384 * MIB
    assert device.resize(0).usable == 384 * MIB
    assert device.resize(2 * GIB).usable == 2 * GIB


def test_a_resize_that_qemu_refuses() -> None:
    device = plug(VirtioMemSpec(GIB, block_size=4 * MIB))
    with pytest.raises(DimmRefusedError, match=r"has to be multiples of 'block-size' \(0x400000\)"):
        device.resize(2 * MIB)
    with pytest.raises(DimmRefusedError, match=r"cannot exceed the memory backend size\(0x40000000\)"):
        device.resize(2 * GIB)
    assert plug(VirtioMemSpec(256 * MIB, 512 * MIB)).usable == 256 * MIB  # on the command line nobody looks
