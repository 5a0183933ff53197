"""Drawn questions to the planner: machines with odd regions and with namespaces on them, intents of every kind, and what must hold of the
answer. A question is its number: ``python -m tests.planner.fuzzing 17`` asks one, ``--count 2000 --seed 1`` asks many and counts.
"""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING

from sparsemem.errors import SparsememError
from sparsemem.machine.notation import parse_machine
from sparsemem.planner import make_plan, parse_intent, render_text, shell_text, to_script
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step
from tests.planner.machines import GIB, MIB

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine
    from sparsemem.planner import Plan

__all__ = ["Question", "Tally", "ask", "draw"]

_KERNELS = (
    "4.17", "4.19", "5.0", "5.1", "5.2", "5.3", "5.4", "5.6", "5.7", "5.8", "5.9", "5.10", "5.12", "5.15", "5.17", "6.1", "6.3", "6.6",
    "6.10", "6.12", "6.15", "7.0", "7.2", "7.3",
)  # fmt: skip
_NDCTL = (62, 63, 64, 65, 66, 67, 68, 70, 71, 72, 74, 76, 78, 81, 85)
_MODES = ("fsdax", "devdax", "sector", "raw", "system-ram")
_AMOUNTS = (
    "16M", "48M", "64M", "96M", "96M", "128M", "192M", "192M", "250M", "333M", "512M", "1G", "3G", "4097", "usable 1M", "usable 50M",
    "usable 50M", "usable 128M", "usable 150M", "usable 1G", "5%", "10%", "33.3%", "50%", "100%", "rest", "rest", "rest",
)  # fmt: skip
_OPTIONS = (
    "", "", "", "map=mem", "map=dev", "align=4K", "align=2M", "align=1G", "align=16M", "on region0", "on region1", "on node0", "on node1",
    "name=db", "sector=512", "sector=4096", "no-movable",
)  # fmt: skip
_LABELS = ("1.2", "1.2", "1.2", "1.1", "1.1", "blank", "none")
_SMALL = ("96M", "96M", "192M", "288M", "usable 50M", "usable 70M", "usable 150M", "5%", "10%", "20%", "rest", "rest")
_PLAIN = (
    "", "", "", "map=mem", "map=dev", "align=2M", "align=4K", "on region0", "name=db", "sector=512", "sector=4096", "no-movable",
)  # fmt: skip
_SIZES = (240, 384, 512, 768, 1056, 1536, 3072, 5120)


@dataclass(frozen=True)
class Question:
    """A machine as a layout line, what is done on it first, an intent and a release of ndctl."""

    number: int
    line: str
    before: tuple[str, ...]
    intent: str
    ndctl: int

    def machine(self) -> Machine:
        """The machine that is asked about. What is done first may be refused."""
        board = parse_machine(self.line)
        player = Player(board, ndctl=(76,))
        for command in self.before:
            player.step(command, parse_step(command), tty=False)
        return board

    def __str__(self) -> str:
        return f'{self.number}: "{self.line}" [{"; ".join(self.before)}] "{self.intent}" --ndctl-version {self.ndctl}'


def _regions(rng: Random, *, easy: bool) -> tuple[list[str], list[str], list[str]]:
    """Layout entries, operations and names of one to three regions; some lie off every border."""
    entries, operations, names = [], [], []
    at, dimms = 4 * GIB + rng.choice((0, 16, 64, 96) if easy else (0, 0, 0, 2, 16, 64, 66, 96)) * MIB, 0
    for number in range(rng.choice((1, 1, 1, 2, 2, 3))):
        ways = rng.choice((1, 1, 1, 2, 3) if easy else (1, 1, 1, 1, 2, 3, 4, 6))
        size = rng.choice((*_SIZES[1:2], *_SIZES[3:]) if easy else _SIZES) * MIB
        size += rng.choice((0, 48) if easy else (0, 0, 0, 2, 6, 48)) * MIB
        size -= size % (ways * 4096)
        place = f"{at:#x}-{at + size - 1:#x}"
        node = rng.choice((0, 0, 0, 1))
        kind = rng.uniform(0.05 if easy else 0, 1)
        if kind < 0.1:
            entries.append(f"{place} soft")
            operations.append(f"dax_region {place} driver=hmem region={number} node=0")
            names.append(f"dax_region{number}")
        else:
            entries.append(f"{place} pmem")
            words = [f"region={number}", f"node={node}"]
            if kind < 0.2:
                words.append(f"bus={rng.choice(('e820', 'virtio'))}")
            else:
                labels = rng.choice(_LABELS[: 5 if easy else 7])
                words += [f"ways={ways}", f"slot={dimms}", f"nmem={dimms}"]
                words += [f"labels={labels}"] if labels != "none" else []
                words += ["target_node=-1"] if rng.random() < 0.05 else []
                dimms += ways
            operations.append(f"nd_region {place} {' '.join(words)}")
            names.append(f"region{number}")
        at += size + rng.choice((0, 16, 128) if easy else (0, 0, 2, 16, 128)) * MIB
    return entries, operations, names


def _before(rng: Random, names: list[str]) -> tuple[str, ...]:
    """Commands that leave namespaces on the machine, and holes between them."""
    commands, made = [], Counter[str]()
    for _ in range(rng.choice((0, 0, 0, 1, 2, 3))):
        name = rng.choice(names)
        if not name.startswith("region"):
            continue
        mode, size = rng.choice(("fsdax", "devdax", "raw", "sector")), rng.choice((16, 48, 96, 126, 192)) * MIB
        commands.append(f"ndctl create-namespace -r {name} -m {mode} -s {size} -f")
        made[name] += 1
    if made and rng.random() < 0.5:
        name = rng.choice(sorted(made))
        verb = rng.choice(("destroy", "destroy", "disable"))
        commands.append(f"ndctl {verb}-namespace -f namespace{name[6:]}.{rng.choice((0, 0, made[name] - 1))}")
    return tuple(commands)


def _intent(rng: Random, names: list[str], *, easy: bool) -> str:
    parts = []
    if rng.random() < (0.1 if easy else 0.4):
        parts.append("replace " + rng.choice(("all", "all", "all", "all", "namespace0.0")))
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        mode = rng.choice(_MODES)
        option = rng.choice(_PLAIN if easy else _OPTIONS)
        if option.startswith(("map", "align")) and mode in ("sector", "raw"):
            option = ""
        if option == "no-movable" and mode != "system-ram":
            option = ""
        if option.startswith("sector") and mode == "system-ram":
            option = ""
        if option in ("on region0", "on region1"):
            option = f"on {rng.choice(names)}"
        count = rng.choice((1, 1, 1, 1, 1, 2, 3, 7))
        words = [f"{count} x {mode}" if count > 1 else mode, rng.choice(_SMALL if easy else _AMOUNTS), option]
        parts.append(" ".join(word for word in words if word))
    return ", ".join(parts)


def draw(number: int) -> Question:
    """The question of this number."""
    rng = Random(number)
    easy = rng.random() < 0.6  # what mostly can be had; the others mostly can not
    entries, operations, names = _regions(rng, easy=easy)
    options = rng.choice(("", "", "with auto_online=online", "with auto_online=offline", "with block=2G"))
    line = "; ".join(
        [rng.choice(_KERNELS), ", ".join(["1M-2G ram", *entries]), *([options] if options else []), *operations]
    )
    return Question(number, line, _before(rng, names), _intent(rng, names, easy=easy), rng.choice(_NDCTL))


@dataclass
class Tally:
    """What came of the questions."""

    kinds: Counter[str] = field(default_factory=Counter)
    bugs: list[str] = field(default_factory=list)
    without: list[str] = field(default_factory=list)
    slow: list[tuple[float, str]] = field(default_factory=list)

    def add(self, question: Question, *, nearest: bool) -> None:
        """Ask, and count."""
        self.kinds["questions"] += 1
        start = time.process_time()
        try:
            kind, plan = ask(question, nearest=nearest)
        except Exception as error:
            self.bugs.append(f"{question}\n    {type(error).__name__}: {error}")
            if not isinstance(error, RuntimeError | AssertionError):
                self.bugs[-1] += "\n" + traceback.format_exc()
            return
        taken = time.process_time() - start
        if taken > 2:
            self.slow.append((taken, str(question)))
        self.kinds[kind] += 1
        if plan is not None and plan.impossible and nearest and not any(each.nearest for each in plan.impossible):
            self.kinds["impossible, none nearest"] += 1
            self.without.append(f"{question}\n    {' / '.join(each.why for each in plan.impossible)}")
            if (there := something(question)) is not None:
                self.bugs.append(f"{question}\n    nothing near, but there is: {there}")
        if plan is not None and not plan.impossible:
            self.kinds[f"plan, {plan.search}{', optimal' if plan.optimal else ''}"] += 1


def _holds(question: Question, board: Machine, plan: Plan) -> None:
    """What is true of every answer. Raises AssertionError."""
    for each in plan.balance:
        assert sum(each.parts.values()) == each.size, each
        assert min(each.parts.values()) >= 0, each
    assert render_text(plan, 60, picture=False)
    assert to_script(plan)
    if plan.impossible:
        assert not plan.commands
        assert all(each.what and each.why for each in plan.impossible)
        return
    other = board.copy()
    player = Player(other, ndctl=plan.ndctl)
    gone: set[str] = set()
    for command in plan.commands:
        text = shell_text(command.argv)
        step = player.step(text, parse_step(text), tty=False)
        assert step.exit_code == 0, (text, step.stdout, step.log_lines)
        gone |= set(command.destroys)
    assert other.snapshot() == plan.after.snapshot()
    if plan.intent.replace != ("all",):
        assert gone <= set(plan.intent.replace), "nothing is destroyed that was not named"
    items = plan.intent.items
    wanted = Counter({number: item.count for number, item in enumerate(items) if item.amount.kind != "rest"})
    made = Counter(each.item for each in plan.namespaces if items[each.item].amount.kind != "rest")
    assert made == wanted
    for space in plan.namespaces:
        amount = items[space.item].amount
        assert amount.kind != "usable" or space.usable >= amount.size
        assert amount.kind != "raw" or space.raw == amount.size


def something(question: Question) -> str | None:
    """One namespace of a mode of the intent that can be had, if any: by trying some, without the planner's ideas of what is near."""
    modes = dict.fromkeys(item.mode for item in parse_intent(question.intent).items)
    board = question.machine()
    for start in ("", "replace all, "):
        for mode in modes:
            for amount in ("16M", "48M", "96M", "128M", "192M", "384M", "rest"):
                text = f"{start}{mode} {amount}"
                try:
                    plan = make_plan(board, parse_intent(text), ndctl=(question.ndctl,), nearest=False)
                except SparsememError:
                    continue
                if not plan.impossible:
                    return text
    return None


def ask(question: Question, *, nearest: bool) -> tuple[str, Plan | None]:
    """("plan" or "impossible", the plan), or ("refused", None) where the intent names what is not there, or it cannot be told."""
    board = question.machine()
    before = board.snapshot()
    try:
        plan = make_plan(board, parse_intent(question.intent), ndctl=(question.ndctl,), nearest=nearest)
    except SparsememError:
        return "refused", None
    assert board.snapshot() == before, "the machine that was asked about stays as it is"
    _holds(question, board, plan)
    for wrong in plan.impossible:
        for near in wrong.nearest:
            assert str(parse_intent(near)) == near
            again = make_plan(board, parse_intent(near), ndctl=(question.ndctl,), nearest=False)
            assert not again.impossible, f"nearest {near} can not be had: {again.impossible}"
    return ("impossible" if plan.impossible else "plan"), plan


def main(argv: list[str]) -> int:
    """Ask what the arguments say; 1 where anything is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.planner.fuzzing", description=__doc__)
    parser.add_argument("number", nargs="?", type=int, help="ask this one question, and show the answer")
    parser.add_argument("--seed", type=int, default=0, help="the first number")
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seconds", type=float, default=3600, help="stop after so long, and count what there is")
    parser.add_argument("--no-nearest", action="store_true")
    parser.add_argument("--list-without", action="store_true", help="list the impossible ones without a nearest intent")
    args = parser.parse_args(argv)
    if args.number is not None:
        question = draw(args.number)
        print(question)
        plan = make_plan(question.machine(), parse_intent(question.intent), ndctl=(question.ndctl,))
        print(render_text(plan, 120, picture=False))
        return 0
    tally, end = Tally(), time.monotonic() + args.seconds
    for number in range(args.seed, args.seed + args.count):
        if time.monotonic() > end:
            break
        tally.add(draw(number), nearest=not args.no_nearest)
    for kind, count in sorted(tally.kinds.items()):
        print(f"{count:6} {kind}")
    for text in tally.bugs:
        print("BUG", text)
    for taken, text in sorted(tally.slow, reverse=True)[:20]:
        print(f"SLOW {taken:.1f} s {text}")
    for text in tally.without if args.list_without else ():
        print("NONE", text)
    return 1 if tally.bugs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
