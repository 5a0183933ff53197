"""Machines for tests: those of public cases, and one made up, as large as the doctor must be quick on."""

from __future__ import annotations

from pathlib import Path

from sparsemem.units import GIB, MIB, TIB

__all__ = ["case_path", "huge_iomem"]


def case_path(name: str) -> Path:
    """The machine of a case: of tests/cases, or another form of it here."""
    here = Path(__file__).parent / "cases" / name
    return here if here.exists() else Path(__file__).parents[1] / "cases" / "machines" / name


def huge_iomem(
    devices: int = 8192, size: int = 64 * TIB, ram: int = 256 * GIB, *, step: int = 2 * MIB, mapped: bool = False
) -> str:
    """The iomem text of a machine of ``size`` bytes with that many device ranges behind its RAM.

    Ranges are multiples of ``step`` and of no section: each one shares a section with the next, but for a gap after every 16th.
    ``mapped``: a namespace is live in each of them.
    """
    lines = ["00001000-0009ffff : System RAM", f"00100000-{ram - 64 * MIB - 1:08x} : System RAM"]
    each = (size - ram) // devices // step * step
    at = ram - 64 * MIB
    for index in range(devices):
        end = at + each - (2 * step if index % 16 == 15 else 0)
        lines.append(f"{at:08x}-{end - 1:08x} : Persistent Memory")
        if mapped:
            lines.append(f"  {at:08x}-{end - 1:08x} : namespace{index}.0")
        at += each
    return "\n".join(lines) + "\n"
