"""What a check may look at: the machine on the model, the description it came from, and its device memory."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparsemem.doctor.devices import Device, find_devices
from sparsemem.doctor.intervals import Intervals
from sparsemem.machine.layout import layout_block_size
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from sparsemem.kernel.state import State
    from sparsemem.machine.description import MachineDescription
    from sparsemem.machine.machine import Answer, Machine
    from sparsemem.spec import Kernel

__all__ = ["Context", "make_context"]


@dataclass(frozen=True, slots=True)
class Context:
    """``own_kernel``: judged for the kernel that the machine runs, so that its state is evidence. ``answers``: what was mapped or
    done on the model, by device or step. ``ram``: boot RAM, ``mapped``: live device mappings, ``regions``: libnvdimm regions, all
    bytes. ``block_size_sure``: the memory block size was read, or follows from what is known. ``description`` is None for a layout
    line. ``captured``: it was read from a real machine; False for one of the model. ``states``: the states of its memory blocks are this
    kernel's, as they are where the machine tells no kernel at all."""

    machine: Machine
    description: MachineDescription | None
    own_kernel: bool
    answers: tuple[tuple[str, Answer], ...]
    ram: Intervals
    mapped: Intervals
    regions: Intervals
    devices: tuple[Device, ...]
    block_size: int
    block_size_sure: bool
    captured: bool = True
    states: bool = True

    @property
    def kernel(self) -> Kernel:
        return self.machine.kernel

    @property
    def state(self) -> State:
        return self.machine.state

    @property
    def section(self) -> int:
        """Bytes of a section."""
        return self.kernel.geometry.SECTION_SIZE

    @property
    def source(self) -> str:
        return self.description.source if self.description is not None else "layout line"


def _block_size_sure(machine: Machine, description: MachineDescription | None, own_kernel: bool) -> bool:
    k = machine.kernel
    if description is None or machine.layout.block_size is not None:
        return True
    if k.arch in ("ppc64", "s390x") or (k.arch == "x86_64" and not description.tells_ram):
        return False
    if k.arch != "x86_64":
        return True
    if description.hypervisor is not None:
        return True
    return len({layout_block_size(k, replace(machine.layout, hypervisor=each)) for each in (True, False)}) == 1


def make_context(
    machine: Machine,
    description: MachineDescription | None,
    own_kernel: bool,
    answers: tuple[tuple[str, Answer], ...],
    *,
    captured: bool = True,
    states: bool = True,
) -> Context:
    """Gather what the checks share."""
    shift = machine.kernel.geometry.PAGE_SHIFT
    live = (Range(start << shift, end << shift) for ranges in machine.state.pgmaps for start, end in ranges)
    regions = (fact.range for fact in description.regions if fact.range is not None) if description is not None else ()
    return Context(
        machine=machine,
        description=description,
        own_kernel=own_kernel,
        answers=answers,
        ram=Intervals(Range(start, end) for start, end, _ in machine.layout.ram),
        mapped=Intervals(live),
        regions=Intervals(regions),
        devices=find_devices(machine, description, dict(answers)),
        block_size=machine.state.misc["memory_block_size_bytes"],
        block_size_sure=_block_size_sure(machine, description, own_kernel),
        captured=captured,
        states=states,
    )
