"""Kills at chosen points of an application: a runner and a journal that raise, as if the process had ended there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sparsemem.planner.apply import Applier, Journal
from sparsemem.units import parse_size

if TYPE_CHECKING:
    from pathlib import Path

    from sparsemem.planner.apply import Outcome, Runner

__all__ = ["POINTS", "Killed", "Killer", "go", "half_made"]

POINTS = ("before begin", "torn begin", "after begin", "half", "after run", "before done", "torn done", "after done")
"""Around one command. Torn: a part of the line is on the disk. Half: the command itself was killed half-way (where it can be)."""


_UUID = "11111111-2222-3333-4444-555555555555"


class Killed(BaseException):
    """The process is gone."""


def half_made(argv: tuple[str, ...], runner: Runner) -> bool:
    """Do what ``ndctl create-namespace`` has done before its namespace has a mode; False for another command. It takes the region's
    first namespace where that is idle, else the seed."""
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
