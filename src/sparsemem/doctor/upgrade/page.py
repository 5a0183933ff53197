"""An upgrade as a page: both kernels beside each other, and what changes marked at its addresses and listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.picture import legacy_devices, note_sections, remedy_facts, scene_of
from sparsemem.doctor.upgrade.change import KINDS
from sparsemem.doctor.upgrade.text import headline, numbers, signed, why
from sparsemem.draw import Mark, PageText, Section, Sentence, Table, compare, paint_html

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.upgrade.change import Change, Upgrade

__all__ = ["change_marks", "paint_upgrade"]


def _facts(change: Change, upgrade: Upgrade) -> Iterator[tuple[str, str]]:
    yield "what kind", KINDS[change.kind]
    if change.devices:
        yield "device", ", ".join(change.devices)
    if change.bytes:
        yield "capacity", signed(change.bytes)
    for kernel, said in ((upgrade.before, change.before), (upgrade.after, change.after)):
        if said:
            yield f"on {kernel}", "\n".join(said)
    yield "since", why(change)
    yield from remedy_facts(change.remedies)


def change_marks(upgrade: Upgrade) -> tuple[Mark, ...]:
    """Each change at its addresses, which are the same on both kernels."""
    return tuple(
        Mark(
            change.id,
            "better" if change.severity == "good" else change.severity,
            change.what,
            change.ranges,
            tuple(_facts(change, upgrade)),
        )
        for change in upgrade.changes
    )


def _told(upgrade: Upgrade, *, everything: bool) -> PageText:
    lead = [Sentence(headline(upgrade))]
    sizes = numbers(upgrade)
    if sizes:
        lead.append(Sentence(sizes))
    if any(legacy_devices(ctx) for ctx in upgrade.contexts):
        lead.append(Sentence("Legacy persistent memory is drawn as its driver finds it at boot: mapped, or refused."))
    lead += [Sentence(f"I cannot tell {each}.", "warning") for each in upgrade.unsure]
    below = []
    if everything and upgrade.without_effect:
        rows = tuple((cause.feature, cause.brief, cause.note, needs) for cause, needs in upgrade.without_effect)
        table = Table(("behaviour", "since", "what", "needs"), rows)
        below.append(Section("Also changed, without effect here", (table,)))
    below += note_sections(upgrade.notes)
    title = f"From Linux {upgrade.before} to Linux {upgrade.after}"
    return PageText(title, "change", tuple(lead), (), tuple(below))


def paint_upgrade(upgrade: Upgrade, *, everything: bool = False) -> str:
    """The page of an upgrade (``draw.paint_html``); ``everything`` adds the behaviours that differ and touch nothing here."""
    before, after = (scene_of(ctx, booted=True) for ctx in upgrade.contexts)
    return paint_html(compare(before, after), marks=change_marks(upgrade), told=_told(upgrade, everything=everything))
