"""Random writes to labelled and label-less regions: undo is exact, the layout line replays them, and nothing breaks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.kernel.dax.types import DaxRegion, DevDax
from sparsemem.kernel.nvdimm.types import NdBtt, NdNamespace, NdPfn, NdRegion, Nvdimm, NvdimmBus
from sparsemem.machine import sysfs
from sparsemem.machine.notation import format_machine, parse_machine

from . import strategies as own

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

_KERNELS = ("5.2", "5.4", "5.10", "6.1", "6.12", "7.2")
_LAYOUT = "0-1G ram, 4G+256M pmem, 0x110000000+128M legacy, 0x140000000+256M soft; with block=128M auto_online=offline"
_REGIONS = st.sampled_from(
    [
        ["nd_region 0x100000000-0x10fffffff labels=1.2"],
        ["nd_region 0x100000000-0x107ffffff labels=1.1", "nd_region 0x108000000-0x10fffffff labels=1.2 ways=2"],
        ["nd_region 0x110000000-0x117ffffff bus=e820", "nd_region 0x100000000-0x10fffffff labels=1.1"],
        ["nd_region 0x100000000-0x10fffffff", "nd_region 0x110000000-0x117ffffff bus=virtio"],
    ]
)
_PLANS = st.tuples(st.sampled_from(_KERNELS), _REGIONS, st.lists(own.ND_STEPS, max_size=30))


@given(_PLANS)
@settings(max_examples=200, deadline=None)
def test_undo_takes_each_write_back_exactly(plan: tuple[str, list[str], list[str]]) -> None:
    version, regions, steps = plan
    machine = parse_machine(f"{version}; {_LAYOUT}")
    marks = []
    for text in (*regions, *steps):
        marks.append((machine.snapshot(), _indexes(machine)))
        machine.apply(text)
        assert [fault for fault in machine.faults() if fault.severity == "error" and fault.kind in own.ND_FAULTS] == []
    line = format_machine(machine)
    again = parse_machine(line)
    assert again == machine
    assert format_machine(again) == line
    assert set(sysfs.paths(again.state)) == set(sysfs.paths(machine.state))
    while marks:
        machine.undo()
        assert (machine.snapshot(), _indexes(machine)) == marks.pop()


def _indexes(machine: Machine) -> object:
    """The indexes of the tables, which must be those of their content."""
    nd, dax = machine.state.nd, machine.state.dax
    children = [(key, dev) for key, dev in nd.items() if isinstance(dev, (NdNamespace, NdPfn, NdBtt))]
    assert {key: region for region, keys in nd.children.items() for key in keys} == {
        key: dev.region for key, dev in children
    }
    assert nd.disks == {dev.disk: key for key, dev in children if dev.disk}
    assert {(uuid, key) for uuid, keys in nd.uuids.items() for key in keys} == {
        (d.uuid, k) for k, d in children if d.uuid
    }
    for kind, index in ((NvdimmBus, nd.buses), (NdRegion, nd.regions), (Nvdimm, nd.dimms)):
        assert set(index) == {key for key, dev in nd.items() if isinstance(dev, kind)}
    assert {k: bus for bus, keys in nd.bus_devices.items() for k in keys} == {
        key: dev.bus for key, dev in nd.items() if isinstance(dev, (NdRegion, Nvdimm))
    }
    for region in nd.regions:
        taken = {dev.id for _, dev in children if dev.region == region and isinstance(dev, NdNamespace)}
        assert nd.lowest_free_number(region, "namespace") == min(set(range(len(taken) + 1)) - taken)
    assert dax.regions == {dev.path: key for key, dev in dax.items() if isinstance(dev, DaxRegion)}
    assert dax.backed == {dev.dev: key for key, dev in dax.items() if isinstance(dev, DaxRegion)}
    assert {n: r for r, names in dax.devices.items() for n in names} == {
        key: dev.region for key, dev in dax.items() if isinstance(dev, DevDax)
    }
    return frozenset(nd), frozenset(dax)


@pytest.mark.parametrize("version", _KERNELS)
def test_every_path_is_in_its_directory_and_reads(version: str) -> None:
    regions = "nd_region 0x100000000-0x10fffffff labels=1.2; nd_region 0x110000000-0x117ffffff bus=e820"
    machine = parse_machine(f"{version}; {_LAYOUT}; {regions}; dax_region 0x140000000-0x14fffffff")
    state = machine.state
    for path in sysfs.paths(state):
        parent, _, name = path.rpartition("/")
        if not path.startswith("/dev/"):
            assert name in (sysfs.listdir(state, parent) or []), path
        assert sysfs.exists(state, path), path
        assert sysfs.realpath(state, path) == path
        try:
            sysfs.show(state, path)
        except sysfs.SysfsError as error:
            assert error.number in (5, 6, 13, 22), path  # noqa: PT017  (the errnos of files that cannot be read now)
    directories = {"/"}
    for path in sysfs.paths(state):
        while path not in directories:
            path = path.rpartition("/")[0] or "/"
            directories.add(path)
            assert sysfs.is_directory(state, path), path
            assert sysfs.exists(state, path), path
    for path in (
        "/sys/bus/nd/devices/nope",
        "/sys/bus/nd/devices/region0/nope",
        "/sys/class/nd/ndctl7",
        "/sys/block/pmem9",
    ):
        assert not sysfs.exists(state, path)
        with pytest.raises(sysfs.SysfsError) as refused:
            sysfs.show(state, path)
        assert refused.value.number == 2


def test_paths_with_links_dots_and_slashes() -> None:
    state = parse_machine(f"6.1; {_LAYOUT}; nd_region 0x100000000-0x10fffffff labels=1.2").state
    region = "/sys/devices/LNXSYSTM:00/LNXSYBUS:00/ACPI0012:00/ndbus0/region0"
    for path in (
        "/sys/bus/nd/devices/region0",
        "/sys//bus/nd/devices/../devices/region0/",
        "/sys/bus/nd/drivers/nd_region/region0/.",
        "/sys/class/nd/ndctl0/device/region0",
        f"{region}/driver/region0",
        f"{region}/subsystem/devices/nmem0/../region0",
    ):
        assert sysfs.realpath(state, path) == region, path
        assert sysfs.show(state, f"{path}/size") == "268435456\n"
        assert sysfs.listdir(state, path) == sysfs.listdir(state, region)
