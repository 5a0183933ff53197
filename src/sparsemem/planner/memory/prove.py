"""Playing memory items: the exact ``chmem`` commands, what the machine shows after each, and the way back."""

from __future__ import annotations

import shlex
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING

from sparsemem.kernel.dax.types import KMEM, DevDax
from sparsemem.kernel.memory_block import valid_zones_show
from sparsemem.machine.operations import store_operation
from sparsemem.planner.intent import size_word
from sparsemem.planner.memory.intent import MemoryItem, runs, runs_name
from sparsemem.planner.memory.select import CannotError, block_zone_word, choose, device_blocks, names_of, read_runs
from sparsemem.planner.plan import Command, Expectation, PlannedBlocks
from sparsemem.planner.prove import PredictionError, block_words
from sparsemem.planner.shows import dax_shows
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from sparsemem.ranges import Range
from sparsemem.spec.rules import RULES
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.kernel.state import State
    from sparsemem.machine.machine import Machine
    from sparsemem.planner.prove import Prover
    from sparsemem.play.player import StepResult

__all__ = ["chmem", "play_memory"]

_STATE = "/sys/devices/system/memory/memory{}/state"
_FLAG = {"online": "-e", "offline": "-d"}


def chmem(action: str, blocks: tuple[int, int], zone: str | None = None) -> tuple[str, ...]:
    """The command for blocks (first, last + 1): ``chmem -e -z Movable -b 32-39``. ``zone``: a name of ``/proc/zoneinfo``."""
    first, last = blocks[0], blocks[1] - 1
    words = str(first) if first == last else f"{first}-{last}"
    return ("chmem", _FLAG[action], *(("-z", zone) if zone is not None else ()), "-b", words)


def _step(player: Player, argv: tuple[str, ...]) -> StepResult:
    text = shlex.join(argv)
    return player.step(text, parse_step(text), tty=False)


def _wanted(state: State, item: MemoryItem, number: int) -> str | None:
    """The zone that chmem is to be given; None for its own choice."""
    if item.action == "offline" or item.zone is None:
        return None
    if item.zone == "movable":
        return "Movable"
    return next((zone for zone in valid_zones_show(state, number).split() if zone != "Movable"), "Normal")


def _parts(numbers: Iterable[int], key: dict[int, str | None]) -> list[tuple[tuple[int, int], str | None]]:
    """Runs of blocks with the same key."""
    parts: list[tuple[tuple[int, int], str | None]] = []
    for value, group in groupby(sorted(numbers), key=lambda number: key[number]):
        parts += [(run, value) for run in runs(group)]
    return parts


def _as_wanted(state: State, item: MemoryItem, number: int) -> bool:
    zone = block_zone_word(state, number)
    if item.action == "offline":
        return zone == "offline"
    return zone != "offline" and (item.zone is None or (zone == "Movable") == (item.zone == "movable"))


def _stuck(machine: Machine, item: MemoryItem, numbers: list[int]) -> dict[int, str | None]:
    """Each block that does not do what is wanted -> the rule by which the kernel refuses it (None: another reason)."""
    trial = machine.copy()
    player = Player(trial)
    zones = {number: _wanted(trial.state, item, number) for number in numbers}
    for run, zone in _parts(numbers, zones):
        _step(player, chmem(item.action, run, zone))
    found: dict[int, str | None] = {}
    for number in numbers:
        if not _as_wanted(trial.state, item, number):
            word = (
                "offline"
                if item.action == "offline"
                else "online_movable"
                if item.zone != "kernel"
                else "online_kernel"
            )
            refusal = trial.apply(store_operation(_STATE.format(number), word)).refusal
            found[number] = refusal.rule if refusal is not None else None
    return found


def _cannot(machine: Machine, item: MemoryItem, numbers: list[int], stuck: dict[int, str | None]) -> CannotError:
    reasons = []
    for rule in dict.fromkeys(stuck.values()):
        which = [number for number, each in stuck.items() if each == rule]
        title = RULES[rule].title if rule in RULES else "chmem does not take it into that zone"
        reasons.append(f"{read_runs(which)}: {title}")
    rule = next(iter(stuck.values()))
    if rule in ("isolation-failure", "unmovable-page"):
        reasons.append("what the kernel keeps there does not move; memory that was onlined movable has none of it")
    rest = sorted(set(numbers) - set(stuck))
    options = [(replace(item, names=names_of(rest), size=0, zone=None, where=()),)] if rest else []
    if item.action == "online" and item.zone is not None:
        options.append((replace(item, zone=None),))
    first = min(stuck)
    argv = chmem(item.action, (first, first + 1), _wanted(machine.state, item, first))
    step = _step(Player(machine.copy()), argv)
    words = (shlex.join(argv), *step.stdout.splitlines(), *step.log_lines)
    return CannotError("; ".join(reasons), rule, options, words)


class _Playing:
    """One item on the machine of a ``Prover``."""

    def __init__(self, prover: Prover, item: MemoryItem, index: int) -> None:
        self.prover = prover
        self.machine = prover.machine
        self.item = item
        self.index = index
        self.planned: list[PlannedBlocks] = []

    def run(self) -> None:
        state, item = self.machine.state, self.item
        numbers = choose(self.machine, item, f"intent, item {self.index + 1}")
        before = self.machine.copy()
        zones = {number: _wanted(state, item, number) for number in numbers}
        for blocks, zone in _parts(numbers, zones):
            words = self.command(blocks, zone)
            if words is not None:
                stuck = _stuck(before, item, numbers)
                raise _cannot(before, item, numbers, stuck) if stuck else PredictionError(words)

    def command(self, blocks: tuple[int, int], zone: str | None) -> str | None:
        """Play the command of a run; what went wrong, or None."""
        state = self.machine.state
        numbers = range(*blocks)
        before = {number: block_zone_word(state, number) for number in numbers}
        argv = chmem(self.item.action, blocks, zone)
        step = self.prover.play(argv)
        after = {number: block_zone_word(state, number) for number in numbers}
        if step.exit_code or not all(_as_wanted(state, self.item, number) for number in numbers):
            return f"{shlex.join(argv)} went when it was played again, and now: {step.stdout.strip()}"
        expect = [
            Expectation("lsmem", runs_name(*run), {"memory": memory_word(word)})
            for run, word in _parts(numbers, dict(after))
        ]
        devices = []
        for name, dev in state.dax.items():
            if isinstance(dev, DevDax) and dev.driver == KMEM and set(numbers) & set(device_blocks(state, dev)):
                devices.append(name)
                expect.append(Expectation("daxctl", name, dax_shows(self.machine, name, self.prover.ndctl)))
        self.prover.commands.append(Command(argv, self.why(blocks, after), tuple(expect), self.undo(blocks, before)))
        size: int = state.misc["memory_block_size_bytes"]
        for run, word in _parts(numbers, dict(after if self.item.action == "online" else before)):
            for nid, group in groupby(range(*run), key=lambda number: state.blocks[number].nid):
                for first, end in runs(group):
                    self.planned.append(
                        PlannedBlocks(
                            item=self.index, action=self.item.action, blocks=(first, end), range=Range(first * size, end * size),
                            zone=word or "none", numa_node=nid, devices=tuple(devices),
                        )
                    )  # fmt: skip
        return None

    def why(self, blocks: tuple[int, int], after: dict[int, str]) -> str:
        size: int = self.machine.state.misc["memory_block_size_bytes"]
        many = format_size((blocks[1] - blocks[0]) * size)
        verb = "goes" if blocks[1] - blocks[0] == 1 else "go"
        if self.item.action == "offline":
            return f"{block_words(blocks)} {verb} offline: {many}, what is in it moves elsewhere."
        zones = " and ".join(dict.fromkeys(f"ZONE_{zone.upper()}" for zone in after.values()))
        return f"{block_words(blocks)} {verb} online in {zones}: {many}."

    def undo(self, blocks: tuple[int, int], before: dict[int, str]) -> tuple[tuple[str, ...], ...] | None:
        """The reverse, where the model shows that everything is as before then."""
        if self.item.action == "online":
            back: tuple[tuple[str, ...], ...] = (chmem("offline", blocks),)
        else:
            back = tuple(chmem("online", run, zone) for run, zone in _parts(range(*blocks), dict(before)))
        trial = self.machine.copy()
        player = Player(trial)
        codes = [_step(player, argv).exit_code for argv in back]
        same = all(block_zone_word(trial.state, number) == word for number, word in before.items())
        return back if same and not any(codes) else None


def memory_word(zone: str | None) -> str:
    """What is shown of a block: "offline", or "online in Movable"."""
    return "offline" if zone in (None, "offline") else f"online in {zone}"


def _naive(machine: Machine, item: MemoryItem) -> tuple[str, ...]:
    """What chmem says to somebody who gives it an item as it is; nothing where it is none of its words, or it does not mind."""
    words = [size_word(item.size)] if item.size else list(item.names)
    if item.where or len(words) != 1 or words[0].startswith("dax"):
        return ()
    numbers = ["-b"] if words[0].startswith("memory") else []
    zone = ["-z", "Movable"] if item.zone == "movable" else []
    argv = ("chmem", _FLAG[item.action], *zone, *numbers, words[0].replace("memory", ""))
    step = _step(Player(machine.copy()), argv)
    said = step.stdout.splitlines()
    return (shlex.join(argv), *said) if step.exit_code and said else ()


def play_memory(prover: Prover, item: MemoryItem, index: int) -> list[PlannedBlocks]:
    """Play one item and collect its commands in the prover. ``index``: of the item in the intent. Raises CannotError, InputError."""
    playing = _Playing(prover, item, index)
    before = prover.machine.copy()
    try:
        playing.run()
    except CannotError as cannot:
        cannot.says = cannot.says or _naive(before, item)
        raise
    return playing.planned
