"""A plan with CXL regions: those first, on a copy, then everything else on the machine that has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.kernel.cxl.core import memdevs
from sparsemem.kernel.cxl.core import regions as made_regions
from sparsemem.planner.cxl.choice import choose, complete
from sparsemem.planner.cxl.item import RegionItem, cxl_name
from sparsemem.planner.cxl.refused import check_known, free_words, nearest_items, reason
from sparsemem.planner.cxl.stage import RegionRefusedError, Stage
from sparsemem.planner.grammar import parse_intent
from sparsemem.planner.intent import Intent
from sparsemem.planner.memory.balance import memory_balance
from sparsemem.planner.plan import Impossible
from sparsemem.planner.prove import CommandRefusedError
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.kernel.state import State
    from sparsemem.machine.machine import Machine
    from sparsemem.planner.cxl.stage import PlannedRegion
    from sparsemem.planner.plan import Plan

__all__ = ["about_regions", "offered", "region_plan"]

_MOST = 4
_MOST_TRIED = 12


def about_regions(intent: Intent) -> bool:
    """Does it make or replace CXL regions?"""
    return bool(intent.regions) or any(cxl_name(name) for name in intent.replace)


def _rest(intent: Intent) -> Intent:
    """What is planned once the regions are as they should be."""
    return Intent(intent.items, tuple(name for name in intent.replace if not cxl_name(name)), memory=intent.memory)


class _Had:
    """Which intents can be had; asked by planning them, so many times."""

    def __init__(self, make: Callable[..., Plan], machine: Machine, ndctl: tuple[int, ...]) -> None:
        self.make, self.machine, self.ndctl = make, machine, ndctl
        self.asked = 0

    def __call__(self, intents: Iterator[Intent], most: int = _MOST) -> tuple[str, ...]:
        found: list[str] = []
        for intent in intents:
            if len(found) == most or self.asked >= _MOST_TRIED:
                break
            self.asked += 1
            if str(intent) not in found and not self._impossible(intent):
                found.append(str(intent))
        return tuple(found)

    def _impossible(self, intent: Intent) -> bool:
        return bool(self.make(self.machine, intent, ndctl=self.ndctl, nearest=False).impossible)


def _complete(state: State, item: RegionItem) -> RegionItem:
    """The item with everything said. Where nothing can be chosen, as if all devices were named."""
    check_known(state, item)
    if item.memdevs:
        return complete(state, item)
    found = choose(state, item)
    if found:
        return found[0]
    names = tuple(each.name for each in memdevs(state))[: item.ways]
    return replace(complete(state, replace(item, memdevs=names)), ways=item.ways or len(names))


def _wrong(
    refused: RegionRefusedError, state: State, intent: Intent, number: int, done: RegionItem, had: _Had | None
) -> Impossible:
    item = intent.regions[number]
    why = reason(state, done if item.memdevs else replace(done, memdevs=()), made=refused.made)
    nearest: tuple[str, ...] = ()
    if had is not None:
        regions = intent.regions

        def options() -> Iterator[Intent]:
            for near in nearest_items(state, item):
                yield replace(intent, regions=(*regions[:number], near, *regions[number + 1 :]))
            if why.rule == "cxl-decoder-busy":
                if number:
                    yield replace(intent, regions=(*regions[:number], *regions[number + 1 :]))
                    yield replace(intent, regions=(RegionItem(),))
                else:
                    if intent.items or intent.memory:
                        yield replace(intent, regions=())
                    yield replace(intent, replace=(*intent.replace, *(each.name for each in made_regions(state))))

        nearest = had(options())
    return Impossible(
        item=None, what=str(item), why=why.why, rule=why.rule, says=(" ".join(refused.argv), *refused.words), nearest=nearest
    )  # fmt: skip


def _nothing(
    make: Callable[..., Plan], machine: Machine, intent: Intent, ndctl: tuple[int, ...], wrong: Impossible
) -> Plan:
    """No plan: the machine as it is, and what is wrong."""
    plain = make(machine, Intent(()), ndctl=ndctl, nearest=False)
    return replace(plain, intent=intent, impossible=(wrong,), optimal=False, after=machine)


def _larger(intent: Intent) -> Iterator[Intent]:
    """The same with regions of all that their devices have, then with the largest region there is."""
    if any(each.size is not None for each in intent.regions):
        yield replace(intent, regions=tuple(replace(each, size=None) for each in intent.regions))
    if any(each.memdevs for each in intent.regions):
        yield replace(intent, regions=(RegionItem(),))


def region_plan(
    make: Callable[..., Plan], machine: Machine, intent: Intent, *, ndctl: tuple[int, ...], nearest: bool
) -> Plan:
    """Plan an intent that makes or replaces CXL regions; ``make`` is ``make_plan``. Raises what that raises."""
    stage = Stage(machine, ndctl)
    had = _Had(make, machine, ndctl) if nearest else None
    for name in sorted(filter(cxl_name, intent.replace), key=lambda name: name.startswith("mem")):
        try:
            (stage.forget if name.startswith("mem") else stage.destroy)(name)
        except CommandRefusedError as refused:
            why = "what is on it is in use, or the kernel does not let go of it; the words below say why"
            what = f"{' '.join(refused.argv)} is refused as things stand"
            wrong = Impossible(item=None, what=what, why=why, rule=refused.rule, says=refused.words)
            return _nothing(make, machine, intent, ndctl, wrong)
    for number, item in enumerate(intent.regions):
        state = stage.machine.copy().state
        done = _complete(state, item)
        try:
            stage.create(number, done)
        except RegionRefusedError as error:
            return _nothing(make, machine, intent, ndctl, _wrong(error, state, intent, number, done, had))
    try:
        plan = make(stage.machine, _rest(intent), ndctl=ndctl, nearest=nearest)
    except NotModelledError:  # nobody can tell where such a region has room
        if not any(each.foreign for each in stage.regions):
            raise
        return _nothing(make, machine, intent, ndctl, _held(stage, intent, had))
    if plan.impossible and any(each.foreign for each in stage.regions):
        return _nothing(make, machine, intent, ndctl, _held(stage, intent, had))
    notes = [
        f"{', '.join(each.found)} {'comes' if len(each.found) == 1 else 'come'} back with {each.region}: the labels lie on its memory "
        "devices. Kept, as nothing replaces it." for each in stage.regions if each.found and not intent.replace
    ]  # fmt: skip
    if plan.impossible:
        return replace(
            _after(plan, intent, machine, had), balance=make(machine, Intent(()), ndctl=ndctl, nearest=False).balance
        )
    return replace(
        plan, intent=intent, commands=(*stage.commands, *plan.commands), regions=tuple(stage.regions), before=machine,
        memory_before=memory_balance(machine.state) if intent.memory else (), notes=(*notes, *plan.notes),
    )  # fmt: skip


def _held_words(region: PlannedRegion) -> str:
    held = " and ".join(f"{format_size(size)} of {name}" for name, size in region.foreign)
    return f"labels of namespaces of another region, made of other devices or in another order, hold {held}"


def _held(stage: Stage, intent: Intent, had: _Had | None) -> Impossible:
    """Labels of regions that are gone hold the capacity: the namespaces come back with the same devices, or the labels are made anew."""
    region = next(each for each in stage.regions if each.foreign)
    argv = ("ndctl", "create-namespace", "-r", region.region)
    step = stage.prover.play(argv)
    says = (
        (" ".join(argv), *(line.strip() for line in step.stdout.splitlines() if line.strip())) if step.exit_code else ()
    )
    names = tuple(name for name, _ in region.foreign)
    nearest = had(iter([replace(intent, replace=(*intent.replace, *names))])) if had is not None else ()
    return Impossible(
        item=None, what=", ".join(map(str, intent.items)) or str(intent.regions[0]), why=_held_words(region), rule="label-set",
        says=says, nearest=nearest,
    )  # fmt: skip


def _after(plan: Plan, intent: Intent, machine: Machine, had: _Had | None) -> Plan:
    """The regions can be had, and not what is wanted on them: nearest are other namespaces, then other regions."""
    first = tuple(name for name in intent.replace if cxl_name(name))
    found = []
    for number, wrong in enumerate(plan.impossible):
        texts = list(had(_larger(intent), 2)) if had is not None and not number else []
        for text in wrong.nearest:
            near = parse_intent(text)
            texts.append(str(replace(near, replace=(*first, *near.replace), regions=intent.regions)))
        found.append(replace(wrong, nearest=tuple(dict.fromkeys(texts))[:_MOST]))
    return replace(plan, intent=intent, impossible=tuple(found), before=machine, after=machine)


def offered(
    make: Callable[..., Plan], machine: Machine, intent: Intent, ndctl: tuple[int, ...], wrong: Impossible
) -> Impossible:
    """An intent that names no region can not be had, and memory devices are in no region: then with one it perhaps can. It is only offered,
    because a region takes its devices' decoders, and which devices are interleaved can not be changed under its data."""
    words = free_words(machine.state)
    if words is None or not intent.items or ndctl[0] != 76:
        return wrong
    options = [choose(machine.state, RegionItem(ways=ways))[:1] for ways in (None, 1, 2, 4, 8)]
    regions = [RegionItem(memdevs=each.memdevs) for found in options for each in found]
    had = _Had(make, machine, ndctl)
    near = had((replace(intent, regions=(each,)) for each in dict.fromkeys(regions)), 2)
    if not near and regions:  # with the largest region, and less on it
        beside = make(machine, replace(intent, regions=tuple(regions[:1])), ndctl=ndctl)
        near = tuple(text for each in beside.impossible for text in each.nearest)
    return replace(wrong, why=f"{wrong.why}; {words}", nearest=tuple(dict.fromkeys((*near, *wrong.nearest)))[:_MOST])
