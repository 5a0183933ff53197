"""One side of a comparison: what is known of a machine, in the same form whether it was captured or is of the model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.doctor.context import make_context
from sparsemem.doctor.engine import diagnose_machine, examine
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Diagnosis
    from sparsemem.machine.description import DaxFact, MachineDescription, NamespaceFact, RegionFact
    from sparsemem.machine.machine import Machine

__all__ = ["Portrait", "Run", "portrait_of", "portrait_of_machine"]


class Run(NamedTuple):
    """Memory blocks in a row that are alike. ``zone`` is "" where none or more than one is known."""

    range: Range
    state: str
    zone: str


@dataclass(frozen=True, slots=True)
class Portrait:
    """``ram``: System RAM at boot; ``blocks``: runs of memory blocks, sorted; ``device_ranges``: (range, what it is, how it is mapped) of
    device memory that is no region, namespace or dax device; ``shared``: section -> the names of those in it, for the
    sections that more than one is in; ``ctx``: the machine on the model."""

    source: str
    kernel: str
    arch: str
    block_size: int
    section_size: int
    page_size: int
    ram: tuple[Range, ...]
    blocks: tuple[Run, ...]
    regions: tuple[RegionFact, ...]
    namespaces: tuple[NamespaceFact, ...]
    dax: tuple[DaxFact, ...]
    device_ranges: tuple[tuple[Range, str, str], ...]
    shared: dict[int, tuple[str, ...]]
    diagnosis: Diagnosis
    ctx: Context = field(repr=False, compare=False)

    def free(self, region: RegionFact) -> int | None:
        """Bytes of a region that no namespace has; None where a namespace's extent is not known."""
        own = [fact for fact in self.namespaces if fact.region == region.dev]
        if any(fact.range is None for fact in own):
            return region.available_size
        return max(0, region.size - sum(fact.range.size for fact in own if fact.range is not None))


def _runs(ctx: Context, description: MachineDescription | None) -> Iterator[Run]:
    """As the machine shows its blocks; where it does not, as the model has them after boot."""
    if description is not None and description.blocks and description.block_size:
        size = description.block_size
        for block in sorted(description.blocks, key=lambda each: each.nr):
            zone = block.valid_zones[0] if block.state == "online" and len(block.valid_zones) == 1 else ""
            yield Run(Range(block.nr * size, (block.nr + 1) * size), block.state, "" if zone == "none" else zone)
        return
    size = ctx.block_size
    for nr, known in sorted(ctx.state.blocks.items()):
        name = known.zone if known.state == "online" and known.zone is not None else ""
        yield Run(Range(nr * size, (nr + 1) * size), known.state, str(name) if name else "")


def _merged(runs: Iterator[Run]) -> tuple[Run, ...]:
    found: list[Run] = []
    for run in runs:
        if found and found[-1].range.end == run.range.start and found[-1][1:] == run[1:]:
            found[-1] = Run(Range(found[-1].range.start, run.range.end), run.state, run.zone)
        else:
            found.append(run)
    return tuple(found)


def _shared(ctx: Context) -> dict[int, tuple[str, ...]]:
    """Only the first and the last section of a device can be shared."""
    by_section: dict[int, set[str]] = {}
    for device in ctx.devices:
        if not device.maps and device.mode != "system-ram":
            continue
        for section in {device.range.start // ctx.section, (device.range.end - 1) // ctx.section}:
            names = by_section.setdefault(section, set())
            names.add(device.name)
            if ctx.ram.touches(Range(section * ctx.section, (section + 1) * ctx.section)):
                names.add("System RAM")
    return {section: tuple(sorted(names)) for section, names in sorted(by_section.items()) if len(names) > 1}


_KINDS = {
    "legacy": "Persistent Memory (legacy)",
    "pmem": "Persistent Memory",
    "soft": "Soft Reserved",
    "mapping": "mapping",
}


def _device_ranges(ctx: Context) -> Iterator[tuple[Range, str, str]]:
    for device in ctx.devices:
        if device.kind in _KINDS:
            yield device.range, _KINDS[device.kind], (device.mode or "") if device.kind == "mapping" else ""


def _portrait(ctx: Context, diagnosis: Diagnosis, description: MachineDescription | None) -> Portrait:
    return Portrait(
        source=ctx.source,
        kernel=diagnosis.kernel,
        arch=diagnosis.arch,
        block_size=(description.block_size if description is not None else None) or ctx.block_size,
        section_size=ctx.section,
        page_size=ctx.kernel.page_size,
        ram=ctx.ram.ranges,
        blocks=_merged(_runs(ctx, description)),
        regions=description.regions if description is not None else (),
        namespaces=description.namespaces if description is not None else (),
        dax=description.dax if description is not None else (),
        device_ranges=tuple(_device_ranges(ctx)),
        shared=_shared(ctx),
        diagnosis=diagnosis,
        ctx=ctx,
    )


def portrait_of(description: MachineDescription, version: str | None = None) -> Portrait:
    """A captured machine, on its own kernel or on ``version``. Raises UsageError, InputError."""
    return _portrait(*examine(description, version), description)


def portrait_of_machine(machine: Machine) -> Portrait:
    """A machine of the model, as it stands."""
    return _portrait(make_context(machine, None, True, ()), diagnose_machine(machine), None)
