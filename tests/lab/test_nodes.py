"""Machines with nodes in the lab: QEMU's arguments, scenarios written and read again, what the hypervisor is asked to plug."""

from __future__ import annotations

import shlex
from pathlib import Path
from random import Random
from typing import Any

import pytest

from sparsemem.lab.errors import LabError
from sparsemem.lab.generate import draw_machine, draw_scenario, to_toml
from sparsemem.lab.guest import Guest
from sparsemem.lab.qemu import arguments
from sparsemem.lab.shrink import simpler_machines
from sparsemem.machine.qemu import LABEL_SIZE
from sparsemem.play import parse_scenario
from sparsemem.play.scenario import MachineTable
from sparsemem.units import MIB

TEXT = """
[machine]
nodes = ["256M", "256M", 0]
dimms = ["128M", { size = "128M", node = 2 }]
pmem = [{ size = "64M", labels = true, node = 1 }]
"""


def machine() -> MachineTable:
    return parse_scenario(TEXT).machine


def test_memory_is_the_sum_of_its_nodes() -> None:
    assert machine().memory == 512 * MIB


def test_what_qemu_is_told() -> None:
    told = shlex.join(arguments(machine(), Path("k"), Path("i"), Path("d")))
    for words in (
        "-object memory-backend-ram,id=ram0,size=268435456 -numa node,nodeid=0,cpus=0-1,memdev=ram0",
        "-numa node,nodeid=1,memdev=ram1 -numa node,nodeid=2",
        "-device pc-dimm,id=cold0,memdev=cmem0 ",
        "-device pc-dimm,id=cold1,memdev=cmem1,node=2",
        f"-device nvdimm,id=nvdimm0,memdev=nvmem0,label-size={LABEL_SIZE},node=1",
    ):
        assert words in told


def test_a_machine_without_nodes_is_started_as_before() -> None:
    assert "-numa" not in arguments(MachineTable("memory", "", 512 * MIB), Path("k"), Path("i"), Path("d"))


def test_a_simpler_machine_has_one_node() -> None:
    simple = next(each for each in simpler_machines(machine()) if not each.nodes)
    assert {each.node for each in (*simple.dimms, *simple.pmem)} == {0}
    assert simple.memory == 512 * MIB


def test_machines_with_nodes_are_drawn_and_read_again() -> None:
    plugs = ""
    with_nodes = 0
    for seed in range(60):
        rng = Random(seed)
        table = draw_machine(rng)
        if table.nodes:
            with_nodes += 1
            scenario = draw_scenario(rng, table, "6.12", 6, plugs=True)
            again = parse_scenario(to_toml(scenario))
            assert again.machine == table
            plugs += "".join(text for text, _ in again.steps if text.startswith("plug"))
    assert 4 < with_nodes < 25
    assert "node=" in plugs
    assert "type=nvdimm" in plugs


class _Qmp:
    """Takes what QEMU would be told; device_add says no in QEMU's way."""

    def __init__(self, refuses: bool) -> None:
        self.said: list[tuple[str, dict[str, Any]]] = []
        self.refuses = refuses

    def qmp(self, command: str, **words: Any) -> None:
        self.said.append((command, words))
        if command == "device_add" and self.refuses:
            raise LabError(f"the size of memdev {words['memdev']} is too small")


def _plugged(refuses: bool, *words: str) -> _Qmp:
    guest = Guest.__new__(Guest)
    guest._plugged, guest._backends, qmp = 0, {}, _Qmp(refuses)
    guest.qemu = qmp  # type: ignore[assignment]
    guest._plug("n0", "64M", list(words))
    return qmp


def test_an_nvdimm_is_plugged_with_its_label_area_behind_it() -> None:
    said = dict(_plugged(False, "type=nvdimm", "labels=blank", "node=1", "addr=0x140000000").said)
    assert said["object-add"]["size"] == 64 * MIB + LABEL_SIZE
    device = {"driver": "nvdimm", "id": "n0", "memdev": "m1_n0", "label-size": LABEL_SIZE, "node": 1, "addr": 5 << 30}
    assert said["device_add"] == device
    assert dict(_plugged(False).said)["device_add"]["driver"] == "pc-dimm"


def test_what_qemu_calls_the_backend_does_not_differ_from_plug_to_plug() -> None:
    with pytest.raises(LabError, match=r"^the size of memdev mem_n0 is too small"):
        _plugged(True, "type=nvdimm")
