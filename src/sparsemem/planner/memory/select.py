"""Which memory blocks an item is about on a machine, and what can be told before anything is tried."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from sparsemem.errors import InputError
from sparsemem.kernel.dax.types import KMEM, DevDax
from sparsemem.kernel.memory_block import valid_zones_show
from sparsemem.machine.operations import store_operation
from sparsemem.planner.memory.intent import MemoryItem, runs, runs_name
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sparsemem.kernel.state import State
    from sparsemem.machine.machine import Machine

__all__ = ["CannotError", "block_zone_word", "choose", "device_blocks", "names_of", "read_runs"]

_STATE = "/sys/devices/system/memory/memory{}/state"


class CannotError(Exception):
    """An item that can not be had. ``options``: what may stand in its place, each one item or several, most like it first."""

    def __init__(
        self,
        why: str,
        rule: str | None = None,
        options: Iterable[tuple[MemoryItem, ...]] = (),
        says: tuple[str, ...] = (),
    ) -> None:
        super().__init__(why)
        self.why = why
        self.rule = rule
        self.options = tuple(options)
        self.says = says


def names_of(numbers: Iterable[int]) -> tuple[str, ...]:
    """Blocks as an intent names them."""
    return tuple(runs_name(*run) for run in runs(numbers))


def read_runs(numbers: Iterable[int], most: int = 4) -> str:
    """Blocks for a reader: ``memory32-memory39, memory44``."""
    names = names_of(numbers)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def block_zone_word(state: State, number: int) -> str:
    """The zone of an online block, "none" for one without a single zone, "offline"."""
    return valid_zones_show(state, number).strip() if state.blocks[number].state == "online" else "offline"


def device_blocks(state: State, dev: DevDax) -> list[int]:
    """The memory blocks that kmem made of a device."""
    size: int = state.misc["memory_block_size_bytes"]
    kept = [each for each in dev.reserved if each is not None]
    numbers = {number for start, end in kept for number in range(start // size, (end + 1) // size)}
    return sorted(numbers & state.blocks.keys()) if len(numbers) < 1 << 20 else []


class _Chooser:
    def __init__(self, machine: Machine, item: MemoryItem, where: str) -> None:
        self.machine = machine
        self.state = machine.state
        self.item = item
        self.where = where
        self.size: int = self.state.misc["memory_block_size_bytes"]
        nodes = {f"node{block.nid}" for block in self.state.blocks.values()}
        for place in item.where:
            if place not in nodes:
                raise InputError(
                    f"on {place}: the machine has no such node with memory", where=where,
                    remedy=f"there are {', '.join(sorted(nodes))}" if nodes else "it has no memory blocks",
                )  # fmt: skip

    def here(self, number: int) -> bool:
        return not self.item.where or f"node{self.state.blocks[number].nid}" in self.item.where

    def zoned(self, number: int, zone: str | None) -> bool:
        """Is an online block in a zone of that kind?"""
        return zone is None or (block_zone_word(self.state, number) == "Movable") == (zone == "movable")

    # -- what is named

    def named(self) -> list[int]:
        found: set[int] = set()
        for name in self.item.names:
            if name.startswith("dax"):
                found.update(self.device(name))
            elif name.startswith("memory"):
                first, _, last = name.replace("memory", "").partition("-")
                found.update(self.blocks(name, int(first), int(last or first) + 1))
            else:
                start, end = (int(part, 16) for part in name.split("-"))
                found.update(self.addresses(name, start, end + 1))
        return sorted(number for number in found if self.here(number))

    def instead(self, name: str, names: Iterable[str]) -> MemoryItem:
        """The same item with other names for one."""
        at = self.item.names.index(name)
        return replace(self.item, names=(*self.item.names[:at], *names, *self.item.names[at + 1 :]))

    def blocks(self, name: str, first: int, end: int) -> list[int]:
        there = [number for number in self.state.blocks if first <= number < end]
        if not there:
            have = read_runs(self.state.blocks)
            raise InputError(
                f"{name} is not there", where=self.where, remedy=f"the machine has {have}" if have else None
            )
        if len(there) != end - first:
            gone = [(a, b) for a, b in runs([first - 1, *there, end])]
            missing = [runs_name(a[1], b[0]) for a, b in pairwise(gone)]
            one = len(missing) == 1 and "-" not in missing[0]
            raise CannotError(
                f"{', '.join(missing[:4])} of it {'is' if one else 'are'} not there: a hole, or addresses that are no memory of the system",
                options=[(self.instead(name, names_of(there)),)],
            )
        return there

    def addresses(self, name: str, start: int, end: int) -> list[int]:
        size = self.size
        if start % size or end % size:
            options = []
            for a, b in ((-(-start // size), end // size), (start // size, -(-end // size))):
                if a < b:
                    options.append((self.instead(name, [f"{a * size:#x}-{b * size - 1:#x}"]),))
            raise CannotError(
                f"memory goes online and offline in whole blocks of {format_size(size)}", "memory-block-size", options
            )
        return self.blocks(name, start // size, end // size)

    def device(self, name: str) -> list[int]:
        dev = self.state.dax.get(name)
        if not isinstance(dev, DevDax) or not dev.size:
            have = ", ".join(key for key, each in self.state.dax.items() if isinstance(each, DevDax) and each.size)
            raise InputError(
                f"{name} is not there",
                where=self.where,
                remedy=f"the machine has {have}" if have else "it has no dax device",
            )
        if dev.driver != KMEM:
            raise CannotError(
                f"{name} is no memory of the system: daxctl reconfigure-device -m system-ram {name} makes it so (the intent "
                f'"replace {name}, system-ram rest on {dev.region}" does, among what it replaces)', "kmem",
            )  # fmt: skip
        return device_blocks(self.state, dev)

    # -- how much

    def count(self) -> int:
        """A size in blocks."""
        size, unit = self.item.size, self.size
        if size % unit:
            near = [each for each in (size // unit * unit, -(-size // unit) * unit) if each]
            raise CannotError(
                f"memory goes online and offline in whole blocks of {format_size(unit)}", "memory-block-size",
                [(replace(self.item, size=each),) for each in near],
            )  # fmt: skip
        return size // unit

    def too_few(self, found: int, words: str, options: Iterable[tuple[MemoryItem, ...]] = ()) -> CannotError:
        less = [(replace(self.item, size=found * self.size),)] if found else []
        return CannotError(f"{format_size(found * self.size) if found else 'nothing'} {words}", None, [*less, *options])

    # -- the two actions

    def online(self) -> list[int]:
        state, item = self.state, self.item
        if item.names:
            named = self.named()
            wrong = [n for n in named if state.blocks[n].state == "online" and not self.zoned(n, item.zone)]
            if wrong:
                zones = ", ".join(dict.fromkeys(block_zone_word(state, n) for n in wrong))
                first = MemoryItem(action="offline", names=names_of(wrong))
                raise CannotError(
                    f"{read_runs(wrong)} {'is' if len(wrong) == 1 else 'are'} online in {zones}, and a block changes its zone only by "
                    "going offline in between", "block-state", [(first, item)],
                )  # fmt: skip
            return [number for number in named if state.blocks[number].state != "online"]
        found = [n for n in sorted(state.blocks) if state.blocks[n].state == "offline" and self.here(n)]
        if not item.size:
            return found
        count = self.count()
        if len(found) < count:
            raise self.too_few(len(found), f"is offline{' there' if item.where else ''}: no more can go online")
        return found[:count]

    def offline(self) -> list[int]:
        state, item = self.state, self.item
        online = [n for n in sorted(state.blocks) if state.blocks[n].state == "online"]
        if item.names:
            named = self.named()
            wrong = [n for n in named if state.blocks[n].state == "online" and not self.zoned(n, item.zone)]
            if wrong:
                raise CannotError(
                    f"{read_runs(wrong)} {'is' if len(wrong) == 1 else 'are'} not in {_zone_words(item.zone)}", None,
                    [(replace(item, names=names_of(set(named) - set(wrong))),), (replace(item, zone=None),)]
                    if len(wrong) < len(named) else [(replace(item, zone=None),)],
                )  # fmt: skip
            return [number for number in named if state.blocks[number].state == "online"]
        zone = item.zone or ("movable" if item.size else None)
        found = [number for number in online if self.here(number) and self.zoned(number, zone)]
        return self.some(found, zone or "") if item.size else found

    def some(self, found: list[int], zone: str) -> list[int]:
        """From the highest down, those that go: blocks that the kernel refuses are passed over, as chmem does."""
        count = self.count()
        taken: list[int] = []
        trial = self.machine.copy()
        for number in reversed(found):
            if len(taken) == count:
                break
            if trial.apply(store_operation(_STATE.format(number), "offline")).refusal is None:
                taken.append(number)
        if len(taken) < count:
            other = replace(self.item, zone="kernel" if zone == "movable" else "movable")
            raise self.too_few(
                len(taken),
                f"in {'ZONE_MOVABLE' if zone == 'movable' else 'kernel zones'} can go offline{' there' if self.item.where else ''}",
                [(other,)],
            )
        return sorted(taken)


def _zone_words(zone: str | None) -> str:
    return "ZONE_MOVABLE" if zone == "movable" else "a kernel zone"


def choose(machine: Machine, item: MemoryItem, where: str) -> list[int]:
    """The blocks that are to change, ascending. Raises CannotError, and InputError for a block, device or node that is not there."""
    chooser = _Chooser(machine, item, where)
    return chooser.online() if item.action == "online" else chooser.offline()
