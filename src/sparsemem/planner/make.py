"""``make_plan``: from an intent and a machine to a plan that the model has played."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.planner.cxl.make import about_regions, offered, region_plan
from sparsemem.planner.intent import Intent
from sparsemem.planner.measure import balance
from sparsemem.planner.memory.balance import memory_balance, memory_notes
from sparsemem.planner.memory.prove import play_memory
from sparsemem.planner.memory.select import CannotError
from sparsemem.planner.nearest import impossible_item, impossible_room
from sparsemem.planner.plan import Impossible, Plan
from sparsemem.planner.predict import Rules
from sparsemem.planner.problem import Problem
from sparsemem.planner.prove import CommandRefusedError, PredictionError, Prover
from sparsemem.planner.solve import solve
from sparsemem.planner.spaces import find_spaces, with_labels
from sparsemem.planner.wants import make_wants

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine
    from sparsemem.planner.plan import Balance, PlannedBlocks
    from sparsemem.planner.problem import Want
    from sparsemem.planner.solve import Solution
    from sparsemem.planner.spaces import Space
    from sparsemem.planner.wants import Forbidden

__all__ = ["make_plan"]


_MOST_ASKED = 60
_QUICKLY = 500
_MOST_SPENT = 80_000


def _without_replaced(machine: Machine, intent: Intent, ndctl: tuple[int, ...]) -> Machine:
    """Up to v5.2 mappings are tried on the state, where those that go must not be in the way."""
    if machine.kernel.features.subsection_hotplug or not intent.replace:
        return machine
    from sparsemem.planner.prove import Prover

    prover = Prover(machine, ndctl, Rules(machine.state, ndctl))
    for space in find_spaces(machine.state, intent.replace, ndctl):
        for each in space.replaced:
            prover.play(
                (
                    "ndctl",
                    "destroy-namespace" if space.labelled else "disable-namespace",
                    *(("-f",) if space.labelled else ()),
                    each.name,
                )
            )
    return prover.machine


class _Question:
    """An intent on a machine: what was found, before anything is played."""

    def __init__(
        self, machine: Machine, intent: Intent, ndctl: tuple[int, ...], *, quick: bool = False,
        known: dict[tuple[str, ...], Rules],
    ) -> None:  # fmt: skip
        rules = known.get(intent.replace)
        if rules is None:
            rules = known[intent.replace] = Rules(_without_replaced(machine, intent, ndctl).state, ndctl)
        self.rules = rules
        self.intent = intent
        self.ndctl = ndctl
        self.labels: set[str] = set()
        self.quick = quick
        self.spaces = find_spaces(machine.state, intent.replace, ndctl)
        self._ask()
        if self.solution is None:
            self._with_labels(machine)

    def _ask(self) -> None:
        self.forbidden: list[Forbidden] = []
        self.blocked: Want | None = None
        self.solution: Solution | None = None
        wants, self.forbidden = make_wants(self.rules, self.spaces, self.intent, self.ndctl)
        self.problem = Problem(self.rules, self.intent, self.spaces, wants, self.ndctl)
        if self.quick:
            self.problem.most_tried = _QUICKLY
        if not self.forbidden:
            self.solution, self.blocked = solve(self.problem)

    def _with_labels(self, machine: Machine) -> None:
        """Would label-less regions help if they had labels? Only those that the intent replaces altogether."""
        could = {space.name for space in self.spaces if space.label_area and not space.kept and space.replaced}
        if not could:
            return
        kept = self.spaces, self.problem, self.forbidden, self.blocked
        self.spaces = [with_labels(machine.state, space) if space.name in could else space for space in self.spaces]
        self._ask()
        if self.solution is None:
            self.spaces, self.problem, self.forbidden, self.blocked = kept
        else:
            used = {self.spaces[each.space].name for each in self.solution.placements}
            self.labels = could & used


def _notes(question: _Question, prover: Prover, planned: list[PlannedBlocks]) -> list[str]:
    notes = []
    rules = question.rules
    for each in question.solution.placements if question.solution is not None else ():
        if each.outcome.start_pad:
            name = question.spaces[each.space].name
            notes.append(
                f"In {name}, {each.outcome.start_pad >> 20} MiB in front of a namespace are cut off (start_pad): block I/O works, direct "
                "access (DAX) is silently off. A kernel from 5.3 on does not do that."
            )
    if rules.tool.minimum_16m is False:
        notes.append("ndctl before 68 does not check sizes and addresses as newer releases do.")
    moved = [item for item in question.intent.items if item.mode == "system-ram" and not item.movable]
    if moved:
        notes.append(
            "Memory in ZONE_NORMAL can hold the kernel's own pages, and may never come back: there is no undo for it."
        )
    notes += memory_notes(question.intent, prover.machine.state, planned)
    if prover.rules.state.kernel.version.caveat:
        notes.append(prover.rules.state.kernel.version.caveat)
    return notes


def _nothing(machine: Machine, intent: Intent, question: _Question, impossible: list[Impossible]) -> Plan:
    spaces = find_spaces(machine.state, (), question.ndctl)
    return Plan(
        intent=intent, kernel=str(machine.kernel.version), ndctl=question.ndctl, commands=(), namespaces=(),
        balance=_balances(machine, spaces, question.rules, {}), impossible=tuple(impossible), search="exact", optimal=False,
        before=machine, after=machine,
    )  # fmt: skip


def _balances(machine: Machine, spaces: list[Space], rules: Rules, rounding: dict[str, int]) -> tuple[Balance, ...]:
    problem = Problem(rules, Intent(()), spaces, [], ())
    return tuple(
        balance(machine.state, space, rounding, problem.unusable(index, problem.room(index)))
        for index, space in enumerate(spaces)
    )


def _in_the_way(
    machine: Machine, intent: Intent, refused: CommandRefusedError, ndctl: tuple[int, ...], *, nearest: bool
) -> Impossible:
    """The kernel refuses what the sizes would allow. Nearest are the other regions, and a mode without struct pages: played, too."""
    assert refused.item is not None
    item = intent.items[refused.item]
    options = [
        replace(item, where=(space.name,))
        for space in find_spaces(machine.state, (), ndctl)
        if space.name not in item.where
    ]
    options.append(replace(item, mode="sector", map=None, align=None, movable=True))
    found = []
    for each in options[:8] if nearest else ():
        other = intent.with_item(refused.item, each)
        if not make_plan(machine, other, ndctl=ndctl, nearest=False).impossible:
            found.append(str(other))
    return Impossible(
        item=refused.item, what=str(item), why="the kernel refuses it there, for what else lies at these addresses or how it was built",
        rule=refused.rule, says=(" ".join(refused.argv), *refused.words), nearest=tuple(found[:4]),
    )  # fmt: skip


def _no_memory(
    machine: Machine, intent: Intent, number: int, cannot: CannotError, ndctl: tuple[int, ...], *, nearest: bool
) -> Impossible:  # fmt: skip
    """A memory item that can not be had, with what can stand in its place: played, too."""
    found = []
    for items in cannot.options if nearest else ():
        other = intent.with_memory(number, items)
        if not make_plan(machine, other, ndctl=ndctl, nearest=False).impossible:
            found.append(str(other))
    return Impossible(
        item=len(intent.items) + number, what=str(intent.memory[number]), why=cannot.why, rule=cannot.rule, says=cannot.says,
        nearest=tuple(dict.fromkeys(found)),
    )  # fmt: skip


def make_plan(machine: Machine, intent: Intent, *, ndctl: tuple[int, ...] = (76,), nearest: bool = True) -> Plan:
    """Plan ``intent`` on ``machine``, which stays as it is. ``nearest``: look for intents that can be had where this one can not.

    Raises InputError (a device or a place that is not there), NotModelledError, PredictionError (a bug of ours).
    """
    if about_regions(intent):
        return region_plan(make_plan, machine, intent, ndctl=ndctl, nearest=nearest)
    known: dict[tuple[str, ...], Rules] = {}
    question = _Question(machine, intent, ndctl, known=known)
    asked = 0

    def can(other: Intent) -> bool:
        """Can it be had, as far as can be told without playing it? After so many questions: no."""
        nonlocal asked
        asked += 1
        if asked > _MOST_ASKED or sum(rules.spent for rules in known.values()) > _MOST_SPENT:
            return False
        return _Question(machine, other, ndctl, quick=True, known=known).solution is not None

    if question.solution is None:
        if question.forbidden:
            found = [
                impossible_item(question.problem, each, machine, can if nearest else None)
                for each in question.forbidden
            ]
        else:
            found = [impossible_room(question.problem, question.blocked, machine, can if nearest else None)]
        if nearest:
            found[0] = offered(make_plan, machine, intent, ndctl, found[0])
        return _nothing(machine, intent, question, found)
    prover = Prover(machine, ndctl, question.rules)
    try:
        _play(prover, question)
    except CommandRefusedError as refused:
        if refused.item is not None:
            return _nothing(machine, intent, question, [_in_the_way(machine, intent, refused, ndctl, nearest=nearest)])
        why = "what is there now does not let go; the words below say why"
        if refused.rule in ("isolation-failure", "unmovable-page"):
            why = (
                "its memory is online in a zone where the kernel keeps pages of its own, and only a reboot gives it back; booted with "
                "memhp_default_state=offline (or online_movable), it can be"
            )
        what = Impossible(
            item=None,
            what=f"{' '.join(refused.argv)} is refused as things stand",
            why=why,
            rule=refused.rule,
            says=refused.words,
        )
        return _nothing(machine, intent, question, [what])
    planned: list[PlannedBlocks] = []
    for number, memory in enumerate(intent.memory):
        try:
            planned += play_memory(prover, memory, len(intent.items) + number)
        except CannotError as cannot:
            wrong = _no_memory(machine, intent, number, cannot, ndctl, nearest=nearest)
            return _nothing(machine, intent, question, [wrong])
    rounding = {}
    for each in prover.namespaces:
        amount = intent.items[each.item].amount
        if amount.kind == "usable":
            rounding[each.dev] = each.usable - amount.size
    after = find_spaces(prover.machine.state, (), ndctl)
    rules = Rules(prover.machine.state, ndctl)
    balances = _balances(prover.machine, after, rules, rounding)
    _check(balances, question)
    return Plan(
        intent=intent, kernel=str(machine.kernel.version), ndctl=ndctl, commands=tuple(prover.commands),
        namespaces=tuple(prover.namespaces), balance=balances, impossible=(),
        search="exact" if question.solution.exact else "heuristic", optimal=question.solution.optimal,
        notes=tuple(_notes(question, prover, planned)), memory=tuple(planned),
        memory_before=memory_balance(machine.state) if intent.memory else (),
        memory_after=memory_balance(prover.machine.state) if intent.memory else (), before=machine, after=prover.machine,
    )  # fmt: skip


def _check(balances: tuple[Balance, ...], question: _Question) -> None:
    """Every byte is somewhere."""
    for each in balances:
        if sum(each.parts.values()) != each.size or min(each.parts.values()) < 0:
            raise PredictionError(f"the balance of {each.region} does not add up: {each}")


def _play(prover: Prover, question: _Question) -> None:
    assert question.solution is not None
    items, spaces = question.intent.items, question.spaces
    placements = question.solution.placements
    in_place = set()
    for each in placements:
        space = spaces[each.space]
        if not space.labelled:
            in_place |= {ndns.name for ndns in space.replaced}
        for dev in space.replaced_devices:
            if [(r.start, r.end + 1) for r in dev.ranges] == [(each.start, each.start + each.size)]:
                in_place.add(dev.name)
    prover.make_room(spaces, in_place, question.labels)
    ram = []
    for each in placements:
        item, space = items[each.item], spaces[each.space]
        name = prover.create(space, each, item)
        if item.mode == "system-ram":
            ram.append((space, each, item, name))
    prover.to_ram(ram)
