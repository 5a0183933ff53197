"""Namespaces through the tools: create and destroy, a long list, and info blocks read. Every answer is checked."""

from __future__ import annotations

import gc
import json
import random
import time
from typing import TYPE_CHECKING, Any

from bench.measure import Table, WrongAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["run"]

_GIB, _MIB = 1 << 30, 1 << 20


def run(table: Table, *, quick: bool) -> None:
    """All parts, with the collector as the command line sets it."""
    gc.set_threshold(50_000, 50, 100)
    _create_destroy(table, 500 if quick else 10_000)
    _long_list(table, 1_000)
    _info_blocks(table, 1_000)


def _board(size: int) -> tuple[Any, Callable[..., str]]:
    from sparsemem.machine.notation import parse_machine
    from sparsemem.tools import ndctl
    from sparsemem.tools.result import Console
    from sparsemem.tools.tree import MachineTree

    start = 1 << 40
    place = f"{start:#x}-{start + size - 1:#x}"
    machine = parse_machine(f"6.1; 1M-2G ram, {place} pmem; nd_region {place} labels=1.2 label_size=4M")
    tree = MachineTree(machine)

    def tool(*words: str) -> str:
        result = ndctl.main(tree, list(words), Console(tty=False))
        if result.exit_code:
            raise WrongAnswerError(f"ndctl {' '.join(words)}: {result.stderr}")
        return result.stdout

    return machine, tool


def _create_destroy(table: Table, nr: int) -> None:
    """Commands as they are typed, a few namespaces alive at a time; in the end the region is as it was."""
    _, tool = _board(64 * _GIB)
    free = json.loads(tool("list", "-R"))[0]["available_size"]
    rng = random.Random(5)  # noqa: S311
    held: list[str] = []
    spent = {"create": 0.0, "destroy": 0.0}
    modes = ("fsdax", "devdax", "raw", "sector")
    for index in range(nr):
        size = rng.choice((16, 32, 48, 128))
        began = time.perf_counter()
        made = json.loads(tool("create-namespace", "-m", modes[index % 4], "-s", f"{size}M"))
        spent["create"] += time.perf_counter() - began
        held.append(made["dev"])
        if len(held) > 8:
            name = held.pop(rng.randrange(len(held)))
            began = time.perf_counter()
            tool("destroy-namespace", "-f", name)
            spent["destroy"] += time.perf_counter() - began
    destroyed = nr - len(held)
    tool("destroy-namespace", "-f", "all")
    if json.loads(tool("list", "-R"))[0]["available_size"] != free:
        raise WrongAnswerError("space is lost after all namespaces were destroyed")
    table.within(f"ndctl create-namespace, {nr:,} of them", "on the model", spent["create"] / nr * 1e3, 3, "ms")
    table.within(f"ndctl destroy-namespace, {destroyed:,}", "on the model", spent["destroy"] / destroyed * 1e3, 3, "ms")


def _long_list(table: Table, nr: int) -> None:
    _, tool = _board(6 << 40)
    for _ in range(nr):
        tool("create-namespace", "-s", "1G")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        listed = json.loads(tool("list", "-N"))
        times.append(time.perf_counter() - began)
        if len(listed) != nr:
            raise WrongAnswerError(f"{len(listed)} namespaces listed, {nr} made")
    table.within(f"ndctl list, {nr:,} namespaces in 6 TiB", "on the model", sorted(times)[2] * 1e3, 200, "ms")


def _info_blocks(table: Table, nr: int) -> None:
    from sparsemem.kernel.nvdimm import pfn

    machine, tool = _board(64 * _GIB)
    tool("create-namespace", "-s", "16M")
    region = next(name for name in machine.state.nd if name.startswith("region"))
    from sparsemem.kernel.nvdimm import media

    block = media.read(machine.state, region, 4096, 4096)
    times = []
    for _ in range(9):
        began = time.perf_counter()
        good = sum(pfn.checksum_valid(block) and pfn.decode(block).dataoff == 2 * _MIB for _ in range(nr))
        times.append(time.perf_counter() - began)
        if good != nr:
            raise WrongAnswerError("an info block of the model's own is not valid")
    table.within(f"{nr:,} info blocks parsed and checked", "plain Python", sorted(times)[4] * 1e3, 20, "ms")
