"""From a description of a real machine to a machine that can be asked questions.

The iomem tree becomes the boot layout, without what drivers hot-plugged; namespaces, dax devices and kmem memory are then mapped on
the model by the kernel's own functions, so that another kernel (``--kernel``) answers for itself.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, replace

from sparsemem.errors import InputError, UsageError
from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import iomem_resource
from sparsemem.machine.build_cxl import cxl_devices
from sparsemem.machine.build_layout import align_up, boot_layout, dax_ram, driver_ram, is_driver_ram
from sparsemem.machine.build_nd import nd_operations, placed, without_claims
from sparsemem.machine.description import DaxFact, MachineDescription, NamespaceFact, Note
from sparsemem.machine.layout import BootLayout, layout_block_size
from sparsemem.machine.machine import Answer, Machine
from sparsemem.machine.operations import Operation
from sparsemem.ranges import Range
from sparsemem.spec import Kernel, kernel

__all__ = ["DEFAULT_KERNEL", "Built", "build", "kernel_of"]

DEFAULT_KERNEL = "6.12"
"""What a machine is judged for that does not tell its kernel: said in a note."""


@dataclass(frozen=True, slots=True)
class Built:
    """The machine, how each device mapping fared on it, and what had to be assumed."""

    machine: Machine
    mappings: tuple[tuple[str, Answer], ...]
    notes: tuple[Note, ...]
    own: bool = True
    """The kernel is the machine's own, as far as it tells: the size and the states of its memory blocks are as read."""

    @property
    def refused(self) -> list[tuple[str, Answer]]:
        """The mappings that this kernel refuses: (device, answer)."""
        return [(name, answer) for name, answer in self.mappings if answer.refusal is not None]


def kernel_of(description: MachineDescription, version: str | None = None) -> tuple[Kernel, list[Note]]:
    """The kernel to judge for: ``version`` or the machine's own. Raises UsageError for a version that does not exist."""
    notes: list[Note] = []
    text = description.kernel_release if version is None else version
    if text is None:
        text = DEFAULT_KERNEL
        notes.append(
            Note(description.source, "", f"it does not tell its kernel; judged for {text} (choose with --kernel)")
        )
    arch = description.arch
    if arch is None:
        arch = "x86_64"
        notes.append(Note(description.source, "", "it does not tell its architecture; taken for x86_64"))
    try:
        k = kernel(
            text, arch, description.page_size, description.levels if arch == "x86_64" and description.levels else 4
        )
    except UsageError:
        if version is not None:
            raise
        k = kernel(DEFAULT_KERNEL, arch, description.page_size)
        notes.append(
            Note(description.source, "", f"its kernel release {text!r} is not understood; judged for {DEFAULT_KERNEL}")
        )
    if k.version.caveat:
        notes.append(Note(description.source, "kernel", k.version.caveat))
    return k, notes


def _altmap(k: Kernel, whole: Range, namespace: NamespaceFact) -> str:
    """``RESERVE:FREE`` pages of a map=dev namespace: the info block's pages, then the memmap up to the data."""
    g = k.geometry
    reserve = align_up(8192, g.PAGE_SIZE) >> g.PAGE_SHIFT
    if namespace.data is not None and namespace.data.start > whole.start:
        offset = namespace.data.start - whole.start
    else:
        align = max(namespace.align or g.PMD_SIZE, g.SUBSECTION_SIZE)
        pages = (whole.size - 8192) >> g.PAGE_SHIFT
        offset = align_up(whole.start + 8192 + 64 * pages, align) - whole.start
    return f"{reserve}:{(offset >> g.PAGE_SHIFT) - reserve}"


def _padded(k: Kernel, fact: NamespaceFact, description: MachineDescription) -> Range:
    """Up to v5.2 libnvdimm pads a namespace away from the sections that it shares with RAM or with another region."""
    assert fact.range is not None
    start, end = fact.range
    section = k.geometry.SECTION_SIZE
    others = [r.range for r in description.regions if r.range is not None and not r.range.overlaps(fact.range)]
    others += [n.range for n in description.namespaces if n.range is not None and n.region != fact.region]
    if description.iomem is not None:
        others += [Range(r.start, r.end + 1) for r in description.iomem.children if r.name == "System RAM"]
    head, tail = Range(start // section * section, start), Range(end, align_up(end, section))
    if any(head.overlaps(other) for other in others):
        start = align_up(start, section)
    if any(tail.overlaps(other) for other in others):
        end = end // section * section
    if fact.data is not None and start < fact.data.end <= fact.range.end:
        end = fact.data.end  # what the machine says, instead of what it should have done
    return Range(start, end) if start < end else fact.range


def _namespace_operation(
    k: Kernel, fact: NamespaceFact, daxes: dict[str, DaxFact], description: MachineDescription, own_pads: bool
) -> Operation | None:
    """How the namespace is mapped: the whole of it, from its info block to its end; sector mode maps nothing.

    ``own_pads``: it was made by a kernel that pads (up to v5.2); the info block keeps that padding on every kernel.
    """
    if fact.range is None or not fact.enabled or fact.mode in ("sector", "unknown-btt"):
        return None
    options: list[tuple[str, str]] = []
    kind = "fs_dax"
    if fact.mode == "devdax":
        kind = "generic"
        dax = daxes.get(fact.region)
        if dax is not None and dax.ranges and fact.range.contains(dax.ranges[0]):
            return None
    end = fact.data.end if fact.data is not None else fact.range.end
    whole = Range(fact.range.start, max(end, fact.range.start + 1))
    if own_pads and fact.mode in ("fsdax", "devdax"):
        whole = _padded(k, fact, description)
    if fact.map == "dev":
        options.append(("altmap", _altmap(k, whole, fact)))
    options += [("owner", fact.dev), ("type", kind)]
    return Operation("memremap_pages", (whole,), options=tuple(sorted(options)))


def _dax_operation(fact: DaxFact, namespaces: list[Range]) -> Operation | None:
    """``namespaces``: the ranges of those that are enabled, sorted."""
    if not fact.ranges or fact.mode not in (None, "devdax"):
        return None
    first = fact.ranges[0]
    at = bisect_left(namespaces, (first.end, first.end))
    if any(each.overlaps(first) for each in namespaces[max(at - 1, 0) : at]):
        return None
    return Operation("memremap_pages", fact.ranges, options=(("owner", fact.dev), ("type", "generic")))


def _may_be_own(description: MachineDescription, k: Kernel, layout: BootLayout) -> bool:
    """A machine that does not tell its kernel may run this one, where that gives the memory block size that was read."""
    if description.kernel_release is not None:
        return False
    if description.block_size is None or not description.tells_ram or k.arch in ("ppc64", "s390x"):
        return True
    guesses = (True, False) if description.hypervisor is None else (description.hypervisor,)
    return any(layout_block_size(k, replace(layout, hypervisor=each)) == description.block_size for each in guesses)


def build(description: MachineDescription, version: str | None = None, *, devices: bool = False) -> Built:
    """The machine of a description, for its own kernel or for ``version``. A machine that does not tell its kernel is taken to run
    ``version`` where that gives the memory blocks that were read.

    ``devices``: its regions, namespaces and dax devices become devices of the model, for the tools to work with; else their ranges are
    mapped, each with an answer of its own. Raises InputError when the description does not tell where memory is, UsageError for an
    unknown version.
    """
    k, notes = kernel_of(description, version)
    layout = boot_layout(description, k, notes)
    own = version is None or _may_be_own(description, k, layout)
    if own or k.arch in (
        "ppc64",
        "s390x",
    ):  # another kernel chooses the block size by its own rule, unless firmware fixed it
        layout = replace(layout, block_size=description.block_size)
    if devices:
        children = tuple(without_claims(res, description) for res in layout.iomem.children)
        layout = replace(layout, iomem=iomem_resource(layout.iomem.end, children))
    try:
        machine = Machine(k, layout)
    except Refusal as refusal:
        raise InputError(f"kernel {k} does not boot on it: {refusal}", where=description.source) from None
    mappings: list[tuple[str, Answer]] = []
    daxes: dict[str, DaxFact] = {}
    for dax in description.dax:
        if dax.mode == "system-ram" and dax.region is not None:
            daxes.setdefault(dax.region, dax)
    enabled = sorted(fact.range for fact in description.namespaces if fact.range is not None and fact.enabled)
    own_pads = description.kernel_release is not None and kernel_of(description)[0].features.pfn_pads_to_sections
    if devices:
        writer = kernel_of(description)[0] if description.kernel_release is not None else k
        mappings += _devices(machine, description, writer, own_pads, notes)
        mappings += cxl_devices(machine, description, notes)
    known = {fact.dev for fact in placed(description)} if devices else set()
    for fact in description.namespaces:
        if fact.region in known:
            continue
        operation = _namespace_operation(k, fact, daxes, description, own_pads)
        if operation is not None:
            mappings.append((fact.dev, machine.apply(operation)))
            if fact.mode == "unknown":
                notes.append(
                    Note(description.source, fact.dev, "its mode is not known; taken as mapped from end to end")
                )
    for dax in description.dax if not devices else ():
        operation = _dax_operation(dax, enabled)
        if operation is not None:
            mappings.append((dax.dev, machine.apply(operation)))
    root = description.iomem
    hotplugged = driver_ram(root) if root is not None else []
    if root is None and description.blocks and description.block_size:
        hotplugged = [("System RAM (kmem)", r) for r in dax_ram(description, description.block_size)]
    nids = _nids(description)
    for name, r in hotplugged:
        if devices and _is_there(machine, r):
            continue
        nid = nids.get(r.start, 0)
        options = (("name", name.replace(" ", "_")), ("nid", str(nid)))
        mappings.append((name, machine.apply(Operation("add_memory_driver_managed", (r,), options=options))))
    if own:
        _match_block_states(machine, description, notes)
    return Built(machine, tuple(mappings), tuple(notes), own)


def _is_there(machine: Machine, r: Range) -> bool:
    """Memory that a dax device has brought already."""
    found = machine.state.iomem.walk()
    return any((res.start, res.end + 1) == r and is_driver_ram(res) for _, res in found)


def _devices(
    machine: Machine, description: MachineDescription, writer: Kernel, own_pads: bool, notes: list[Note]
) -> list[tuple[str, Answer]]:
    """Register the devices as they were captured; a write that the model refuses is taken back, and a note."""
    pads: dict[str, tuple[int, int]] = {}
    for fact in description.namespaces:
        if own_pads and fact.range is not None and fact.mode in ("fsdax", "devdax"):
            inner = _padded(writer, fact, description)
            pads[fact.dev] = inner.start - fact.range.start, fact.range.end - inner.end
    answers: list[tuple[str, Answer]] = []
    for device, operation in nd_operations(description, writer, pads, notes):
        answer = machine.apply(operation)
        if answer.refusal is not None and operation.name == "store":
            machine.undo()
            what = f"the model's kernel refuses {operation.option('path', '')}: {answer.refusal}"
            notes.append(Note(description.source, device, what))
            continue
        answers.append((device, answer))
    return answers


def _nids(description: MachineDescription) -> dict[int, int]:
    """Where a memory block starts -> its node."""
    size = description.block_size or 0
    return {block.nr * size: block.nid for block in description.blocks if size and block.nid is not None}


def _match_block_states(machine: Machine, description: MachineDescription, notes: list[Note]) -> None:
    """Bring the blocks into the state that the machine shows; what the model would refuse is a note, not a lie."""
    known = machine.state.blocks
    for fact in description.blocks:
        block = known.get(fact.nr)
        if block is None or block.state == fact.state or fact.state not in ("online", "offline"):
            continue
        name = "offline"
        if fact.state == "online":
            name = "online_movable" if fact.valid_zones[:1] == ("Movable",) else "online"
        answer = machine.apply(Operation(name, block=fact.nr))
        if answer.refusal is not None:
            machine.undo()
            what = f"the machine has it {fact.state}, the model's kernel refuses that: {answer.refusal}"
            notes.append(Note(description.source, f"memory{fact.nr}", what))
