"""drivers/dax/bus.c: random carving of a region, and the attributes' answers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.kernel.dax import bus
from sparsemem.kernel.dax.pmem import dax_pmem_probe, dax_pmem_remove
from sparsemem.machine import sysfs_dax
from sparsemem.machine.kernfs import readdir_order
from sparsemem.machine.notation import parse_machine
from sparsemem.machine.sysfs_error import SysfsError
from tests.dax.local_tree import GIB, LocalTree, soft_reserved

MIB = 1 << 20
REGION = "/sys/devices/platform/hmem.0"


def errno_of(tree: LocalTree, path: str, text: str) -> int:
    try:
        tree.write(path, text)
    except SysfsError as refused:
        return refused.number
    return 0


def test_the_attributes_answer_with_the_kernels_errno() -> None:
    tree = LocalTree(soft_reserved("6.1", 5 * GIB, GIB))
    dev = "/sys/bus/dax/devices/dax0.0"
    for path, text, number in (
        (f"{dev}/size", "1048577", 22),
        (f"{dev}/size", "2097152", 16),
        (f"{dev}/align", "x", 6),
        (f"{dev}/align", "8192", 22),
        (f"{dev}/align", "4096", 16),
        (f"{REGION}/dax_region/create", "2", 22),
        (f"{REGION}/dax_region/create", "1", 28),
        (f"{REGION}/dax_region/delete", "dax0.7", 6),
        (f"{REGION}/dax_region/delete", "dax0.0", 16),
        (f"{REGION}/dax_region/size", "1", 13),
        ("/sys/bus/dax/drivers/kmem/unbind", "dax0.0", 19),
        ("/sys/bus/dax/drivers/kmem/bind", "dax0.0", 19),
        ("/sys/bus/dax/drivers/device_dax/bind", "dax0.0", 16),
        ("/sys/bus/dax/drivers/device_dax/new_id", "dax0", 22),
        (f"{dev}/driver/unbind", "dax0.0", 0),
        (f"{dev}/size", "0", 0),
        ("/sys/bus/dax/drivers/device_dax/bind", "dax0.0", 6),
        (f"{dev}/mapping", "140000000-14000ffff", 0),
        (f"{dev}/size", f"{2 * GIB}", 28),
    ):
        assert errno_of(tree, path, text) == number, (path, text)
    assert tree.read(f"{dev}/size") == "0\n"  # a misaligned mapping is taken without a word and without a range
    assert errno_of(tree, f"{dev}/mapping", "140000000-1401fffff") == 0
    assert errno_of(tree, f"{dev}/mapping", "140000000-1401fffff") == 12
    assert tree.read(f"{dev}/mapping0/end") == "0x1401fffff\n"


STEP = st.tuples(st.integers(0, 3), st.integers(0, 40))


@settings(max_examples=150, deadline=None)
@given(st.lists(STEP, max_size=20))
def test_ranges_never_overlap_and_space_is_conserved(steps: list[tuple[int, int]]) -> None:
    state = soft_reserved("6.1", 5 * GIB, 64 * MIB, region_idle=True)
    tree, key = LocalTree(state), "dax_region0"
    for kind, number in steps:
        names = [dev.name for dev in bus.devices_of(state, key)]
        name = names[number % len(names)]
        if kind == 0:
            errno_of(tree, f"{REGION}/dax_region/create", "1")
        elif kind == 1:
            errno_of(tree, f"{REGION}/dax_region/delete", name)
        else:
            errno_of(tree, f"{REGION}/{name}/size", str(number * 2 * MIB))
        ranges = sorted((r.start, r.end) for dev in bus.devices_of(state, key) for r in dev.ranges)
        assert all(a[1] < b[0] for a, b in itertools.pairwise(ranges))
        assert all(a >= 5 * GIB and b < 5 * GIB + 64 * MIB for a, b in ranges)
        assert bus.dax_region_avail_size(state, key) == 64 * MIB - sum(b - a + 1 for a, b in ranges)
        for dev in bus.devices_of(state, key):
            assert [r.pgoff for r in dev.ranges] == [
                sum(p.size for p in dev.ranges[:i]) >> 12 for i in range(len(dev.ranges))
            ]


def test_every_path_reads_or_says_why() -> None:
    for version in ("5.6", "5.10", "6.12"):
        state = soft_reserved(version, 5 * GIB, GIB)
        for path in sysfs_dax.paths(state):
            if "/power/" in path:
                continue
            assert sysfs_dax.handles(path)
            if path.rpartition("/")[2] in (
                "bind",
                "unbind",
                "new_id",
                "remove_id",
                "delete",
                "mapping",
            ) or "s/uevent" in (path.replace("/device_dax", "s").replace("/kmem", "s")):
                with pytest.raises(SysfsError) as refused:
                    sysfs_dax.show(state, path)
                assert refused.value.number == 13
                assert sysfs_dax.writable(path)
            else:
                assert sysfs_dax.show(state, path).endswith("\n") or path.endswith("mapping0/uevent")


def test_a_devdax_namespace_comes_and_goes() -> None:
    """The data of a 1 GiB namespace with 18 MiB of metadata; unloading leaves the iomem tree as it was."""
    state = parse_machine("6.1; 0-1G ram; with block=128M").state
    before, start = state.iomem, 4 * GIB
    span = (start, start + GIB - 1)
    name = dax_pmem_probe(
        state, "dax0.0", "namespace0.3", span, span, 18 * MIB, 2 * MIB, None, 0, path="/sys/devices/platform/nd/dax0.0"
    )
    dev = bus.dev_dax_of(state, name)
    assert (name, dev.size, dev.driver) == ("dax0.3", 1006 * MIB, "device_dax")
    with pytest.raises(SysfsError) as refused:
        sysfs_dax.store(state, f"/sys/bus/dax/devices/{name}/size", "0")
    assert refused.value.number == 13
    dax_pmem_remove(state, "dax0.0", start, 18 * MIB)
    assert (state.iomem, state.dax, state.pgmaps) == (before, {}, {})


def test_the_order_of_readdir() -> None:
    """As a real kernel listed its /sys/bus and two of its memory blocks' names (os.listdir, unsorted)."""
    assert readdir_order(["cpu", "pci", "nd", "platform"]) == ["nd", "platform", "pci", "cpu"]
    names = ["memory32", "memory60", "memory99", "memory121", "memory188"]
    assert readdir_order(names) == ["memory188", "memory99", "memory121", "memory32", "memory60"]
