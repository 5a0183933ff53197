"""A plan as values: the commands, what they make, where every byte goes, and what can not be had.

Addresses and sizes are bytes, ranges half-open. Nothing here runs anything: ``sparsemem.planner.apply`` does.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparsemem.machine.machine import Machine
    from sparsemem.planner.intent import Intent
    from sparsemem.ranges import Range

__all__ = [
    "Balance",
    "Command",
    "Expectation",
    "Impossible",
    "MemoryBalance",
    "Plan",
    "PlannedBlocks",
    "PlannedNamespace",
]


@dataclass(frozen=True, slots=True)
class Expectation:
    """What ``tool`` ("ndctl": ``ndctl list -N -i``, "daxctl": ``daxctl list -D -i``) shows of ``dev`` afterwards: these keys with
    these values, others do not matter; ``shows`` None: ``dev`` is not listed, or with size 0. "lsmem": of memory blocks
    ("memory32-memory39"), under "memory": "offline", or "online in Movable"."""

    tool: str
    dev: str
    shows: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Command:
    """One command. ``why`` is a sentence; ``expect`` what the machine shows when it has succeeded; ``undo`` the commands that take it
    back, in order, None where nothing brings back what was there; ``destroys`` the devices whose content is lost."""

    argv: tuple[str, ...]
    why: str
    expect: tuple[Expectation, ...] = ()
    undo: tuple[tuple[str, ...], ...] | None = None
    destroys: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """Quoted for a shell."""
        return shlex.join(self.argv)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNamespace:
    """What the plan makes, as the played machine has it. ``item`` is the index in the intent; ``range`` all that it takes, ``data``
    what of that holds data (None for sector, whose blocks are not in one piece); ``usable`` what its user sees. ``blocks`` are the
    memory blocks (first, last + 1) of system-ram.

    ``subsections`` counts those that the kernel maps (0 without struct pages), ``device`` what to open ("pmem0", "dax0.0").
    """

    dev: str
    item: int
    region: str
    mode: str
    map: str | None
    align: int | None
    sector_size: int | None
    name: str | None
    range: Range
    data: Range | None
    usable: int
    device: str | None
    subsections: int
    blocks: tuple[int, int] | None = None
    numa_node: int | None = None

    @property
    def raw(self) -> int:
        """Bytes of the region that it takes."""
        return self.range.size


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedBlocks:
    """Memory blocks (first, last + 1) of one node that go online or offline (``action``). ``zone``: that of them while they are online;
    ``devices``: the dax devices whose memory it is."""

    item: int
    action: str
    blocks: tuple[int, int]
    range: Range
    zone: str
    numa_node: int
    devices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBalance:
    """Bytes of the memory blocks of a node: online in ZONE_MOVABLE, online otherwise (``kernel``), offline."""

    numa_node: int
    kernel: int
    movable: int
    offline: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """Where the bytes of a region are; all parts together are ``size``, to the byte.

    ``data``: what users see, ``rounding``: what a "usable" amount got beyond what was asked for; ``info_block``: 8 KiB of each
    fsdax and devdax namespace; ``memmap``: struct pages in the device (map=dev); ``btt``: map, log and info blocks of sector
    namespaces; ``padding``: between those and data, and at the end, for an alignment; ``outside_blocks``: data of system-ram outside
    whole memory blocks; ``idle``: namespaces without a driver, of which nothing more is known; ``unusable``: free and too small or
    too crooked to be given to a namespace; ``free``: can still be given.
    """

    region: str
    size: int
    data: int = 0
    rounding: int = 0
    info_block: int = 0
    memmap: int = 0
    btt: int = 0
    padding: int = 0
    outside_blocks: int = 0
    idle: int = 0
    unusable: int = 0
    free: int = 0

    @property
    def parts(self) -> dict[str, int]:
        """Each part by name, in this order."""
        names = (
            "data", "rounding", "info_block", "memmap", "btt", "padding", "outside_blocks", "idle", "unusable", "free",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names}

    @property
    def stranded(self) -> int:
        """Bytes that serve nobody: ``rounding``, ``padding``, ``outside_blocks`` and ``unusable``."""
        return self.rounding + self.padding + self.outside_blocks + self.unusable


@dataclass(frozen=True, slots=True, kw_only=True)
class Impossible:
    """What can not be had. ``item`` is the index in the intent, memory items behind the others (None: the intent as a whole); ``rule`` an
    id of ``spec.rules``; ``says`` the words of the tool or the kernel that would refuse it; ``nearest`` whole intents that can be had,
    as text."""

    item: int | None
    what: str
    why: str
    rule: str | None = None
    says: tuple[str, ...] = ()
    nearest: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The answer to an intent. With something ``impossible`` there are no ``commands``: half a wish is not carried out.

    ``before`` and ``after`` are machines of the model (``after`` with all commands played; ``before`` itself where there are none).
    ``search`` says how it was found: "exact" (every order and region was looked at or ruled out) or "heuristic"; ``optimal``: fewer
    stranded bytes are proven impossible. ``notes`` are sentences. ``memory``: blocks that the intent's memory items change, with
    the balances of all memory blocks before and after (empty where the intent has no such item).
    """

    intent: Intent
    kernel: str
    ndctl: tuple[int, ...]
    commands: tuple[Command, ...]
    namespaces: tuple[PlannedNamespace, ...]
    balance: tuple[Balance, ...]
    impossible: tuple[Impossible, ...]
    search: str
    optimal: bool
    notes: tuple[str, ...] = ()
    memory: tuple[PlannedBlocks, ...] = ()
    memory_before: tuple[MemoryBalance, ...] = ()
    memory_after: tuple[MemoryBalance, ...] = ()
    before: Machine = field(repr=False, compare=False)
    after: Machine = field(repr=False, compare=False)

    @property
    def stranded(self) -> int:
        """Bytes that serve nobody, in all regions."""
        return sum(each.stranded for each in self.balance)
