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
from sparsemem.planner.nearest import had, impossible_item, impossible_room
from sparsemem.planner.plan import Impossible, Plan
from sparsemem.planner.predict import Rules
from sparsemem.planner.problem import Problem
from sparsemem.planner.prove import CommandRefusedError, PredictionError, Prover
from sparsemem.planner.question import Asker, Question
from sparsemem.planner.relax import whole
from sparsemem.planner.spaces import find_spaces

if TYPE_CHECKING:
    from sparsemem.machine.machine import Machine
    from sparsemem.planner.plan import Balance, PlannedBlocks
    from sparsemem.planner.spaces import Space

__all__ = ["make_plan"]

_MOST_TOLD = 32


def _notes(question: Question, prover: Prover, planned: list[PlannedBlocks]) -> list[str]:
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


def _nothing(machine: Machine, intent: Intent, question: Question, impossible: list[Impossible]) -> Plan:
    spaces = find_spaces(machine.state, (), question.ndctl)
    return Plan(
        intent=intent, kernel=str(machine.kernel.version), ndctl=question.ndctl, commands=(), namespaces=(),
        balance=_balances(machine, spaces, question.rules, {}), impossible=tuple(impossible),
        search="exact" if question.forbidden or question.problem.certain else "heuristic", optimal=False,
        before=machine, after=machine,
    )  # fmt: skip


def _balances(machine: Machine, spaces: list[Space], rules: Rules, rounding: dict[str, int]) -> tuple[Balance, ...]:
    problem = Problem(rules, Intent(()), spaces, [], ())
    return tuple(
        balance(machine.state, space, rounding, problem.unusable(index, problem.room(index)))
        for index, space in enumerate(spaces)
    )


def _in_the_way(question: Question, refused: CommandRefusedError, asker: Asker | None) -> Impossible:
    """The kernel refuses what the sizes would allow. Nearest are the other regions, and a mode without struct pages: played, too."""
    assert refused.item is not None
    item = question.intent.items[refused.item]
    why = "the kernel refuses it there, for what else lies at these addresses or has its name, or how it was built"
    options = [replace(item, where=(space.name,)) for space in question.spaces if space.name not in item.where]
    options.append(replace(item, mode="sector", map=None, align=None, movable=True))
    return Impossible(
        item=refused.item, what=str(item), why=why,
        rule=refused.rule, says=(" ".join(refused.argv), *refused.words),
        nearest=had((question.intent.with_item(refused.item, each) for each in options[:8]), asker),
    )  # fmt: skip


def _stuck(refused: CommandRefusedError) -> Impossible:
    """What is to be replaced does not go."""
    why = "what is there now does not let go; the words below say why"
    if refused.rule in ("isolation-failure", "unmovable-page"):
        why = (
            "its memory is online in a zone where the kernel keeps pages of its own, and only a reboot gives it back; booted with "
            "memhp_default_state=offline (or online_movable), it can be"
        )
    what = f"{' '.join(refused.argv)} is refused as things stand"
    return Impossible(item=None, what=what, why=why, rule=refused.rule, says=refused.words)


def _impossible(question: Question, refused: CommandRefusedError | None, asker: Asker | None) -> list[Impossible]:
    """Why not; and where nothing is near one thing that is wrong, what is near the intent as a whole."""
    if refused is not None:
        if asker is not None:
            asker.sure(question.intent)  # what does not let go of its memory is known then
        found = [_stuck(refused) if refused.item is None else _in_the_way(question, refused, asker)]
    elif question.forbidden:
        told = dict.fromkeys(
            (each.what, each.why) for each in question.forbidden
        )  # the same item again has the same answer
        first = [
            next(each for each in question.forbidden if (each.what, each.why) == key) for key in list(told)[:_MOST_TOLD]
        ]
        found = [impossible_item(question, each, asker) for each in first]
    else:
        found = [impossible_room(question, asker)]
    if asker is None or all(each.nearest for each in found):
        return found
    near = whole(question, asker)
    return [each if each.nearest else replace(each, nearest=near) for each in found]


def _rehearsed(machine: Machine, question: Question) -> Prover | CommandRefusedError:
    """The solution, played on a copy of the machine."""
    prover = Prover(machine, question.ndctl, question.rules)
    try:
        _play(prover, question)
    except CommandRefusedError as refused:
        return refused
    return prover


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

    def refusal(other: Question) -> CommandRefusedError | None:
        done = _rehearsed(machine, other)
        return done if isinstance(done, CommandRefusedError) else None

    question = Question(machine, intent, ndctl, known={})
    prover = _rehearsed(machine, question) if question.solution is not None else None
    if prover is None or isinstance(prover, CommandRefusedError):
        asker = Asker(question, refusal) if nearest else None
        found = _impossible(question, prover, asker)
        if nearest and prover is None:
            found[0] = offered(make_plan, machine, intent, ndctl, found[0])
        return _nothing(machine, intent, question, found)
    assert question.solution is not None
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


def _check(balances: tuple[Balance, ...], question: Question) -> None:
    """Every byte is somewhere."""
    for each in balances:
        if sum(each.parts.values()) != each.size or min(each.parts.values()) < 0:
            raise PredictionError(f"the balance of {each.region} does not add up: {each}")


def _play(prover: Prover, question: Question) -> None:
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
