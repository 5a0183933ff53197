"""CXL on QEMU's q35 board: one host bridge (``pxb-cxl``, bus 0c) with root ports, a persistent ``cxl-type3`` device below each of the
first, and one window of addresses for all of them. Measured on QEMU 7.2.22; bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import NotModelledError
from sparsemem.kernel.cxl.mem import Device
from sparsemem.kernel.ioport import IORESOURCE_MEM, Resource
from sparsemem.kernel.resource import insert_resource
from sparsemem.machine.cxl_operations import devices_text
from sparsemem.machine.operations import Operation
from sparsemem.ranges import Range
from sparsemem.units import GIB, KIB, MIB

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sparsemem.spec import Kernel

__all__ = [
    "DEFAULT_WINDOW",
    "LABEL_AREA",
    "MOST_DEVICES",
    "CxlDevice",
    "boot_operations",
    "root_ports",
    "window_after",
    "with_window",
]

DEFAULT_WINDOW = 4 * GIB
LABEL_AREA = 256 * KIB
MOST_DEVICES = 8
_REGISTERS = MIB
_ALIGNMENT = 256 * MIB


class CxlDevice(NamedTuple):
    """A memory device: bytes, and its serial number (0: none)."""

    size: int
    serial: int


def root_ports(devices: int) -> int:
    """Root ports of the host bridge: always two at least, because a bridge of one gets a decoder that passes everything through, and QEMU
    7.2's then finds no device (kernel 6.1: what is written is lost)."""
    return max(devices, 2)


def window_after(end: int, size: int) -> Range:
    """The window: behind the registers of host bridges, which lie where RAM and the room for memory devices end."""
    start = -(-(end + _REGISTERS) // _ALIGNMENT) * _ALIGNMENT
    return Range(start, start + size)


def with_window(root: Resource, window: Range) -> Resource:
    """The iomem tree with the entry that cxl_acpi makes."""
    return insert_resource(root, Resource(window.start, window.end - 1, "CXL Window 0", IORESOURCE_MEM))


def boot_operations(
    kernel: Kernel,
    window: Range,
    devices: Sequence[CxlDevice],
    cmdline: str,
    *,
    hypervisor: bool,
    taken: Collection[int],
) -> list[Operation]:
    """What the drivers find at boot. ``taken``: numbers of regions that libnvdimm and device-dax have. Raises NotModelledError."""
    f = kernel.features
    if not f.cxl_drivers:
        return []
    if not f.cxl_regions:
        raise NotModelledError(
            f"I cannot tell what {kernel.version} makes of a CXL device", where="[machine] cxl",
            why="its drivers make no regions yet, and no such kernel was booted", remedy="take 5.11 or older, or 6.0 or newer",
        )  # fmt: skip
    options = {
        "devices": devices_text([Device(each.size, each.serial, LABEL_AREA) for each in devices]),
        "dports": str(root_ports(len(devices))),
        "flushes": "N" if hypervisor else "Y",
        "msi": "Y" if _message_interrupts(cmdline) else "N",
    }
    if taken:
        options["taken"] = ",".join(str(each) for each in sorted(taken))
    return [Operation("cxl_acpi_probe", (window,), options=tuple(sorted(options.items())))]


def _message_interrupts(cmdline: str) -> bool:
    """Without pci=nomsi; what else decides who handles a device's events is not told apart."""
    words = [word for word in cmdline.split() if word.startswith(("pci=", "pcie_ports=", "acpi="))]
    if any(word != "pci=nomsi" for word in words):
        raise NotModelledError(
            f"I cannot tell what {words[0]} does to a CXL device",
            where="[machine] cmdline",
            remedy="pci=nomsi is known",
        )
    return not words
