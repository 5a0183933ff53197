"""The hypervisor's side of ``plug`` and ``unplug``: QEMU gives a DIMM its address, the guest's ACPI driver takes it in or not."""

from __future__ import annotations

from sparsemem.kernel.refusal import Refusal
from sparsemem.machine.machine import Machine
from sparsemem.machine.operations import Operation
from sparsemem.machine.lead_q35 import DimmRefusedError, Q35, Slot

__all__ = ["DimmBoard", "PlugError"]


class PlugError(Exception):
    """The hypervisor or the guest said no: the words that the management shell prints."""

    def __init__(self, text: str, refusal: Refusal | None = None) -> None:
        super().__init__(text)
        self.refusal = refusal


class DimmBoard:
    """The slots of a guest, and which DIMMs the guest refused."""

    def __init__(self, board: Q35) -> None:
        self.board = board
        self._refused: list[Slot] = []

    def plug(self, machine: Machine, name: str, size: int) -> Refusal | None:
        """Plug a DIMM. A guest that refuses it only says so in its log: the DIMM is in its slot all the same."""
        try:
            slot = self.board.plug(name, size)
        except DimmRefusedError as error:
            raise PlugError(str(error)) from None
        waiting = [*self._refused, slot] if machine.kernel.features.acpi_rescan_retries else [slot]
        for each in waiting:
            self.take_in(machine, each)
        return None

    def take_in(self, machine: Machine, slot: Slot) -> None:
        """The guest's ACPI driver meets a DIMM: it adds the memory, or logs that it does not."""
        options = (("device", f"PNP0C80:{slot.number:02x}"),)
        answer = machine.apply(Operation("acpi_memory_device_add", (slot.range,), options=options))
        if answer.refusal is not None and slot not in self._refused:
            self._refused.append(slot)
        elif answer.refusal is None and slot in self._refused:
            self._refused.remove(slot)

    def unplug(self, machine: Machine, name: str) -> Refusal | None:
        """Ask the guest for a DIMM back. Raises PlugError when there is none, or the guest keeps it."""
        slot = next((device for device in self.board.devices if device.name == name), None)
        if slot is None:
            raise PlugError(f"Device '{name}' not found")
        if slot not in self._refused:
            answer = machine.apply(Operation("acpi_memory_device_remove", (slot.range,)))
            if answer.refusal is not None:
                # _OST: 0x84 (eject in progress), then 0x82 (device in use)
                text = "ACPI_DEVICE_OST source=3 status=132\nACPI_DEVICE_OST source=3 status=130"
                raise PlugError(text, answer.refusal)
        else:
            self._refused.remove(slot)
        self.board.unplug(name)
        return None
