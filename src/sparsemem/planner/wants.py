"""An intent against a machine: which regions each item may be in, with which size; and what the rules forbid before any search."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import InputError
from sparsemem.kernel.nvdimm.btt_devs import LBASIZES
from sparsemem.planner.cxl.choice import unclaimed
from sparsemem.planner.intent import Amount, size_word
from sparsemem.planner.problem import Want
from sparsemem.spec.rules import RULES
from sparsemem.tools.daxctl_features import daxctl_features
from sparsemem.tools.libdaxctl import stumbles_over_memory_failure
from sparsemem.units import format_size

if TYPE_CHECKING:
    from sparsemem.planner.intent import Intent, Item
    from sparsemem.planner.predict import Rules
    from sparsemem.planner.spaces import Space

__all__ = ["Forbidden", "make_wants"]

_DAX_MODES = ("devdax", "system-ram")
_SEEDS = {"fsdax": "pfn", "devdax": "dax", "system-ram": "dax", "sector": "btt"}
_SEED_HELP = 'replace it, or, where it is only disabled, "ndctl enable-namespace {0}"'


class Forbidden(NamedTuple):
    """Why an item can not be had in any region; ``instead``: items that would be legal."""

    item: int
    what: str
    why: str
    rule: str | None = None
    instead: tuple[Item, ...] = ()


def _words(rule: str) -> str:
    found = RULES.get(rule)
    return found.title if found is not None else rule


def _selected(rules: Rules, spaces: list[Space], item: Item, number: int) -> list[int]:
    """The regions that the item's places select. Raises InputError where there is none."""
    found = [index for index, space in enumerate(spaces) if not item.where or set(item.where) & set(space.places)]
    for place in item.where:
        if not any(place in space.places for space in spaces):
            have = sorted({space.name for space in spaces}) + sorted(
                {name for each in spaces for name in each.places[1:]} - {"node-1"}
            )
            raise InputError(
                f"on {place}: the machine has no such region or node with persistent memory", where=f"intent, item {number + 1}",
                remedy=f"there are {', '.join(dict.fromkeys(have))}" if have else _no_region(rules),
            )  # fmt: skip
    return found


def _no_region(rules: Rules) -> str:
    free = [each.name for each in unclaimed(rules.state)]
    made = f': make one of its CXL devices, "region on {" ".join(free)}, ..."' if free else ""
    return f"it has no region at all{made}"


def _mode(rules: Rules, item: Item, number: int, ndctl: tuple[int, ...]) -> Forbidden | None:
    """What kernel and tools do not have at all."""
    if item.mode == "system-ram":
        if not rules.f.kmem:
            why = f"dax_kmem, which makes memory of a dax device, came with Linux 5.1; this is {rules.state.kernel.version}"
            return Forbidden(number, "system-ram", why, "kmem", (_with(item, mode="devdax"),))
        if ndctl[0] < 66:
            why = f"daxctl reconfigure-device came with release 66; this is {ndctl[0]}"
            return Forbidden(number, "system-ram", why, None, (_with(item, mode="devdax"),))
        if stumbles_over_memory_failure(ndctl, rules.state.kernel.version.series):
            why = (
                f"daxctl before 76 takes nodeN/memory_failure of Linux 6.3 and later for a memory block and fails; this is {ndctl[0]}: "
                "install a newer one"
            )
            return Forbidden(number, "system-ram", why, None, (_with(item, mode="devdax"),))
        if not item.movable and not daxctl_features(ndctl).no_movable:
            why = f"daxctl has --no-movable from release 67 on; this is {ndctl[0]}"
            return Forbidden(number, "no-movable", why, None, (_with(item, movable=True),))
    if item.align is not None and item.align not in rules.aligns():
        legal = rules.aligns()
        near = sorted(legal, key=lambda each: abs(each.bit_length() - item.align.bit_length()) if item.align else 0)
        why = "this machine maps " + ", ".join(size_word(each) for each in legal)
        return Forbidden(
            number,
            f"align={size_word(item.align)}",
            why,
            "supported-alignment",
            tuple(_with(item, align=each) for each in near[:2]),
        )
    allowed = LBASIZES if item.mode == "sector" else (512, 4096)
    if item.sector_size is not None and item.sector_size not in allowed:
        why = f"{item.mode} namespaces have sectors of {', '.join(map(str, allowed))} bytes"
        return Forbidden(
            number,
            f"sector={item.sector_size}",
            why,
            None,
            (_with(item, sector_size=4096), _with(item, sector_size=512)),
        )
    return None


def _with(item: Item, **changes: object) -> Item:
    from dataclasses import replace

    if changes.get("mode", item.mode) != "system-ram":
        changes.setdefault("movable", True)
    return replace(item, **changes)  # type: ignore[arg-type]


def _unfit(rules: Rules, space: Space, item: Item) -> str | None:
    """Why the item can not be in this region at all."""
    if space.disabled:
        return f"{space.name} is disabled (ndctl enable-region {space.name})"
    if space.region is not None and space.region.ro:
        return f"{space.name} is read-only"
    if space.dax is not None and item.mode not in _DAX_MODES:
        return f"{space.name} is a dax region: devdax and system-ram only"
    if space.dax is not None and (item.name is not None or item.map is not None or item.sector_size is not None):
        return f"{space.name} is a dax region: its devices have no name, map or sector size"
    if item.mode == "system-ram" and space.target_node < 0:
        return f'{space.name} has no target node: the kernel rejects it with "invalid node: -1" (no SRAT entry from the firmware)'
    if item.mode == "system-ram" and space.target_node not in rules.state.misc["possible_nodes"]:
        return f"{space.name} is of node {space.target_node}, which this kernel does not take for possible (no SRAT entry at boot)"
    if space.dax is not None and not space.labelled:
        kept = ", ".join(dev.name for dev in space.kept_devices)
        return f"{space.name} can not be divided on this kernel, and {kept} is there: replace it" if kept else None
    if not space.labelled and space.gaps and space.range.size % rules.unit(space, item):
        why = f"{space.name} has no labels, and all of it, {size_word(space.range.size)}, is no multiple of the "
        why += f"{size_word(rules.unit(space, item))} that ndctl asks for"
        mapped = space.region is not None and bool(space.region.mappings)
        if rules.f.region_align_attribute and (rules.f.region_align_without_mappings or mapped):
            why += f"; a smaller power of two in /sys/bus/nd/devices/{space.name}/align helps where that is the reason"
        return why
    if not space.labelled and item.sector_size is not None and item.mode != "sector":
        return f"{space.name} has no labels, so that its namespace has no sector size but in mode sector"
    if space.seed is not None and not space.slots:
        why = f"{space.seed} of {space.name} was set up half-way or is disabled, and ndctl comes to it first: "
        return why + _SEED_HELP.format(space.seed)
    if _SEEDS.get(item.mode) in space.claimed:
        return f"the {_SEEDS[item.mode]} device that {space.name} has for the next {item.mode} belongs to a namespace that is not enabled"
    if not space.labelled and item.name is not None:
        return f"{space.name} has no labels, so that its namespace has no name"
    if not space.labelled and not space.gaps:
        kept = space.kept[0].name if space.kept else "what it has"
        return f'{space.name} has no labels: {kept} is all of it, and only "replace {kept}" makes another of it'
    return None


def _raw(space: Space, rules: Rules, item: Item, size: int) -> int | None:
    """The size where it is legal there."""
    if not space.labelled:
        return size if size == space.range.size and size % rules.unit(space, item) == 0 else None
    return size if size % rules.unit(space, item) == 0 and size >= rules.least(space, item) else None


def _illegal(rules: Rules, spaces: list[Space], found: list[int], item: Item, number: int) -> Forbidden:
    """A raw size that no region takes: the next ones down and up."""
    size = item.amount.size
    instead: list[Item] = []
    whole = [spaces[index] for index in found if not spaces[index].labelled]
    if len(whole) == len(found):
        names = ", ".join(space.name for space in whole)
        return Forbidden(
            number, f"{item.mode} {size_word(size)}",
            f"{names} {'has' if len(whole) == 1 else 'have'} no labels and can not be divided: a namespace there is all of it, "
            + ", ".join(format_size(space.range.size) for space in whole),
            "namespace-unlabelled", (_with(item, amount=Amount("rest"), count=1),),
        )  # fmt: skip
    space = next(spaces[index] for index in found if spaces[index].labelled)
    unit, least = rules.unit(space, item), rules.least(space, item)
    for near in (size // unit * unit, -(-size // unit) * unit):
        near = max(near, least)
        if near not in [each.amount.size for each in instead]:
            instead.append(_with(item, amount=Amount("raw", near)))
    parts = [f"align {size_word(rules.align(space, item))}"]
    if space.ways > 1:
        parts.append(f"{space.ways} interleave ways")
    if rules.f.region_align_attribute and space.dax is None:
        parts.append(f"a region align of {size_word(space.align)}")
    why = f"a size in {space.name} is a multiple of {size_word(unit)} ({', '.join(parts)})"
    if size < least:
        why += f" and at least {size_word(least)}"
    return Forbidden(
        number,
        f"{item.mode} {size_word(size)}",
        why,
        "region-align" if rules.f.region_align_attribute else None,
        tuple(instead),
    )


def _want(rules: Rules, spaces: list[Space], item: Item, number: int, ndctl: tuple[int, ...]) -> Want | Forbidden:
    wrong = _mode(rules, item, number, ndctl)
    if wrong is not None:
        return wrong
    selected = _selected(rules, spaces, item, number)
    reasons = [_unfit(rules, spaces[index], item) for index in selected]
    found = [index for index, reason in zip(selected, reasons, strict=True) if reason is None]
    if not found:
        why = (
            "; ".join(dict.fromkeys(reason for reason in reasons if reason))
            or "no region of persistent memory is known of this machine"
        )
        rule = "kmem-node" if any("target node" in (reason or "") for reason in reasons) else None
        instead = (_with(item, mode="devdax"),) if rule else ()
        return Forbidden(number, str(item), why, rule, instead)
    amount = item.amount
    if amount.kind == "raw":
        raw = {index: size for index in found if (size := _raw(spaces[index], rules, item, amount.size)) is not None}
        return Want(number, item, tuple(raw), raw) if raw else _illegal(rules, spaces, found, item, number)
    if amount.kind == "percent":
        assert amount.share is not None
        total = int(sum(spaces[index].range.size for index in found) * amount.share)
        raw = {}
        for index in found:
            space = spaces[index]
            size = total // rules.grain(space, item) * rules.grain(space, item)
            if space.labelled and size >= rules.least(space, item):
                raw[index] = size
            elif not space.labelled and amount.share == 1 and len(found) == 1:
                raw[index] = space.range.size
        if not raw:
            least = min((rules.least(spaces[i], item) for i in found if spaces[i].labelled), default=0)
            if not least:
                return _illegal(rules, spaces, found, _with(item, amount=Amount("raw", total)), number)
            instead_ = (_with(item, amount=Amount("raw", least)),)
            return Forbidden(
                number,
                str(item),
                f"{amount} is {size_word(total)}, below the least size {size_word(least)}",
                None,
                instead_,
            )
        return Want(number, item, tuple(raw), raw)
    return Want(number, item, tuple(found), None)


def make_wants(
    rules: Rules, spaces: list[Space], intent: Intent, ndctl: tuple[int, ...]
) -> tuple[list[Want], list[Forbidden]]:
    """The items as the search takes them, and those that no region can have. Raises InputError for a place that is not there."""
    wants: list[Want] = []
    forbidden: list[Forbidden] = []
    for number, item in enumerate(intent.items):
        made = _want(rules, spaces, item, number, ndctl)
        if isinstance(made, Want):
            wants.append(made)
        else:
            forbidden.append(made)
    return wants, forbidden
