"""What can be had where an intent can not: why not, in whose words, and the intents that come nearest."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.planner.intent import Amount, size_word
from sparsemem.planner.plan import Impossible
from sparsemem.planner.predict import Refused
from sparsemem.planner.problem import Problem
from sparsemem.planner.prove import Prover
from sparsemem.planner.solve import solve
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sparsemem.machine.machine import Machine
    from sparsemem.planner.intent import Intent, Item
    from sparsemem.planner.problem import Want
    from sparsemem.planner.question import Asker, Question
    from sparsemem.planner.wants import Forbidden

__all__ = ["had", "impossible_item", "impossible_room"]

_MOST = 4


def had(intents: Iterable[Intent], asker: Asker | None) -> tuple[str, ...]:
    """The first few that can be had, as text; each is played on the model."""
    found: list[str] = []
    for intent in intents if asker is not None else ():
        text = str(intent)
        if asker is not None and text not in found and asker.sure(intent):
            found.append(text)
            if len(found) == _MOST:
                break
    return tuple(found)


def _said(machine: Machine, problem: Problem, item: Item) -> tuple[str, ...]:
    """What the tool and the kernel answer to somebody who tries it all the same."""
    index = next(
        (i for i, each in enumerate(problem.spaces) if not item.where or set(item.where) & set(each.places)), None
    )
    if index is None or problem.spaces[index].dax is not None:
        return ()
    space = problem.spaces[index]
    argv = [
        "ndctl",
        "create-namespace",
        *(["-r", space.name] if space.labelled else ["-f", "-e", f"namespace{space.name[6:]}.0"]),
    ]
    argv += ["-m", "devdax" if item.mode == "system-ram" else item.mode]
    if item.amount.kind in ("raw", "usable"):
        argv += ["-s", size_word(item.amount.size)]
    if item.map is not None:
        argv += ["-M", item.map]
    if item.align is not None:
        argv += ["-a", size_word(item.align)]
    if item.sector_size is not None:
        argv += ["-l", str(item.sector_size)]
    player = Prover(machine, problem.ndctl, problem.rules)
    for name in (each.name for each in space.replaced if space.labelled):
        player.play(("ndctl", "destroy-namespace", "-f", name))
    for _ in range(min(item.count, 8)):
        step = player.play(tuple(argv))
        if step.exit_code:
            words = [" ".join(argv), *(line.strip() for line in step.stdout.splitlines()), *step.log_lines]
            return tuple(word for word in words if word)
    return ()


def impossible_item(question: Question, forbidden: Forbidden, asker: Asker | None) -> Impossible:
    """An item that no region can have, whatever else there is."""
    problem = question.problem
    item = problem.intent.items[forbidden.item]
    nearest = had((problem.intent.with_item(forbidden.item, each) for each in forbidden.instead), asker)
    if not nearest and not problem.intent.replace:
        nearest = had(_replacing(problem, forbidden.item), asker)
    return Impossible(
        item=forbidden.item, what=forbidden.what, why=forbidden.why, rule=forbidden.rule,
        says=_said(question.machine, problem, item) if forbidden.rule not in ("kmem", "kmem-node") else (), nearest=nearest,
    )  # fmt: skip


def _replacing(problem: Problem, number: int) -> list[Intent]:
    """The same intent with room made for the item: one kept device, or all."""
    intent, item = problem.intent, problem.intent.items[number]
    spaces = [space for space in problem.spaces if not item.where or set(item.where) & set(space.places)]
    names = [name for space in spaces for name in space.device_names]
    if not names:
        return []
    return [replace(intent, replace=(*intent.replace, name)) for name in names[:8]] + [
        replace(intent, replace=("all",))
    ]


def _blocked(problem: Problem) -> Want:
    """The first item, in the order of the intent, with which there is no arrangement any more."""
    for count in range(1, len(problem.wants) + 1):
        some = Problem(problem.rules, problem.intent, problem.spaces, problem.wants[:count], problem.ndctl)
        if solve(some)[0] is None:
            return problem.wants[count - 1]
    return problem.wants[-1]


def _room_for(problem: Problem, want: Want) -> tuple[int, int]:
    """(largest free extent, free bytes) in the regions of an item when the items before it have their place."""
    before = [each for each in problem.wants if each.item < want.item and not each.is_rest]
    some = Problem(problem.rules, problem.intent, problem.spaces, before, problem.ndctl)
    found, _ = solve(some) if before else (None, None)
    rooms = [some.room(index) for index in range(len(problem.spaces))]
    wants = {each.item: each for each in before}
    for each in found.placements if found is not None else ():
        done = some.place(wants[each.item], each.space, rooms[each.space], each.size)
        if done is not None:
            rooms[each.space] = done[1]
    sizes = [end - start for index in want.spaces for start, end in rooms[index].gaps]
    return max(sizes, default=0), sum(sizes)


def _refused(problem: Problem, want: Want) -> Refused | None:
    """Is it refused wherever it begins, as one that its own metadata fill up?"""
    refused = None
    for index in want.spaces:
        space = problem.spaces[index]
        for start, end in space.gaps:
            unit = problem.rules.unit(space, want.what)
            size = want.raw[index] if want.raw is not None else (end - start) // unit * unit
            least = problem.rules.least(space, want.what)
            got = problem.rules.outcome(space, want.what, start, min(max(size, least), (end - start) // unit * unit))
            if not isinstance(got, Refused) or (got.rule != "region-align" and not least <= size <= end - start):
                return None
            refused = got
    return refused


def _sizes(problem: Problem, want: Want, asker: Asker) -> Iterator[Intent]:
    """The same item smaller, as large as it can be; then larger."""
    item, intent = want.what, problem.intent
    kind = "usable" if item.amount.kind == "usable" else "raw"
    space = problem.spaces[want.spaces[0]]
    unit = problem.rules.align(space, item) if kind == "usable" else problem.rules.unit(space, item)
    given = item.amount.size if want.raw is None else want.raw[want.spaces[0]]

    def sized(size: int) -> Intent:
        return intent.with_item(want.item, replace(item, amount=Amount(kind, size)))

    low, high = 0, given // unit + 1  # the largest that can be had lies between, as if there were one border
    while high - low > 1:
        middle = (low + high) // 2
        if asker.can(sized(middle * unit)):
            low = middle
        else:
            high = middle
    if low:
        yield sized(low * unit)
    if kind == "raw":
        grain = problem.rules.grain(space, item)
        for times in (0, 1, 2, 4):
            yield sized((given // grain + times) * grain)


def _fewer(problem: Problem, want: Want, asker: Asker) -> Iterator[Intent]:
    low, high = 0, want.what.count
    while high - low > 1:
        middle = (low + high) // 2
        if asker.can(problem.intent.with_item(want.item, replace(want.what, count=middle))):
            low = middle
        else:
            high = middle
    if low:
        yield problem.intent.with_item(want.item, replace(want.what, count=low))


def _options(problem: Problem, want: Want, asker: Asker) -> Iterator[Intent]:
    intent, item = problem.intent, want.what
    if item.where:
        yield intent.with_item(want.item, replace(item, where=()))
    if item.map is None and item.mode in ("fsdax", "devdax", "system-ram") and item.amount.kind == "usable":
        yield intent.with_item(want.item, replace(item, map="mem"))
    if item.amount.kind != "rest":
        yield from _sizes(problem, want, asker)
        if item.count > 1:
            yield from _fewer(problem, want, asker)
        if not any(each.is_rest for each in problem.wants):
            yield intent.with_item(want.item, replace(item, amount=Amount("rest"), count=1))
    elif item.count > 1:
        yield from _fewer(problem, want, asker)
    yield from _replacing(problem, want.item)
    if len(intent.items) > 1:
        yield intent.with_item(want.item, None)


_REFUSALS = {
    "region-align": "ndctl wants namespaces to begin on 16 MiB, and its region does not (create-namespace --force passes over that)",
    "altmap-exhausted": "the page array of the whole sections that it touches does not fit into what it reserves for its own",
    "kmem-alignment": "no whole memory block of {block} is left in it behind its metadata",
}
_REFUSED = "its own metadata and alignment leave no data in it, wherever it begins"


def _refused_words(problem: Problem, rule: str | None) -> str:
    return _REFUSALS.get(rule or "", _REFUSED).format(block=format_size(problem.rules.block))


def _unlabelled(question: Question, want: Want) -> tuple[str, str | None]:
    """No region of the item has labels; and where they could have some, why those do not help."""
    spaces = [question.problem.spaces[index] for index in want.spaces]
    names, sizes = ", ".join(each.name for each in spaces), ", ".join(format_size(each.range.size) for each in spaces)
    verb = "has" if len(spaces) == 1 else "have"
    why = f"{names} {verb} no labels and can not be divided: a namespace there is all of it, {sizes}"
    problem = question.labelled
    again = next((each for each in problem.wants if each.item == want.item), None) if problem is not None else None
    if problem is not None and again is not None:
        refused = _refused(problem, again)
        size = again.raw[again.spaces[0]] if again.raw is not None else again.what.amount.size
        less = (
            _refused_words(problem, refused.rule)
            if refused is not None
            else f"{again.what.count} x {format_size(size)} do not fit"
        )
        why += f"; with labels, {less}"
    return why, "namespace-unlabelled"


def _why(question: Question, want: Want) -> tuple[str, str | None]:
    """Why there is no place for an item, and the rule."""
    problem, item = question.problem, want.what
    spaces = [problem.spaces[index] for index in want.spaces]
    refused = _refused(problem, want)
    if refused is not None:
        return _refused_words(problem, refused.rule), refused.rule
    if item.amount.kind != "rest" and not any(space.labelled or space.dax is not None for space in spaces):
        return _unlabelled(question, want)
    largest, total = _room_for(problem, want)
    names = ", ".join(space.name for space in spaces)
    if item.amount.kind == "rest":
        why, rule = f"{format_size(total)} are left in {names}", "namespace-space"
        if item.mode == "system-ram" and largest:
            why += f", and no whole memory block of {format_size(problem.rules.block)} behind the metadata"
            rule = "kmem-alignment"
        return why, rule
    size = item.amount.size if want.raw is None else want.raw[want.spaces[0]]
    what = "usable " if item.amount.kind == "usable" else ""
    why = f"{item.count} x {what}{format_size(size)}" if item.count > 1 else f"{what}{format_size(size)}"
    why += f", and {names} {'has' if len(spaces) == 1 else 'have'} {format_size(total)} free, {format_size(largest)} in one piece"
    limited = [space for space in spaces if space.slots is not None]
    if halfway := [space.seed for space in limited if space.seed is not None]:
        return (
            f"{why}; ndctl makes one there, and comes to {halfway[0]} then, which is set up half-way or disabled",
            None,
        )
    if limited and all(space.slots == 0 for space in limited):
        return f"{why}; the label area has no free slot", "label-slots"
    if problem.whole_sections and size <= largest:
        why += f"; this kernel maps whole sections of {format_size(problem.rules.section)}, and no two mappings can share one"
        return why, "conflicting-mapping"
    return why, "namespace-space"


def impossible_room(question: Question, asker: Asker | None) -> Impossible:
    """Every item is legal, and there is no arrangement of them all."""
    problem = question.problem
    want = question.blocked or _blocked(problem)
    certain = problem.certain
    why, rule = _why(question, want)
    if not certain:
        why += "; a quick search has found no arrangement, which does not say that there is none"
    return Impossible(
        item=want.item, what=str(want.what), why=why, rule=rule, says=_said(question.machine, problem, want.what),
        nearest=had(_options(problem, want, asker), asker) if asker is not None else (),
    )  # fmt: skip
