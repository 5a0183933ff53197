"""Machines and operations to draw from. Each new operation is added here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import strategies as st

from sparsemem.machine.nd_operations import pack
from sparsemem.machine.notation import parse_machine
from sparsemem.machine.operations import store_operation

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

VERSIONS = ("5.1", "5.2", "5.3", "5.5", "5.8", "5.10", "5.12", "5.15", "6.1", "6.6", "6.8", "6.12", "7.2")
MIB = 1 << 20
SUB = 2 * MIB
SECTION = 128 * MIB
BASE = 4 << 30

#: RAM up to 3 GiB, a device that starts 64 MiB into a section right after RAM at 4 GiB, a hole, RAM again mid-section.
LAYOUT = (
    "1000-9fbff ram, 1M-1G ram, 4G+320M ram, 0x114000000+448M pmem, 0x130000000+64M pmem, 0x138000000+64M ram; "
    "with block=128M auto_online=offline"
)


def machine(version: str) -> Machine:
    return parse_machine(f"{version}; {LAYOUT}")


def spans(unit: int = SUB, window: int = 12) -> st.SearchStrategy[tuple[int, int]]:
    """Byte ranges around the interesting addresses: sub-section steps, sometimes one page off."""
    edges = [0x114000000, 0x118000000, 0x120000000, 0x128000000, 0x130000000, 0x134000000, 0x140000000, 0x148000000]
    start = st.builds(lambda edge, steps, off: edge + steps * unit + off, st.sampled_from(edges), st.integers(-window, window),
                      st.sampled_from([0, 0, 0, 0, 4096]))  # fmt: skip
    size = st.one_of(
        st.integers(1, 70).map(lambda n: n * unit), st.just(SECTION), st.just(2 * SECTION), st.just(unit + 4096)
    )
    return st.tuples(start, size).map(lambda pair: (pair[0], pair[0] + pair[1]))


def _ranged(name: str, *options: str) -> st.SearchStrategy[str]:
    extra = st.sampled_from(["", *options])
    return st.builds(lambda r, o: f"{name} {r[0]:#x}-{r[1] - 1:#x}{o}", spans(), extra)


def _blocks() -> st.SearchStrategy[str]:
    words = st.sampled_from(["offline", "online", "online_kernel", "online_movable"])
    return st.builds(lambda word, nr: f"{word} memory{nr}", words, st.integers(30, 42))


def _block_ranges(name: str, *options: str) -> st.SearchStrategy[str]:
    return st.builds(
        lambda nr, count, o: f"{name} {nr * SECTION:#x}-{(nr + count) * SECTION - 1:#x}{o}",
        st.integers(34, 44), st.integers(1, 3), st.sampled_from(["", *options]),
    )  # fmt: skip


def _nd_regions() -> st.SearchStrategy[str]:
    """Persistent memory of each kind, labelled or not, sometimes by two DIMMs, sometimes where something is already."""
    kinds = st.sampled_from(
        [
            "",
            " labels=1.1",
            " labels=1.2",
            " labels=blank",
            " bus=e820",
            " bus=virtio",
            " labels=1.2 ways=2",
            " labels=1.1 armed=N",
        ]
    )
    return st.builds(lambda r, o: f"nd_region {r[0]:#x}-{r[1] - 1:#x}{o}", spans(), kinds)


def _stores() -> st.SearchStrategy[str]:
    """Writes of the kind that ndctl makes, in any order."""
    uuid = "00000000-0000-4000-8000-00000000000"
    devices = st.integers(0, 1).flatmap(
        lambda r: st.sampled_from(
            [
                *((f"namespace{r}.{n}/uuid", f"{uuid}{n}") for n in (0, 1)),
                *((f"namespace{r}.{n}/size", size) for n in (0, 1) for size in ("16777216", "33554432", "0", "2097152")),
                *((f"namespace{r}.0/{name}", text) for name, text in (
                    ("alt_name", "a"), ("sector_size", "4096"), ("holder_class", "pfn"), ("force_raw", "1"))),
                *((f"{kind}{r}.0/uuid", f"{uuid}7") for kind in ("btt", "pfn", "dax")),
                *((f"{kind}{r}.0/namespace", f"namespace{r}.0") for kind in ("btt", "pfn", "dax")),
                *((f"{kind}{r}.0/mode", mode) for kind in ("pfn", "dax") for mode in ("pmem", "ram")),
                (f"btt{r}.0/sector_size", "4096"), (f"pfn{r}.0/namespace", ""), (f"region{r}/align", "2097152"),
                (f"region{r}/read_only", "1"),
            ]
        )
    )  # fmt: skip
    drivers = {
        "namespace": "nd_pmem",
        "pfn": "nd_pmem",
        "btt": "nd_pmem",
        "dax": "dax_pmem",
        "region": "nd_region",
        "nmem": "nvdimm",
    }
    binds = st.builds(
        lambda name, verb, nr: (f"../drivers/{drivers[name]}/{verb}", f"{name}{nr}" if name in ("region", "nmem") else f"{name}{nr}.0"),
        st.sampled_from(sorted(drivers)), st.sampled_from(["bind", "unbind"]), st.integers(0, 1),
    )  # fmt: skip
    return st.one_of(devices, binds).map(lambda pair: str(store_operation(f"/sys/bus/nd/devices/{pair[0]}", pair[1])))


def _others() -> st.SearchStrategy[str]:
    """What lies on a medium, dax regions, and who has a block device open."""
    data = pack(b"NVDIMM_PFN_INFO\0" + bytes(range(240)))
    return st.sampled_from(
        [
            f"nd_media at=4096 data={data} on=region0",
            f"nd_media at=0x1001000 data={data} on=region1",
            "dax_region 0x140000000-0x147ffffff driver=hmem",
            "dax_region 0x140000000-0x14fffffff driver=cxl node=0",
            "claim disk=pmem0 holder=mkfs",
            "claim disk=pmem0 holder=mount%3A/mnt",
            "release disk=pmem0",
            "store path=/sys/bus/dax/devices/dax0.0/driver/unbind text=dax0.0",
        ]
    )


ND_STEPS = st.one_of(_stores(), _stores(), _others())
ND_FAULTS = (
    "namespaces-overlap",
    "namespace-outside-region",
    "driver-lost-its-range",
    "pgmap-lookup-lost",
    "device-without-pages",
)

OPERATIONS = st.one_of(
    _nd_regions(),
    _stores(),
    _stores(),
    _others(),
    _ranged("memremap_pages", " type=generic", " type=private owner=x", " altmap=2:510"),
    _ranged("memremap_pages", " type=fs_dax"),
    _ranged("memunmap_pages"),
    _ranged("arch_add_memory"),
    _ranged("arch_remove_memory"),
    _block_ranges("add_memory"),
    _block_ranges("add_memory_driver_managed"),
    _block_ranges("remove_memory"),
    _block_ranges("offline_and_remove_memory"),
    _block_ranges("acpi_memory_device_add"),
    _block_ranges("acpi_memory_device_remove"),
    _blocks(),
)
