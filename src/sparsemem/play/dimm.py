"""The hypervisor's side of ``plug`` and ``unplug``: QEMU gives a DIMM its address, the guest's ACPI driver takes it in or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.machine.memory_devices import DeviceMemory, DimmRefusedError, MemoryDevice
from sparsemem.machine.operations import Operation

if TYPE_CHECKING:
    from sparsemem.kernel.refusal import Refusal
    from sparsemem.machine.machine import Machine

__all__ = ["DimmBoard", "PlugError"]


class PlugError(Exception):
    """The hypervisor or the guest said no: the words that the management shell prints."""

    def __init__(self, text: str, refusal: Refusal | None = None) -> None:
        super().__init__(text)
        self.refusal = refusal


class DimmBoard:
    """The memory devices of a guest, and which DIMMs the guest refused."""

    def __init__(self, devices: DeviceMemory) -> None:
        self.devices = devices
        self._refused: list[MemoryDevice] = []

    def snapshot(self) -> tuple[DeviceMemory, tuple[MemoryDevice, ...]]:
        """The board as a value, to come back to with ``restore``."""
        return self.devices, tuple(self._refused)

    def restore(self, was: tuple[DeviceMemory, tuple[MemoryDevice, ...]]) -> None:
        """Be as at ``snapshot()``; the machine has an undo of its own."""
        self.devices, self._refused = was[0], list(was[1])

    def plug(self, machine: Machine, name: str, size: int, *, addr: int = 0, slot: int = -1, node: int = 0) -> None:
        """Plug a DIMM. A guest that refuses it only says so in its log: the DIMM is in its slot all the same.

        Raises PlugError with QEMU's words.
        """
        try:
            self.devices, device = self.devices.plug(name, size, addr=addr, slot=slot, node=node)
        except DimmRefusedError as refusal:
            raise PlugError(refusal.what) from None
        waiting = [*self._refused, device] if machine.kernel.features.acpi_rescan_retries else [device]
        for each in sorted(waiting, key=lambda d: d.slot):  # the parent's children, as the namespace lists them
            self.take_in(machine, each)

    def take_in(self, machine: Machine, device: MemoryDevice) -> None:
        """The guest's ACPI driver meets a DIMM: it adds the memory, or logs that it does not."""
        options = (("device", f"PNP0C80:{device.slot:02x}"),)
        answer = machine.apply(Operation("acpi_memory_device_add", (device.range,), options=options))
        if answer.refusal is not None and device not in self._refused:
            self._refused.append(device)
        elif answer.refusal is None and device in self._refused:
            self._refused.remove(device)

    def pass_over(self, device: MemoryDevice) -> None:
        """A DIMM of the command line that ``mem=`` kept out while the guest booted."""
        self._refused.append(device)

    def unplug(self, machine: Machine, name: str) -> None:
        """Ask the guest for a DIMM back. Raises PlugError when there is none, or the guest keeps it."""
        device = self.devices.find(name)
        if device is None:
            raise PlugError(f"Device '{name}' not found")
        if device.nvdimm:
            raise PlugError("nvdimm device hot unplug is not supported yet.")
        if device in self._refused:
            self._refused.remove(device)
        else:
            answer = machine.apply(Operation("acpi_memory_device_remove", (device.range,)))
            if answer.refusal is not None:
                # _OST: 0x84 (eject in progress), then 0x82 (device in use)
                text = "ACPI_DEVICE_OST source=3 status=132\nACPI_DEVICE_OST source=3 status=130"
                raise PlugError(text, answer.refusal)
        self.devices = self.devices.unplug(name)
