"""The hypervisor's side of ``plug``, ``unplug`` and ``resize``: QEMU gives a DIMM its address, the guest takes it in or not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.kernel.cxl.core import root_of
from sparsemem.kernel.nvdimm.core import ida_get
from sparsemem.kernel.page_alloc import numa_map_to_online_node
from sparsemem.kernel.virtio_mem.table import device_of
from sparsemem.machine.memory_devices import DeviceMemory, DimmRefusedError, MemoryDevice
from sparsemem.machine.operations import Operation
from sparsemem.machine.qemu import LABEL_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.kernel.refusal import Refusal
    from sparsemem.machine.machine import Machine
    from sparsemem.machine.numa import Numa
    from sparsemem.machine.virtio_mem import VirtioMemDevice

__all__ = ["DimmBoard", "PlugError"]


class PlugError(Exception):
    """The hypervisor or the guest said no: the words that the management shell prints."""

    def __init__(self, text: str, refusal: Refusal | None = None) -> None:
        super().__init__(text)
        self.refusal = refusal


class DimmBoard:
    """The memory devices of a guest, which node its addresses belong to, and which DIMMs the guest refused. The N-th of ``virtio_mems``
    is the guest's virtioN.
    """

    def __init__(self, devices: DeviceMemory, numa: Numa, virtio_mems: Sequence[VirtioMemDevice] = ()) -> None:
        self.devices = devices
        self.numa = numa
        self.virtio_mems = tuple(virtio_mems)
        self._refused: list[MemoryDevice] = []

    def snapshot(self) -> tuple[DeviceMemory, tuple[VirtioMemDevice, ...], tuple[MemoryDevice, ...]]:
        """The board as a value, to come back to with ``restore``."""
        return self.devices, self.virtio_mems, tuple(self._refused)

    def restore(self, was: tuple[DeviceMemory, tuple[VirtioMemDevice, ...], tuple[MemoryDevice, ...]]) -> None:
        """Be as at ``snapshot()``; the machine has an undo of its own."""
        self.devices, self.virtio_mems, self._refused = was[0], was[1], list(was[2])

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

    def plug_nvdimm(
        self,
        machine: Machine,
        name: str,
        size: int,
        *,
        labels: bool = False,
        addr: int = 0,
        slot: int = -1,
        node: int = 0,
    ) -> None:
        """Plug an NVDIMM of ``size`` bytes without its label area, which is blank. Raises PlugError with QEMU's words."""
        if root_of(machine.state) is not None:
            raise NotModelledError(
                "I cannot tell how a plugged NVDIMM goes with CXL devices", why="no such machine was recorded"
            )
        label = LABEL_SIZE if labels else 0
        try:
            self.devices, device = self.devices.plug(
                name, size, addr=addr, slot=slot, node=node, nvdimm=True, label=label, backend=f"mem_{name}"
            )
        except DimmRefusedError as refusal:
            raise PlugError(refusal.what) from None
        dax, nd = machine.state.dax, machine.state.nd
        taken = [nd[each].id for each in nd.regions]
        taken += [each.id for each in dax.values() if getattr(each, "driver", "") == "hmem"]  # memregion_alloc()
        self.announce(machine, device, "blank" if labels else "", {"region": str(ida_get(taken))})

    def announce(self, machine: Machine, device: MemoryDevice, labels: str, numbers: dict[str, str]) -> None:
        """The NFIT has a new DIMM and its range: the guest's nfit driver makes them devices. ``numbers``: of nmem and region."""
        options = {"bus": "nfit", "slot": str(device.slot), **numbers}
        target, node = self.numa.pxm_to_node(device.node), -1
        if target < 0:  # the domain is unknown to the kernel: it goes by the address
            options["lookup"] = "address"
            target = self.numa.phys_to_target_node(device.range.start)
            node = self.numa.memory_add_physaddr_to_nid(device.range.start)
        node = numa_map_to_online_node(machine.state, target) if node < 0 else node
        if node or target:
            options |= {"node": str(node), "target_node": str(target)}
        if labels:
            options["labels"] = labels
        machine.apply(Operation("nd_region", (device.range,), options=tuple(sorted(options.items()))))

    def take_in(self, machine: Machine, device: MemoryDevice) -> None:
        """The guest's ACPI driver meets a DIMM: it adds the memory, or logs that it does not."""
        options = {"device": f"PNP0C80:{device.slot:02x}"}
        nid = self.numa.pxm_to_node(device.node)
        nid = self.numa.memory_add_physaddr_to_nid(device.range.start) if nid < 0 else nid
        if nid:
            options["nid"] = str(nid)
        answer = machine.apply(Operation("acpi_memory_device_add", (device.range,), options=tuple(options.items())))
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
        if any(each.name == name for each in self.virtio_mems):
            raise PlugError("Bus 'pcie.0' does not support hotplugging")
        if device in self._refused:
            self._refused.remove(device)
        else:
            answer = machine.apply(Operation("acpi_memory_device_remove", (device.range,)))
            if answer.refusal is not None:
                # _OST: 0x84 (eject in progress), then 0x82 (device in use)
                text = "ACPI_DEVICE_OST source=3 status=132\nACPI_DEVICE_OST source=3 status=130"
                raise PlugError(text, answer.refusal)
        self.devices = self.devices.unplug(name)

    def attach_virtio_mem(self, machine: Machine, parameters: Sequence[tuple[str, str]] = ()) -> None:
        """The guest's driver meets the virtio-mem devices of the command line, with these parameters of its module."""
        for index, device in enumerate(self.virtio_mems):
            options = {
                "block": str(device.block_size), "requested": str(device.requested), "usable": str(device.usable),
                "virtio": f"virtio{index}", **dict(parameters),
            }  # fmt: skip
            nid = self.numa.pxm_to_node(device.node)
            nid = self.numa.memory_add_physaddr_to_nid(device.range.start) if nid < 0 else nid
            if nid:
                options["nid"] = str(nid)
            machine.apply(Operation("virtio_mem", (device.range,), options=tuple(sorted(options.items()))))

    def resize(self, machine: Machine, name: str, size: int) -> int:
        """Request another size of a virtio-mem device: what is plugged when the guest has done what it can, in bytes.

        Raises PlugError with QEMU's words.
        """
        index = next((nr for nr, each in enumerate(self.virtio_mems) if each.name == name), None)
        if index is None:
            other = self.devices.find(name)
            if other is None:
                raise PlugError(f"Device '/machine/peripheral/{name}' not found")
            kind = "nvdimm" if other.nvdimm else "pc-dimm"
            raise PlugError(f"Property '{kind}.requested-size' not found")
        try:
            device = self.virtio_mems[index].resize(size)
        except DimmRefusedError as refusal:
            raise PlugError(refusal.what) from None
        self.virtio_mems = (*self.virtio_mems[:index], device, *self.virtio_mems[index + 1 :])
        options = (("requested", str(device.requested)), ("usable", str(device.usable)), ("virtio", f"virtio{index}"))
        machine.apply(Operation("virtio_mem_resize", options=options))
        driver = device_of(machine.state, f"virtio{index}")
        return 0 if driver is None else driver.plugged_size
