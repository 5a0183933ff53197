"""The nd bus in sysfs against the trees of real guests (tests/machine/sysfs): every path, mode, text and link.

``tree``: two e820 ranges, two labelled NVDIMMs and one without labels; ``full``: one labelled NVDIMM with a namespace of each mode, one of
them disabled, and one with its memmap in RAM."""

from __future__ import annotations

import json
import re
from functools import cache
from os.path import normpath
from pathlib import Path
from typing import Any

import pytest

from sparsemem.machine import sysfs
from sparsemem.machine.notation import format_machine, parse_machine
from sparsemem.machine.operations import store_operation
from sparsemem.machine.sysfs_error import SysfsError
from sparsemem.play.scenario import parse_scenario
from sparsemem.play.setup import set_up

HERE = Path(__file__).parent / "sysfs"
KERNELS = ("5.10", "6.1", "6.12", "7.2")
MACHINES = {
    "tree": """
memory = "512M"
cmdline = "memmap=48M!336M memmap=16M!400M"
pmem = [{ size = "64M", labels = true }, { size = "128M", labels = true }, { size = "64M" }]
""",
    "full": """
memory = "512M"
pmem = [{ size = "128M", labels = true }]
""",
}
#: Majors are dynamic, minors and sequence numbers of disks count what was before.
_NUMBERS = re.compile(r"(?m)^(MAJOR|MINOR)=\d+$|^DISKSEQ=\d+\n?|^\d+:\d+$")


def _machine(name: str, version: str) -> Any:
    scenario = parse_scenario(f'kernel = "6.1"\nsteps = []\n[machine]{MACHINES[name]}', name)
    return set_up(scenario, version)[0]


@cache
def _recorded(name: str, version: str) -> Any:
    return json.loads((HERE / f"{name}@{version}.json").read_text())


def _text(machine: Any, path: str) -> Any:
    try:
        return _NUMBERS.sub("N", sysfs.show(machine.state, path).removesuffix("\n")).rstrip("\nN")
    except SysfsError as error:
        return error.number


def _links(machine: Any, recorded: dict[str, str]) -> None:
    """The texts of the links, and where they lead. (The number of a bdi is that of its disk.)"""
    for path, text in recorded.items():
        ours = sysfs.readlink(machine.state, path)
        assert ours is not None, path
        if path.endswith("/bdi"):
            assert ours.rpartition(":")[0] == text.rpartition(":")[0]
            continue
        assert ours == text, path
        target = normpath(f"{path.rpartition('/')[0]}/{text}")
        assert sysfs.realpath(machine.state, path) == target, path
        assert path.endswith("/module") or sysfs.exists(machine.state, path), path


@pytest.mark.parametrize("version", KERNELS)
def test_a_guest_s_tree_is_this_to_the_letter(version: str) -> None:
    machine, real = _machine("tree", version), _recorded("tree", version)
    for path, (_, text) in real["files"].items():
        if path.endswith("/diskseq"):
            continue
        if isinstance(text, str):
            text = _NUMBERS.sub("N", text).rstrip("\nN")
        assert _text(machine, path) == text, path
    _links(machine, real["links"])
    ours = {path for path in sysfs.paths(machine.state) if "/ndbus" in path}
    assert ours == set(real["files"])


def _create(machine: Any, number: int, size: str, kind: str, mode: str = "", name: str = "") -> None:
    """What ndctl writes for a namespace of a kind: "pfn", "dax", "btt" or "" (raw)."""

    def write(path: str, text: str) -> None:
        answer = machine.apply(store_operation(f"/sys/bus/nd/{path}", text))
        assert answer.refusal is None, (path, text, answer.refusal)

    def read(path: str) -> str:
        return sysfs.show(machine.state, f"/sys/bus/nd/devices/{path}").strip()

    ns = read("region0/namespace_seed")
    write(f"devices/{ns}/uuid", f"11111111-2222-4333-8444-00000000000{number}")
    write(f"devices/{ns}/alt_name", name)
    write(f"devices/{ns}/size", size)
    write(f"devices/{ns}/sector_size", "4096" if kind == "btt" else "512")
    if not kind:
        write("drivers/nd_pmem/bind", ns)
        return
    write(f"devices/{ns}/holder_class", kind)
    seed = read(f"region0/{kind}_seed")
    write(f"devices/{seed}/uuid", f"00000000-0000-4000-8000-00000000000{min(number, 4)}")
    if kind == "btt":
        write(f"devices/{seed}/sector_size", "4096")
    else:
        write(f"devices/{seed}/mode", mode)
        write(f"devices/{seed}/align", "2097152")
    write(f"devices/{seed}/namespace", ns)
    write(f"drivers/{'dax_pmem' if kind == 'dax' else 'nd_pmem'}/bind", seed)


@pytest.mark.parametrize("version", KERNELS)
def test_namespaces_of_each_mode(version: str) -> None:
    machine, real = _machine("full", version), _recorded("full", version)
    _create(machine, 1, "16777216", "pfn", "pmem", "alpha")
    _create(machine, 2, "16777216", "dax", "pmem")
    _create(machine, 3, "33554432", "btt")
    _create(machine, 4, "16777216", "")
    _create(machine, 5, "16777216", "pfn", "ram")
    machine.apply(store_operation("/sys/bus/nd/drivers/nd_pmem/unbind", "namespace0.3"))
    for path, (_, text) in real["files"].items():
        if path.endswith("/diskseq"):
            continue
        if isinstance(text, str):
            text = _NUMBERS.sub("N", text).rstrip("\nN")
        assert _text(machine, path) == text, path
    _links(machine, real["links"])
    ours = {path for path in sysfs.paths(machine.state) if "/ndbus" in path}
    assert ours == set(real["files"])
    for path in ours:
        parent, _, name = path.rpartition("/")
        assert name in (sysfs.listdir(machine.state, parent) or [])
        assert sysfs.exists(machine.state, path)
        assert not sysfs.is_directory(machine.state, path)
    assert parse_machine(format_machine(machine)) == machine


def test_the_layout_line_carries_it() -> None:
    machine = _machine("tree", "6.1")
    assert parse_machine(format_machine(machine)) == machine
