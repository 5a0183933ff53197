"""State counts: every order of a fixed set of operations on two small machines, breadth first.

``tests/machine/perft.txt`` is reviewed, never updated blindly: print it anew with ``python -m tests.machine.test_perft``.
For 5.8 and later the first configuration must agree with ``sparsemem.bulk``, which explores a table of rules instead.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsemem.bulk import devices
from sparsemem.bulk.explore import explore
from sparsemem.machine.notation import parse_machine
from sparsemem.machine.operations import Operation, parse_operation
from sparsemem.ranges import Range

GOLDEN = Path(__file__).parent / "perft.txt"
VERSIONS = ("5.2", "5.8", "6.1")
_MIB, _SUB, _BASE = 1 << 20, 2 << 20, 4 << 30

#: Twelve device ranges over two sections, in MiB from 4 GiB: neighbours, overlaps, and two across the border.
RANGES = (
    (0, 16), (16, 32), (32, 64), (64, 96), (96, 128), (112, 144),
    (128, 160), (144, 176), (160, 192), (192, 224), (224, 256), (96, 160),
)  # fmt: skip
_WINDOW = [Range(start * _MIB // _SUB, end * _MIB // _SUB) for start, end in RANGES]

CONFIGURATIONS: dict[str, tuple[str, list[str], int]] = {
    "12 device ranges over two sections: arch_add_memory, arch_remove_memory": (
        "0-1G ram",
        [f"{name} {_BASE + start * _MIB:#x}-{_BASE + end * _MIB - 1:#x}"
         for name in ("arch_add_memory", "arch_remove_memory") for start, end in RANGES],
        3,
    ),
    "RAM blocks: add, online, offline, remove": (
        "0-1G ram; with block=128M auto_online=offline",
        [
            *(f"{name} {_BASE + nr * 128 * _MIB:#x}-{_BASE + (nr + 1) * 128 * _MIB - 1:#x}"
              for name in ("add_memory", "remove_memory") for nr in (0, 1)),
            *(f"{word} memory{32 + nr}" for word in ("online", "online_movable", "offline") for nr in (0, 1)),
        ],
        5,
    ),
}  # fmt: skip


def _explore(version: str, layout: str, operations: list[Operation], depth: int) -> list[tuple[int, int, int]]:
    """Per depth: states first reached there, refusals met in them, and how many of them have a fault."""
    machine = parse_machine(f"{version}; {layout}")
    seen = {machine.snapshot()}
    frontier: list[list[Operation]] = [[]]
    rows: list[tuple[int, int, int]] = []
    for _ in range(depth + 1):
        fresh: list[list[Operation]] = []
        refused = faulty = 0
        for path in frontier:
            for op in path:
                machine.apply(op)
            faulty += any(fault.kind != "uninitialised-hole" for fault in machine.faults())
            for op in operations:
                answer = machine.apply(op)
                refused += answer.refusal is not None
                snapshot = machine.snapshot()
                if snapshot not in seen and len(rows) < depth:
                    seen.add(snapshot)
                    fresh.append([*path, op])
                machine.undo()
            for _op in path:
                machine.undo()
        rows.append((len(frontier), refused, faulty))
        frontier = fresh
    return rows


def render() -> str:
    lines = ["# States first reached at each depth, refusals met in them, and how many of them are faulty."]
    for title, (layout, texts, depth) in CONFIGURATIONS.items():
        operations = [parse_operation(text) for text in texts]
        lines += ["", title, f"{'kernel':8}{'depth':>6}{'states':>8}{'refused':>9}{'faulty':>8}"]
        for version in VERSIONS:
            for at, (states, refused, faulty) in enumerate(_explore(version, layout, operations, depth)):
                lines.append(f"{version:8}{at:6}{states:8}{refused:9}{faulty:8}")
    return "\n".join(lines) + "\n"


def test_the_golden_counts() -> None:
    assert render() == GOLDEN.read_text()


@pytest.mark.parametrize("version", ["5.9", "6.1"])
def test_the_rule_tables_count_the_same_maps(version: str) -> None:
    """``highest_present_section_nr`` remembers what was there: only the sub-section maps are compared."""
    machine = parse_machine(f"{version}; 0-1G ram")
    title = next(iter(CONFIGURATIONS))
    operations = [parse_operation(text) for text in CONFIGURATIONS[title][1]]

    def maps() -> tuple[int, int]:
        found = (machine.state.sections.get(nr) for nr in (32, 33))
        low, high = (ms.usage.subsection_map if ms is not None and ms.usage else 0 for ms in found)
        return low, high

    seen, frontier, counts = {maps()}, [[]], [1]  # type: tuple[set[tuple[int, int]], list[list[Operation]], list[int]]
    for _ in range(3):
        fresh: list[list[Operation]] = []
        for path in frontier:
            for op in path:
                machine.apply(op)
            for op in operations:
                machine.apply(op)
                if maps() not in seen:
                    seen.add(maps())
                    fresh.append([*path, op])
                machine.undo()
            for _op in path:
                machine.undo()
        frontier = fresh
        counts.append(len(fresh))
    model = devices.arch_model(_WINDOW)
    assert tuple(counts) == explore(model, "python").depths[:4]


if __name__ == "__main__":
    print(render(), end="")
