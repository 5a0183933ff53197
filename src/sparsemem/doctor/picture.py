"""What the doctor knows as a picture takes it: a machine that was judged as a scene, findings as marks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.draw import Mark, Section, Sentence, build_scene
from sparsemem.draw.words import refusals
from sparsemem.machine.operations import Operation
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.devices import Device
    from sparsemem.doctor.finding import Finding, Remedy
    from sparsemem.draw import Scene
    from sparsemem.machine.description import Note

__all__ = ["finding_marks", "legacy_devices", "note_sections", "remedy_facts", "scene_of"]


def legacy_devices(ctx: Context) -> tuple[Device, ...]:
    """Ranges of legacy persistent memory (e820 type 12, ``memmap=nn!ss``) that nothing has mapped: their driver does at each boot."""
    return tuple(device for device in ctx.devices if device.kind == "legacy" and not ctx.mapped.touches(device.range))


def scene_of(ctx: Context, title: str = "", *, booted: bool = False) -> Scene:
    """The machine as that kernel has it, with what it refused as notes. ``booted``: legacy persistent memory is mapped, as its driver
    would at the next boot."""
    machine, answers = ctx.machine, list(ctx.answers)
    if booted:
        machine = machine.copy()
        answers += [
            (device.name, machine.apply(Operation("memremap_pages", (device.range,)))) for device in legacy_devices(ctx)
        ]
    return build_scene(machine.state, machine.faults(), title=title, notes=refusals(answers), exact=True)


def remedy_facts(remedies: Iterable[Remedy]) -> Iterator[tuple[str, str]]:
    """What to do, as facts of a mark."""
    for remedy in remedies:
        yield "what to do", remedy.why
        yield from (("$", command) for command in remedy.commands)


def note_sections(notes: Iterable[Note]) -> tuple[Section, ...]:
    """What could not be read or had to be assumed; no section where there is nothing."""
    said = tuple(Sentence(f"{note.source}: {note.where + ': ' if note.where else ''}{note.what}") for note in notes)
    return (Section("Notes", said),) if said else ()


def finding_marks(findings: Iterable[Finding], side: int | None = None) -> tuple[Mark, ...]:
    """Findings as the picture takes them; ``side`` of a comparison, if it is one."""
    return tuple(_mark(finding, side) for finding in findings)


def _mark(finding: Finding, side: int | None) -> Mark:
    facts: list[tuple[str, str]] = []
    if finding.devices:
        facts.append(("device", ", ".join(finding.devices)))
    if finding.capacity is not None:
        facts.append(("capacity", format_size(finding.capacity) + (" lost" if finding.lost else "")))
    rule = (
        f" [{finding.rule}, {finding.kernels}]" if finding.rule else f" [{finding.kernels}]" if finding.kernels else ""
    )
    facts.append(("why", finding.why + rule))
    if finding.kernel_says:
        facts.append(("the kernel says", "\n".join(finding.kernel_says)))
    facts += remedy_facts(finding.remedies)
    facts += [("more", "in plain words:"), ("$", f"sparsemem explain {finding.id}")]
    return Mark(finding.id, finding.severity, finding.what, finding.ranges, tuple(facts), side)
