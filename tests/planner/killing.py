"""Kills at chosen points of an application: a runner and a journal that raise, as if the process had ended there."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply import Applier, Journal
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from pathlib import Path

    from sparsemem.planner.apply import Outcome, Runner

__all__ = ["POINTS", "Killed", "Killer", "go", "half_made", "half_region"]

POINTS = ("before begin", "torn begin", "after begin", "half", "after run", "before done", "torn done", "after done")
"""Around one command. Torn: a part of the line is on the disk. Half: the command itself was killed half-way (where it can be)."""


_UUID = "11111111-2222-3333-4444-555555555555"


class Killed(BaseException):
    """The process is gone."""


def half_region(argv: tuple[str, ...]) -> list[tuple[str, str]]:
    """What ``cxl`` writes, in its order: (file, value). Decoders of endpoints are numbered from 2 on, as QEMU's boards have them."""
    bus = "/sys/bus/cxl"
    if argv[1] == "destroy-region":
        region = f"{bus}/devices/{argv[-1]}"
        return [(f"{bus}/drivers/cxl_region/unbind", argv[-1]), (f"{region}/commit", "0"), (f"{region}/target0", "''")]
    words = dict(itertools.pairwise(argv))
    region, size, ways = f"{bus}/devices/region0", parse_size(words["-s"]), int(words["-w"])
    writes = [
        (f"{bus}/devices/{words['-d']}/create_pmem_region", "region0"), (f"{region}/interleave_granularity", words.get("-g", "256")),
        (f"{region}/interleave_ways", str(ways)), (f"{region}/uuid", _UUID), (f"{region}/size", hex(size)),
    ]  # fmt: skip
    for position, memdev in enumerate(argv[argv.index("-m") + 1 :]):
        decoder = f"decoder{int(memdev[3:]) + 2}.0"
        own = f"{bus}/devices/{decoder}"
        writes += [(f"{own}/dpa_size", "0"), (f"{own}/mode", "pmem"), (f"{own}/dpa_size", hex(size // ways))]
        writes.append((f"{region}/target{position}", decoder))
    return [*writes, (f"{region}/commit", "1"), (f"{bus}/drivers/cxl_region/bind", "region0")]


def half_made(argv: tuple[str, ...], runner: Runner) -> bool:
    """Do what ``ndctl create-namespace`` has done before its namespace has a mode; False for another command. It takes the region's
    first namespace where that is idle, else the seed. ``cxl`` has made its region without targets, or has only disabled it."""
    if argv[:1] == ("cxl",):
        for path, value in half_region(argv)[: 3 if argv[1] == "destroy-region" else 5]:
            code, said = runner.run(("sh", "-c", f"echo {value} > {path}"))
            assert code == 0, said
        return True
    if argv[:2] != ("ndctl", "create-namespace") or "-s" not in argv or "-r" not in argv:
        return False
    region = argv[argv.index("-r") + 1]
    name = f"namespace{region.removeprefix('region')}.0"
    code, said = runner.run(("sh", "-c", f"cat /sys/bus/nd/devices/{name}/size"))
    if code or said.strip() != "0":
        code, said = runner.run(("sh", "-c", f"cat /sys/bus/nd/devices/{region}/namespace_seed"))
        assert code == 0, said
        name = said.strip()
    for key, value in (("uuid", _UUID), ("size", str(parse_size(argv[argv.index("-s") + 1])))):
        code, said = runner.run(("sh", "-c", f"echo {value} > /sys/bus/nd/devices/{name}/{key}"))
        assert code == 0, said
    return True


class _Journal(Journal):
    """Kills at the writing of an event."""

    killer: Killer

    def write(self, event: str, **fields: Any) -> None:
        killer = self.killer
        name = {"begin": "begin", "done": "done", "back": "begin", "backed": "done"}.get(event, "")
        here = killer.step is not None and fields.get("step") == killer.step and bool(name)
        if here and killer.point == f"before {name}":
            raise Killed
        if here and killer.point == f"torn {name}":
            with open(self.path, "a") as file:
                file.write(f'{{"event":"{event}","st')
            raise Killed
        super().write(event, **fields)
        if here and killer.point == f"after {name}":
            raise Killed


class Killer:
    """A runner on another one. ``step``: the command (from 1) at which it kills, ``point``: where; None: it does not."""

    def __init__(self, runner: Runner, step: int | None = None, point: str = "") -> None:
        self.inner = runner
        self.name = runner.name
        self.step = step
        self.point = point

    def run(self, argv: tuple[str, ...]) -> tuple[int, str]:
        here = self.step is not None and self.journal_step == self.step
        if here and self.point == "half":
            if half_made(argv, self.inner):
                raise Killed
            here = False
        answer = self.inner.run(argv)
        if here and self.point == "after run":
            raise Killed
        return answer

    journal_step: int | None = None

    def observe(self) -> dict[str, Any]:
        return self.inner.observe()

    def log(self) -> tuple[str, ...]:
        return self.inner.log()


def go(
    path: Path, runner: Runner, step: int | None = None, point: str = "", *, undo: bool = False, boot: str | None = None, **words: Any,
) -> Outcome | None:  # fmt: skip
    """Open the journal and go on, or back; None when it was killed. ``boot``: which boot of the machine it is."""
    killer = Killer(runner, step, point)
    journal = _Journal.open(path)
    assert isinstance(journal, _Journal)
    journal.killer = killer
    write = journal.write

    def follow(event: str, **fields: Any) -> None:
        if event in ("begin", "back"):
            killer.journal_step = fields["step"]
        write(event, **fields)

    journal.write = follow  # type: ignore[method-assign]
    with journal:
        applier = Applier(journal, killer, boot=boot)
        try:
            return applier.undo() if undo else applier.run(**words)
        except Killed:
            return None
