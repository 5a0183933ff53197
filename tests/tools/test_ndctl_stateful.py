"""Random sequences of ndctl commands: labels read again give the same namespaces, no byte is lost, and destroying all frees all."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparsemem.machine.notation import parse_machine
from sparsemem.tools import ndctl
from sparsemem.tools.result import Console
from sparsemem.tools.tree import MachineTree

if TYPE_CHECKING:
    from sparsemem.kernel.state import Snapshot
    from sparsemem.machine.machine import Machine

MODES = ("fsdax", "fsdax -M mem", "devdax", "devdax -M mem", "sector", "sector -l 512", "raw")
SIZE = 256 << 20
BOARDS = {
    "one DIMM": "0-1G ram, 100000000-10fffffff pmem; nd_region 0x100000000-0x10fffffff labels={labels}",
    "two ways": "0-1G ram, 100000000-10fffffff pmem; nd_region 0x100000000-0x10fffffff ways=2 labels={labels}",
}

commands = st.one_of(
    st.builds("create-namespace -m {} -s {}M".format, st.sampled_from(MODES), st.sampled_from((16, 32, 48, 64))),
    st.builds("create-namespace -m {}".format, st.sampled_from(MODES)),
    st.builds("create-namespace -f -e namespace0.{} -m {}".format, st.integers(0, 4), st.sampled_from(MODES)),
    st.builds("{}-namespace namespace0.{}".format, st.sampled_from(("disable", "enable")), st.integers(0, 4)),
    st.builds("destroy-namespace -f namespace0.{}".format, st.integers(0, 4)),
    st.sampled_from(
        ("disable-region region0", "enable-region region0", "enable-namespace all", "check-namespace -f all")
    ),
)


def tool(machine: Machine, command: str) -> str:
    return ndctl.main(MachineTree(machine), command.split(), Console(tty=False)).stdout


def listed(machine: Machine) -> list[Any]:
    return json.loads(tool(machine, "list -N -i -v") or "[]")


def on_media(machine: Machine) -> set[tuple[Any, ...]]:
    """What labels say: size, start and uuid of each namespace that has space."""
    nd = machine.state.nd
    devices = [nd[key] for key in nd if key.startswith("namespace")]
    return {(each.uuid, each.start, each.size, each.alt_name, each.lbasize) for each in devices if each.size}


def region(machine: Machine) -> Any:
    found = json.loads(tool(machine, "list -R -i"))[0]
    return None if found.get("state") == "disabled" else found


def faults(machine: Machine) -> list[Any]:
    """None, but for those of a kernel's bug: 5.3 to 5.6 leave and code section words wrongly."""
    features = machine.kernel.features
    return [] if features.section_word_encodes_kaddr or features.removed_section_word_stale else machine.faults()


def check(machine: Machine) -> None:
    assert faults(machine) == []
    state = region(machine)
    if state is None:
        return
    taken = on_media(machine)
    assert state["available_size"] + sum(each[2] for each in taken) == SIZE
    assert state["max_available_extent"] <= state["available_size"]
    ends = sorted((start, start + size) for _, start, size, _, _ in taken)
    assert all(end <= start for (_, end), (start, _) in pairwise(ends))
    done = len(machine.history)
    assert "disabled 1 region" in ndctl.main(MachineTree(machine), ["disable-region", "region0"]).output
    tool(machine, "enable-region region0")
    assert on_media(machine) == taken
    while len(machine.history) > done:
        machine.undo()


def residue(first: Snapshot, machine: Machine) -> set[tuple[str, Any]]:
    """What is not as at the start, but for what the kernel leaves: bytes on the media, numbers of seeds, spans that only grow
    (ZONE_DEVICE and its node), section roots and the highest section ever present.
    """
    was, now = ({(name, key): value for name, key, value in each.changes} for each in (first, machine.snapshot()))
    changed = {entry for entry in was.keys() | now.keys() if was.get(entry) != now.get(entry)}
    grown = {("zones", (0, "Device")), ("nodes", 0), ("misc", "highest_present_section_nr")}
    return {entry for entry in changed - grown if entry[0] not in ("media", "nd", "roots")}


@pytest.mark.parametrize("version", ["5.3", "5.10", "6.12", "7.2"])
@pytest.mark.parametrize("board", BOARDS)
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(labels=st.sampled_from(("1.1", "1.2")), steps=st.lists(commands, max_size=12))
def test_no_byte_is_lost(version: str, board: str, labels: str, steps: list[str]) -> None:
    machine = parse_machine(f"{version}; {BOARDS[board].format(labels=labels)}")
    first = machine.snapshot()
    for step in steps:
        before = machine.snapshot()
        done = len(machine.history)
        tool(machine, step)
        after = machine.snapshot()
        operations = machine.history[done:]
        while len(machine.history) > done:
            machine.undo()
        assert machine.snapshot() == before  # undo is exact
        for operation in operations:
            machine.apply(operation)
        assert machine.snapshot() == after  # and the history says all
        check(machine)
    tool(machine, "enable-region region0")
    tool(machine, "destroy-namespace -f all")
    assert on_media(machine) == set()
    assert region(machine)["available_size"] == SIZE
    assert faults(machine) == []
    state = machine.state
    if not machine.kernel.features.removed_section_word_stale:
        assert residue(first, machine) == set()
    assert not state.pgmap_starts
    assert not state.nd.disks
    while machine.history and machine.history[-1].name == "store":
        machine.undo()
    assert machine.snapshot() == first
