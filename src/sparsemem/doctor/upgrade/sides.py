"""A machine judged on the model for two kernels, in the same way for both: what differs then is the kernels' doing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparsemem.doctor.context import make_context
from sparsemem.doctor.engine import diagnose_machine, examine
from sparsemem.doctor.intervals import align_down, align_up
from sparsemem.doctor.verdict import judge
from sparsemem.errors import UsageError
from sparsemem.machine.build import build, kernel_of
from sparsemem.spec import KernelVersion

if TYPE_CHECKING:
    from sparsemem.doctor.context import Context
    from sparsemem.doctor.devices import Device
    from sparsemem.doctor.finding import Diagnosis
    from sparsemem.doctor.verdict import Verdict
    from sparsemem.machine.description import MachineDescription
    from sparsemem.machine.machine import Machine

__all__ = ["Side", "observed", "own_version", "settled", "side_of", "side_of_machine"]


@dataclass(frozen=True, slots=True)
class Side:
    """One kernel's view: the context, the diagnosis, and every device with the kernel's verdict."""

    ctx: Context
    diagnosis: Diagnosis
    verdicts: dict[tuple[str, int], tuple[Device, Verdict]]

    @property
    def name(self) -> str:
        """The kernel's version, for people."""
        return str(self.ctx.kernel.version)

    def ram_of(self, device: Device, block: int) -> int:
        """Bytes of a system-ram device that are RAM on this kernel, with memory blocks of that size."""
        if not self.ctx.kernel.features.kmem or device.dax is None:
            return 0
        return sum(max(0, align_down(r.end, block) - align_up(r.start, block)) for r in device.dax.ranges)


def own_version(description: MachineDescription) -> str:
    """The kernel that the machine runs, as text. Raises UsageError where it does not tell."""
    if description.kernel_release is None:
        raise UsageError(
            f"{description.source} does not tell which kernel it runs", remedy="name it: --kernel A --upgrade-to B"
        )
    return description.kernel_release


def observed(description: MachineDescription, version: str) -> bool:
    """Is that the very kernel the machine ran when it was read, so that what it shows is evidence?"""
    if description.kernel_release is None:
        return False
    try:
        return KernelVersion.parse(version) == KernelVersion.parse(description.kernel_release)
    except UsageError:
        return False


def settled(description: MachineDescription) -> tuple[MachineDescription, tuple[str, ...]]:
    """The description, with what its memory block size tells of being a virtual machine; and what the size leaves open.

    Another kernel's block size follows from its own rule. That can be said only where the rule of the machine's own kernel gives the
    size that was read.
    """
    if description.block_size is None or description.kernel_release is None:
        return description, ()
    own = kernel_of(description)[0]
    if own.arch in ("ppc64", "s390x"):
        return description, ()
    guesses = (True, False) if description.hypervisor is None else (description.hypervisor,)
    sizes = {}
    for guess in guesses:
        machine = build(replace(description, hypervisor=guess), str(own.version)).machine
        sizes[guess] = machine.state.misc["memory_block_size_bytes"]
    fitting = [guess for guess in guesses if sizes[guess] == description.block_size]
    if not fitting:
        return description, (
            f"the size of memory blocks: it is {description.block_size:#x} here, where the rule of {own.version} gives "
            f"{sizes[guesses[0]]:#x}, so the command line or the platform set it",
        )
    return (replace(description, hypervisor=fitting[0]) if len(fitting) == 1 else description), ()


def _side(ctx: Context, diagnosis: Diagnosis) -> Side:
    return Side(ctx, diagnosis, {(d.name, d.range.start): (d, judge(ctx, d)) for d in ctx.devices})


def side_of(description: MachineDescription, version: str) -> Side:
    """That machine under that kernel. Raises UsageError for an unknown version, InputError where memory is not described."""
    return _side(*examine(description, version))


def side_of_machine(machine: Machine) -> Side:
    """The machine of a layout line."""
    return _side(make_context(machine, None, True, ()), diagnose_machine(machine))
