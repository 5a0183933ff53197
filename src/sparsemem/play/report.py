"""The JSON of ``sparsemem play --json``: a public format, described in docs/play.schema.json."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.kernel.iomem_text import format_iomem
from sparsemem.kernel.memory_block import valid_zones_show
from sparsemem.kernel.mmzone import SECTION_MARKED_PRESENT, flag_names

if TYPE_CHECKING:
    from sparsemem.kernel.state import State
    from sparsemem.machine.machine import Machine
    from sparsemem.play.player import StepResult

__all__ = ["machine_json", "step_json", "to_json"]


def step_json(step: StepResult) -> dict[str, Any]:
    """``errno`` is a name such as "EINVAL", or null where the step succeeded or no errno is known. Bytes that are no text are ``\\xff``."""
    return {
        "command": step.command,
        "exit_code": step.exit_code,
        "errno": step.errno,
        "stdout": step.stdout.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace"),
        "log": step.log_lines,
    }


def _sections(state: State) -> list[dict[str, Any]]:
    g = state.kernel.geometry
    mapped = state.kernel.features.subsection_hotplug
    found = []
    for nr, ms in sorted(state.sections.items()):
        if ms.section_mem_map & SECTION_MARKED_PRESENT:
            usage = f"{ms.usage.subsection_map:#x}" if mapped and ms.usage is not None else None
            start = f"{nr << g.PA_SECTION_SHIFT:#x}"
            found.append(
                {"nr": nr, "start": start, "flags": list(flag_names(ms.section_mem_map)), "subsection_map": usage}
            )
    return found


def machine_json(machine: Machine) -> dict[str, Any]:
    """Everything but the steps: the state as plain values. Addresses are hexadecimal strings, pfns and pages numbers."""
    state = machine.state
    return {
        "kernel": str(machine.kernel.version),
        "arch": machine.kernel.arch,
        "iomem": format_iomem(state.iomem, max_level=state.kernel.features.max_iores_level),
        "sections": _sections(state),
        "blocks": [
            {"name": f"memory{nr}", "state": block.state, "valid_zones": valid_zones_show(state, nr).split()}
            for nr, block in sorted(state.blocks.items())
        ],
        "block_size_bytes": state.misc["memory_block_size_bytes"],
        "auto_online_blocks": state.misc["auto_online"],
        "zones": [
            {
                "node": nid,
                "zone": name,
                "start_pfn": zone.zone_start_pfn,
                "spanned": zone.spanned_pages,
                "present": zone.present_pages,
            }
            for (nid, name), zone in sorted(state.zones.items(), key=lambda item: (item[0][0], item[1].zone_start_pfn))
        ],
        "faults": [
            {"kind": fault.kind, "severity": fault.severity, "range": str(fault.range), "what": fault.what}
            for fault in machine.faults()
        ],
    }


def to_json(machine: Machine, steps: list[StepResult]) -> dict[str, Any]:
    """The whole document."""
    document = machine_json(machine)
    return {"kernel": document.pop("kernel"), "steps": [step_json(step) for step in steps], **document}
