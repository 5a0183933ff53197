"""Differences in features that touch the machine and that no finding shows: defaults, what is written, bugs, words, files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.upgrade.change import Change
from sparsemem.doctor.upgrade.table import EFFECTS
from sparsemem.doctor.upgrade.traits import TRAITS
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sparsemem.doctor.upgrade.cause import Cause, Differences
    from sparsemem.doctor.upgrade.sides import Side

__all__ = ["block_size_change", "feature_changes", "without_effect"]

_NOTES = {
    "zone_device_init_message": "The line that tells how long the struct pages of device memory took.",
    "pfn_section_pad_message": "The line that tells how much of a new namespace was cut off at sections.",
    "mixed_region_function": "The function that is named in the WARN about RAM in a device's range.",
    "mixed_region_message": "The WARN about RAM in a device's range.",
    "misaligned_message": "The WARN about device memory off a sub-section.",
}
"""What a line is about, where the record says it in the words of the model."""
_WRITES = ("info_block_minor", "label_updating_flag_cleared", "renamed_label_reaped", "dax_label_reserve")


def block_size_change(old: Side, new: Side, differences: Differences) -> Iterator[Change]:
    """Memory blocks of another size."""
    before, after = old.ctx.block_size, new.ctx.block_size
    if before == after:
        return
    counts = len(old.ctx.state.blocks), len(new.ctx.state.blocks)
    yield Change(
        id="memory-block-size", kind="resized", severity="notice",
        what=f"Memory blocks are {format_size(after)}, before {format_size(before)}: {counts[1]} of them, before {counts[0]}. RAM is "
        "added, removed, onlined and offlined in these units, and memoryN of sysfs counts in them.",
        before=(format_size(before),), after=(format_size(after),), causes=differences.among(("SECTION_SIZE", "block_size_rule")),
        basis="the rule of the architecture",
    )  # fmt: skip


def _sentence(cause: Cause) -> str:
    if (cause.before, cause.after) == ("no", "yes"):
        return cause.note
    if (cause.before, cause.after) == ("yes", "no"):
        return f"No longer: {cause.note}"
    return f"{cause.before} -> {cause.after}: {cause.note}"


def _auto_online(old: Side, new: Side, cause: Cause) -> Change | None:
    """What hot-added memory becomes. The command line decides, where it speaks."""
    description = new.ctx.description
    cmdline = (description.cmdline or "") if description is not None else ""
    if "memhp_default_state=" in cmdline:
        return None
    online = cause.after == "yes"
    what = (
        "Hot-added memory is online at once by default, before it was offline: daxctl then finds memory that it did not online itself, "
        "mostly in a kernel zone, from which it hardly comes back."
        if online
        else "Hot-added memory is offline by default, before it was online at once: something has to online it."
    )
    policy = description.auto_online if description is not None else None
    default = "online" if old.ctx.kernel.features.online_by_default else "offline"
    if policy is not None and policy != default:
        what += f" This machine's policy is {policy!r}, which is not the default of {old.name}: something sets it, and goes on to."
    kmem = [name for name, device in _dax_devices(new) if device == "system-ram"]
    return Change(
        id="online_by_default", kind="policy", severity="warning" if kmem else "notice",
        what=f"{what} (Debian's kernels; other distributions choose for themselves.)", devices=tuple(kmem),
        before=(default,), after=("online" if online else "offline",), causes=(cause,),
    )  # fmt: skip


def _dax_devices(side: Side) -> list[tuple[str, str | None]]:
    found = [(device.name, device.mode) for device in side.ctx.devices if device.dax is not None]
    found += [(d.name, "system-ram") for d in side.ctx.devices if d.mode == "system-ram" and d.dax is None]
    return list(dict.fromkeys(found))


def _kmem_by_default(new: Side, cause: Cause) -> Change:
    waiting = [device for device in new.ctx.devices if device.kind in ("soft", "dax") and device.mode != "system-ram"]
    size = sum(device.range.size for device in waiting)
    becomes = cause.after == "yes"
    what = (
        "Soft-reserved and CXL memory becomes System RAM by itself"
        if becomes
        else "Soft-reserved and CXL memory stays device-dax"
    )
    what += f": {format_size(size)} here, that are not RAM now." if waiting else ", as long as nothing configures it."
    return Change(
        id="dax_kmem_by_default", kind="policy", severity="warning" if waiting and becomes else "notice", what=what,
        ranges=tuple(device.range for device in waiting), devices=tuple(device.name for device in waiting), causes=(cause,),
    )  # fmt: skip


def _compound(old: Side, new: Side, cause: Cause) -> Change | None:
    """The page array of devdax memory, of which two pages for each large page stay."""
    total = 0
    names: list[str] = []
    for device in new.ctx.devices:
        dax, fact = device.dax, device.namespace
        in_ram = dax is not None and dax.mode != "system-ram"
        in_ram = in_ram or (
            fact is not None and fact.mode == "devdax" and fact.map == "mem" and device.mode != "system-ram"
        )
        align = (dax.align if dax is not None else fact.align if fact is not None else None) or 0
        g = new.ctx.kernel.geometry
        array = align // g.PAGE_SIZE * g.sizeof_struct_page
        if in_ram and array > 2 * g.PAGE_SIZE:
            total += (array - 2 * g.PAGE_SIZE) * (device.range.size // align)
            names.append(device.name)
    if not names:
        return None
    gains = cause.after == "yes"
    what = f"The page array of device-dax memory with large pages takes {format_size(total)} of RAM {'less' if gains else 'more'}: "
    what += "two pages of it stay for each large page."
    return Change(
        id="compound_vmemmap_dedup", kind="gains" if gains else "loses", severity="good" if gains else "warning", what=what,
        devices=tuple(names), bytes=total if gains else -total, causes=(cause,),
    )  # fmt: skip


def _info_block(cause: Cause) -> Change:
    what = f"New fsdax and devdax namespaces get info blocks of version 1.{cause.after}, before 1.{cause.before}. What is on the medium "
    what += "stays as it is, and is read by both."
    return Change(id="info_block_minor", kind="rewrites", severity="notice", what=what, causes=(cause,))


def _special(old: Side, new: Side) -> dict[str, Callable[[Cause], Change | None]]:
    return {
        "online_by_default": lambda cause: _auto_online(old, new, cause),
        "dax_kmem_by_default": lambda cause: _kmem_by_default(new, cause),
        "compound_vmemmap_dedup": lambda cause: _compound(old, new, cause),
        "info_block_minor": _info_block,
    }


def _generic(cause: Cause) -> Change:
    kind, severity = EFFECTS[cause.feature].kind, "notice"
    if cause.bug is not None:
        comes = cause.after == "yes"
        kind, severity = ("bug", "warning") if comes else ("fixed", "good")
        return Change(id=cause.feature, kind=kind, severity=severity, what=cause.note, causes=(cause,))
    if cause.feature in _WRITES:
        kind = "rewrites"
    if cause.feature == "xfs_bigtime" and cause.after == "unknown":
        severity = "warning"
    formats = kind == "words" and ("%" in cause.before or "%" in cause.after or cause.feature in _NOTES)
    what = _NOTES.get(cause.feature, cause.note) if formats else _sentence(cause)
    sides = ((cause.before,), (cause.after,)) if formats else ((), ())
    return Change(
        id=cause.feature, kind=kind, severity=severity, what=what, before=sides[0], after=sides[1], causes=(cause,)
    )


def feature_changes(
    old: Side, new: Side, differences: Differences, traits: frozenset[str], told: frozenset[str]
) -> Iterator[Change]:
    """``told``: features that are behind a change already."""
    special = _special(old, new)
    for name, cause in differences.causes.items():
        effect = EFFECTS.get(name)
        if effect is None or name in told or not traits.intersection(effect.traits):
            continue
        change = special[name](cause) if name in special else _generic(cause)
        if change is not None:
            yield change


def without_effect(differences: Differences, shown: frozenset[str]) -> Iterator[tuple[Cause, str]]:
    """The other features that differ, each with what it would take."""
    for name, cause in differences.causes.items():
        if name not in shown:
            wanted = EFFECTS[name].traits if name in EFFECTS else ()
            yield cause, "; or ".join(TRAITS[trait] for trait in wanted if trait in TRAITS)
