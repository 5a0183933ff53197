"""Layout lines of machines with persistent memory, as the tests of the planner need them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import settings

from sparsemem.machine.notation import parse_machine

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine

__all__ = ["GIB", "MIB", "cxl_machine", "examples", "free_bytes", "line", "machine"]

MIB, GIB = 1 << 20, 1 << 30


def line(
    kernel: str,
    *sizes: int,
    start: int = 4 * GIB,
    ways: int = 1,
    labels: str = "1.2",
    gap: int = 0,
    options: str = "",
    region: str = "",
) -> str:
    """Regions of these sizes one behind the other; ``labels`` "" for none; ``region`` more words for each nd_region."""
    entries, operations, at = ["1M-2G ram"], [], start
    for number, size in enumerate(sizes):
        place = f"{at:#x}-{at + size - 1:#x}"
        entries.append(f"{place} pmem")
        words = [f"region={number}", f"ways={ways}", f"slot={number * ways}", f"nmem={number * ways}"]
        words += [f"labels={labels}"] if labels else []
        operations.append(f"nd_region {place} {' '.join([*words, region]).strip()}")
        at += size + gap
    middle = [f"with {options}"] if options else []
    return "; ".join([kernel, ", ".join(entries), *middle, *operations])


def examples(number: int) -> int:
    """So many of a slow property test, and fifty times as many with the profile "deep"."""
    return number * 50 if settings.default is not None and settings.default.max_examples > 1000 else number


def machine(kernel: str, *sizes: int, **more: object) -> Machine:
    """The machine of such a line."""
    return parse_machine(line(kernel, *sizes, **more))  # type: ignore[arg-type]


def cxl_machine(
    kernel: str = "6.12", *sizes: int, window: str = "4G", cmdline: str = "pci=nomsi", serial: bool = True,
    hypervisor: bool = False,
) -> Machine:  # fmt: skip
    """A guest with CXL memory devices of so many MiB (512 and 768 where none are named)."""
    from sparsemem.play.scenario import parse_scenario
    from sparsemem.play.setup import set_up

    devices = ", ".join(f'{{ size = "{size}M"{"" if serial else ", serial = 0"} }}' for size in sizes or (512, 768))
    text = f"""[machine]
memory = "512M"
cmdline = "{cmdline}"
hypervisor = {"true" if hypervisor else "false"}
cxl_window = "{window}"
cxl = [{devices}]
"""
    return set_up(parse_scenario(text), kernel)[0]


def free_bytes(board: Machine) -> dict[str, tuple[tuple[int, int], ...]]:
    """The free extents of each region."""
    from sparsemem.planner.spaces import find_spaces

    return {space.name: space.gaps for space in find_spaces(board.state, ())}
