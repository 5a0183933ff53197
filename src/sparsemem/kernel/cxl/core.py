"""The devices of the cxl bus as values, and how they are found: ``struct cxl_memdev``, ``cxl_decoder``, ``cxl_region``, the root decoder.

Addresses and sizes in bytes. They are kept in ``state.misc`` under "cxl:" and their names. There is one host bridge (``port1``) with one
decoder below the root's one (``decoder0.0``), and each memory device has one: that is what QEMU's devices have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "CONFIG_ACTIVE",
    "CONFIG_COMMIT",
    "CONFIG_IDLE",
    "CONFIG_INTERLEAVE_ACTIVE",
    "CONFIG_RESET_PENDING",
    "PORT_DECODER",
    "ROOT_DECODER",
    "SZ_256M",
    "CxlDecoder",
    "CxlMemdev",
    "CxlRegion",
    "CxlRoot",
    "decoder_of",
    "decoders",
    "drop",
    "endpoint_decoder",
    "memdev_of",
    "memdevs",
    "put",
    "region_of",
    "regions",
    "root_of",
]

SZ_256M = 256 << 20
ROOT_DECODER, PORT_DECODER = "decoder0.0", "decoder1.0"
CONFIG_IDLE, CONFIG_INTERLEAVE_ACTIVE, CONFIG_ACTIVE, CONFIG_RESET_PENDING, CONFIG_COMMIT = range(5)
"""``enum cxl_config_state``."""
_ROOT = "cxl:root0"
_PREFIX = "cxl:"


class CxlRoot(NamedTuple):
    """What ACPI's CEDT describes, with the root decoder of its window.

    ``dports`` of the host bridge, and the ``devices`` behind the first of them, of which ``memdevs`` have a driver. ``next_id``: the
    number that the next region gets; ``taken``: numbers of regions that are not CXL's. ``flushes``: the CPU can write its caches
    back for a range (a hypervisor's guest cannot). ``interrupts``: the kernel takes message interrupts.
    """

    start: int
    size: int
    memdevs: tuple[str, ...]
    regions: tuple[str, ...] = ()
    next_id: int = 0
    taken: frozenset[int] = frozenset()
    dports: int = 1
    devices: int = 1
    flushes: bool = True
    interrupts: bool = True
    name: str = "root0"

    @property
    def end(self) -> int:
        return self.start + self.size - 1


class CxlMemdev(NamedTuple):
    """A memory device of persistent capacity only. ``port``: the number of its root port; ``endpoint`` 0: it has no endpoint port.

    ``stuck``: its decoder was committed once, which QEMU's device goes on to say when it is reset.
    """

    name: str
    id: int
    port: int
    size: int
    serial: int
    lsa_size: int
    bound: bool = False
    endpoint: int = 0
    nvdimm: str = ""
    stuck: bool = False

    @property
    def root_port(self) -> str:
        """The PCI device above it."""
        return f"0000:0c:{self.port:02x}.0"

    @property
    def host(self) -> str:
        """Its PCI device."""
        return f"0000:{13 + self.port:02x}:00.0"


class CxlDecoder(NamedTuple):
    """A decoder of the host bridge, or (``memdev``) of an endpoint. ``size`` 0: none. ``dpa``: what of the device is given to it."""

    name: str
    start: int = 0
    size: int = 0
    ways: int = 1
    granularity: int = 256
    region: str = ""
    targets: tuple[int, ...] = ()
    enabled: bool = False
    memdev: str = ""
    mode: str = "none"
    dpa: int = 0
    position: int = -1


class CxlRegion(NamedTuple):
    """``struct cxl_region`` with its parameters; ``size`` 0: no addresses yet. ``targets``: endpoint decoders by position, "" for none.

    ``pmem``: its ``pmem_regionN`` is there; ``nd_region``: the name of the libnvdimm region made of it, of what is on ``members``.
    """

    name: str
    id: int
    uuid: str = "00000000-0000-0000-0000-000000000000"
    ways: int = 0
    granularity: int = 0
    start: int = 0
    size: int = 0
    targets: tuple[str, ...] = ()
    state: int = CONFIG_IDLE
    bound: bool = False
    pmem: bool = False
    nd_region: str = ""
    members: tuple[str, ...] = ()

    @property
    def nr_targets(self) -> int:
        return sum(bool(each) for each in self.targets)


def put(state: State, dev: CxlRoot | CxlMemdev | CxlDecoder | CxlRegion) -> None:
    """Write a device back, journaled."""
    state.put(state.misc, _PREFIX + dev.name, dev)


def drop(state: State, name: str) -> None:
    """A device is gone."""
    state.drop(state.misc, _PREFIX + name)


def root_of(state: State) -> CxlRoot | None:
    """The root, None on a machine without CXL."""
    found: CxlRoot | None = state.misc.get(_ROOT)
    return found


def memdev_of(state: State, name: str) -> CxlMemdev:
    """The memory device of this name."""
    found = state.misc[_PREFIX + name]
    assert isinstance(found, CxlMemdev)
    return found


def memdevs(state: State) -> list[CxlMemdev]:
    """All memory devices."""
    root = root_of(state)
    return [] if root is None else [memdev_of(state, name) for name in root.memdevs]


def decoder_of(state: State, name: str) -> CxlDecoder:
    """The decoder of this name, not the root's."""
    found = state.misc[_PREFIX + name]
    assert isinstance(found, CxlDecoder)
    return found


def endpoint_decoder(memdev: CxlMemdev) -> str:
    """The name of a memory device's decoder; "" while it has no endpoint port."""
    return f"decoder{memdev.endpoint}.0" if memdev.endpoint else ""


def decoders(state: State) -> list[CxlDecoder]:
    """The host bridge's decoder and those of the endpoints."""
    if root_of(state) is None:
        return []
    names = [PORT_DECODER, *(endpoint_decoder(each) for each in memdevs(state) if each.endpoint)]
    return [decoder_of(state, name) for name in names]


def region_of(state: State, name: str) -> CxlRegion:
    """The region of this name. Raises Refusal(ENODEV)."""
    found = state.misc.get(_PREFIX + name)
    if not isinstance(found, CxlRegion):
        raise Refusal(19, "cxl_find_region_by_name", "cxl-unknown")
    return found


def regions(state: State) -> list[CxlRegion]:
    """All regions, in the order they were made."""
    root = root_of(state)
    return [] if root is None else [region_of(state, name) for name in root.regions]
