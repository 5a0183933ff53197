"""Thousands of devices: the quick ways give what looking at each of them gives, and the answer stays short."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.doctor import diagnose, render_text
from sparsemem.doctor.dmesg import Owners, explain_log, render_log
from sparsemem.doctor.engine import examine
from sparsemem.doctor.plain import note_lines
from sparsemem.errors import SparsememError
from sparsemem.machine.description import MachineDescription, Note
from sparsemem.ranges import Range
from sparsemem.readers import read_text
from sparsemem.units import GIB, MIB
from tests.doctor.machines import huge_iomem
from tests.doctor.test_doctor_law import descriptions

if TYPE_CHECKING:
    from collections.abc import Iterator


def slowly(owners: Owners, ctx: Any, r: Range) -> Iterator[str]:
    """``Owners.of`` as it reads: every entry of the tree, then every device."""
    found = []
    for _, res in ctx.description.iomem.walk():
        if res.start < r.end and res.end >= r.start and res.name:
            found.append(("iomem", res.name, Range(res.start, res.end + 1)))
    found += [(d.kind, d.name, d.range) for d in owners.devices if d.range is not None and d.range.overlaps(r)]
    named = {name for kind, name, _ in found if kind != "iomem"}
    return (str(each) for each in dict.fromkeys(found) if each[0] != "iomem" or each[1] not in named)


@settings(max_examples=100, deadline=None)
@given(descriptions(), st.integers(0, 8 * GIB // MIB), st.integers(1, 4 * GIB // MIB))
def test_the_owners_of_a_range_are_those_that_overlap_it(
    description: MachineDescription, start: int, size: int
) -> None:
    try:
        ctx, _ = examine(description, "6.1")
    except SparsememError:
        return
    owners = Owners(ctx)
    edges = [r for owner in owners.devices if (r := owner.range) is not None]
    for r in (Range(start * MIB, (start + size) * MIB), *edges, *(Range(e.end, e.end + 4096) for e in edges)):
        assert [str((o.kind, o.name, o.range)) for o in owners.of(r)] == list(slowly(owners, ctx, r))


@settings(max_examples=60, deadline=None)
@given(descriptions(), st.data())
def test_the_device_of_a_line_is_the_first_that_it_names(description: MachineDescription, data: st.DataObject) -> None:
    from sparsemem.doctor.dmesg.tie import _Devices

    try:
        ctx, _ = examine(description, "6.1")
    except SparsememError:
        return
    if not ctx.devices:
        return
    one, other = data.draw(st.sampled_from(ctx.devices)), data.draw(st.sampled_from(ctx.devices))
    owners = Owners(ctx)
    for names, r in (((one.name,), None), ((one.name,), other.range), ((), other.range), ((), None), (("x",), None)):
        tied = cast("Any", SimpleNamespace(devices=names, range=r))
        known = {o.name for name in names if (o := owners.named(name)) is not None} | set(names)
        expected = next((d for d in ctx.devices if d.name in known or d.range == r), None)
        assert _Devices(ctx).of(tied, owners) is expected


@pytest.mark.parametrize("version", ["4.17", "5.2", "5.10", "6.12", "7.2"])
def test_a_thousand_live_namespaces_are_told_on_a_few_pages(version: str) -> None:
    found = diagnose(read_text(huge_iomem(1024, mapped=True), "huge"), version)
    text = render_text(found, 80)
    assert len(text.splitlines()) < 120
    assert all(len(line) <= 80 for line in text.splitlines() if "kernel " not in line and "$ " not in line)
    many = [each for each in found.findings if len(each.devices) > 100]
    assert all(" times, first: " in each.what or len(each.ranges) < 1024 for each in many)


def test_what_is_said_of_many_places_is_said_once() -> None:
    notes = [Note("m", f"namespace0.{nr}", "its mode is not known") for nr in range(4096)]
    assert note_lines([*notes, Note("m", "", "no kernel")], 200) == [
        "Note: m: namespace0.0, namespace0.1 and 4094 more: its mode is not known",
        "Note: m: no kernel",
    ]
    assert note_lines(notes[:2], 200) == [f"Note: m: namespace0.{nr}: its mode is not known" for nr in range(2)]
    assert (
        note_lines([Note("m", "", str(nr)) for nr in range(9)], 80, 8)[-1] == "Note: 1 more notes; --json has them all"
    )


def test_contradictions_beyond_a_few_are_counted() -> None:
    machine = read_text(huge_iomem(64, 1 << 42, mapped=True), "huge")
    log = "".join(f"[{nr + 1}.0] namespace{nr}.0: Conflicting mapping in same section\n" for nr in range(64))
    explained = explain_log(log, "log", machine, "6.12")
    assert len(explained.ties.contradicted) == 64
    text = render_log(explained)
    assert "contradicted: 52 more lines; --json has them all" in text
    assert text.count("contradicted: line") == 12


def test_the_windows_are_looked_up_once_for_all_dax_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    from sparsemem.doctor.checks import kmem

    lines = ["00100000-7fffffff : System RAM"]
    for nr in range(64):
        at = (1 << 40) + nr * GIB
        lines += [
            f"{at:x}-{at + GIB - 1:x} : dax{nr}.0",
            f"  {at + 128 * MIB:x}-{at + 896 * MIB - 1:x} : System RAM (kmem)",
        ]
    calls: list[object] = []
    looked = kmem.cxl_windows
    monkeypatch.setattr(kmem, "cxl_windows", lambda root: calls.append(root) or looked(root))
    ctx, _ = examine(read_text("\n".join(lines) + "\n", "dax"), "6.12")
    assert ctx.description is not None
    assert len(ctx.description.dax) == 64
    assert len(calls) == 1
