"""Playing the part of a plan that is about CXL regions: those that are replaced go, those that are wanted come, on a copy."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparsemem.errors import InputError
from sparsemem.kernel.cxl.core import ROOT_DECODER, decoder_of, memdev_of, memdevs, regions
from sparsemem.kernel.nvdimm.core import namespace_of, nvdimm_of
from sparsemem.kernel.nvdimm.dimm_devs import label_id
from sparsemem.planner.intent import size_word
from sparsemem.planner.plan import Command, Expectation
from sparsemem.planner.predict import Rules
from sparsemem.planner.prove import CommandRefusedError, Prover
from sparsemem.planner.spaces import find_spaces
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from sparsemem.kernel.cxl.core import CxlRegion
    from sparsemem.machine.machine import Machine
    from sparsemem.planner.cxl.item import RegionItem
    from sparsemem.play.player import StepResult

__all__ = ["SHOWN", "PlannedRegion", "RegionRefusedError", "Stage", "create_argv"]

SHOWN = ("size", "interleave_ways", "interleave_granularity", "decode_state")
"""Of what ``cxl list -R`` shows: all that the command decides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedRegion:
    """A CXL region that the plan makes, as the played machine has it. ``item``: the index in the intent's regions; ``memdevs`` in the order
    of interleaving; ``granularity`` bytes; ``found``: namespaces that come back with it; ``foreign``: memory devices on which labels of
    other regions hold bytes, and how many."""

    region: str
    item: int
    decoder: str
    memdevs: tuple[str, ...]
    ways: int
    granularity: int
    range: Range
    found: tuple[str, ...] = ()
    foreign: tuple[tuple[str, int], ...] = ()


class RegionRefusedError(Exception):
    """The tool did not make a region; ``words`` are its own and the kernel's. ``made``: there is one, and libnvdimm does not take it."""

    def __init__(self, argv: tuple[str, ...], step: StepResult, *, made: bool) -> None:
        super().__init__(" ".join(argv))
        self.argv = argv
        said = (line.strip() for line in step.stdout.split("{", 1)[0].splitlines())
        self.words = tuple(line for line in (*said, *step.log_lines) if line)
        self.made = made


def create_argv(item: RegionItem) -> tuple[str, ...]:
    """``cxl create-region`` for an item with everything said."""
    argv = ["cxl", "create-region", "-t", item.type, "-d", item.decoder or ROOT_DECODER]
    argv += ["-w", str(item.ways)] if item.ways else []
    if item.granularity is not None:
        argv += ["-g", str(item.granularity)]
    if item.size is not None:
        argv += ["-s", size_word(item.size)]
    return (*argv, "-m", *item.memdevs) if item.memdevs else tuple(argv)


def _memdevs(machine: Machine, region: CxlRegion) -> tuple[str, ...]:
    return tuple(decoder_of(machine.state, target).memdev for target in region.targets if target)


class Stage:
    """Plays on a copy of ``machine``; ``commands`` and ``regions`` are what was played and made."""

    def __init__(self, machine: Machine, ndctl: tuple[int, ...]) -> None:
        self.ndctl = ndctl
        self.prover = Prover(machine, ndctl, Rules(machine.state, ndctl))
        self.machine = self.prover.machine
        self.regions: list[PlannedRegion] = []

    @property
    def commands(self) -> list[Command]:
        return self.prover.commands

    def shown(self, name: str) -> dict[str, Any]:
        """``cxl list -R -r NAME``: what it shows of a region, {} where there is none."""
        step = self.prover.play(("cxl", "list", "-R", "-i", "-r", name))
        text = step.stdout[step.stdout.index("[") :] if "[" in step.stdout else "[]"
        return next((dict(each) for each in json.loads(text)), {})

    def _region(self, name: str) -> CxlRegion:
        found = {each.name: each for each in regions(self.machine.state)}
        if name not in found:
            raise InputError(
                f"replace {name}: there is no such CXL region", where="intent",
                remedy=f"there are {', '.join(found)}" if found
                else "there is none; regions of NVDIMMs are the firmware's: name their namespaces",
            )  # fmt: skip
        return found[name]

    def destroy(self, name: str) -> None:
        """A region and every namespace on it. Raises InputError, CommandRefusedError."""
        region = self._region(name)
        state = self.machine.state
        names = [each.device_names for each in find_spaces(state, (), self.ndctl) if each.name == region.nd_region]
        gone = tuple(name for devices in names for name in devices)
        for space in find_spaces(state, gone, self.ndctl):
            if gone and space.name == region.nd_region:
                self.prover.make_room([space], set(), set())
        back = (
            "cxl", "create-region", "-t", "pmem", "-d", ROOT_DECODER, "-w", str(region.ways), "-g", str(region.granularity),
            "-s", size_word(region.size), "-m", *_memdevs(self.machine, region),
        )  # fmt: skip
        argv = ("cxl", "destroy-region", "-f", name)
        step = self.prover.play(argv)
        if any(each.name == name for each in regions(self.machine.state)):
            raise CommandRefusedError(argv, step)
        why = f"The intent replaces {name}: its memory devices are free then."
        undo = (back,) if len(region.targets) == region.nr_targets and region.ways else None
        self.commands.append(Command(argv, why, (Expectation("cxl", name, None),), undo))

    def forget(self, memdev: str) -> None:
        """New, empty labels on a memory device. Raises InputError, CommandRefusedError."""
        have = [each.name for each in memdevs(self.machine.state)]
        if memdev not in have:
            raise InputError(
                f"replace {memdev}: there is no such CXL memory device", where="intent",
                remedy=f"there are {', '.join(have)}" if have else "there is none",
            )  # fmt: skip
        argv = ("ndctl", "init-labels", "-f", memdev_of(self.machine.state, memdev).nvdimm)
        step = self.prover.play(argv)
        if step.exit_code or "initialized 0" in step.stdout:
            raise CommandRefusedError(argv, step)
        why = f"The intent replaces {memdev}: what its labels say of namespaces is forgotten."
        self.commands.append(Command(argv, why, (), None, (memdev,)))

    def create(self, number: int, item: RegionItem) -> PlannedRegion:
        """Make the region of an item with everything said. Raises RegionRefusedError."""
        argv = create_argv(item)
        before = {each.name for each in regions(self.machine.state)}
        step = self.prover.play(argv)
        new = [each for each in regions(self.machine.state) if each.name not in before]
        if not new or not new[0].nd_region or step.exit_code:
            raise RegionRefusedError(argv, step, made=bool(new))
        region = new[0]
        state = self.machine.state
        spaces = [
            namespace_of(state, key)
            for key in state.nd.children.get(region.nd_region, ())
            if key.startswith("namespace")
        ]
        found = tuple(each.name for each in spaces if each.size)
        own = {label_id(each.uuid) for each in spaces}
        foreign = []
        for name in _memdevs(self.machine, region):
            ndd = nvdimm_of(state, memdev_of(state, name).nvdimm).ndd
            held = sum(each.size for each in (() if ndd is None else ndd.dpa) if each.name not in own)
            foreign += [(name, held)] if held else []
        planned = PlannedRegion(
            region=region.name, item=number, decoder=item.decoder or ROOT_DECODER, memdevs=_memdevs(self.machine, region),
            ways=region.ways, granularity=region.granularity, range=Range(region.start, region.start + region.size), found=found,
            foreign=tuple(foreign),
        )  # fmt: skip
        shown = self.shown(region.name)
        expect = Expectation("cxl", region.name, {key: shown[key] for key in SHOWN if key in shown})
        undo = (*(("ndctl", "disable-namespace", name) for name in found), ("cxl", "destroy-region", "-f", region.name))
        every = f", {region.granularity} bytes on each in turn" if region.ways > 1 else ""
        why = f"{region.name}: {size_word(region.size)} on {', '.join(planned.memdevs)}{every}, at {region.start:#x}."
        self.commands.append(Command(argv, why, (expect,), undo))
        self.regions.append(planned)
        return planned
