"""Putting both sides next to each other: what is masked, and that nothing else is."""

from __future__ import annotations

from sparsemem.kernel.state import LogLine
from sparsemem.lab.compare import compare_answers, compare_observations, errno_of
from sparsemem.lab.conversation import GuestAnswer
from sparsemem.lab.masks import Uuids, masked_log
from sparsemem.lab.observe import Block, Observation, Section, Valid, Zone, of_guest, of_model, parse_zones
from sparsemem.play import parse_scenario
from sparsemem.play.player import Player, StepResult
from sparsemem.play.setup import set_up

from .fake import shown

A, B, C = (f"{letter * 8}-{letter * 4}-{letter * 4}-{letter * 4}-{letter * 12}" for letter in "abc")


def test_uuids_are_numbered_in_order_of_appearance_on_each_side() -> None:
    ours, theirs = Uuids(), Uuids()
    assert ours.mask(f"x {A} {B} {A.upper()}") == theirs.mask(f"x {C} {A} {C}")
    assert ours.mask(A) == "00000000-0000-4000-8000-000000000001"


def test_a_uuid_that_a_step_gives_and_the_null_one_stay() -> None:
    null = "00000000-0000-0000-0000-000000000000"
    assert (
        Uuids(f"ndctl create-namespace -u {A}").mask(f"{A} {null} {B}")
        == f"{A} {null} 00000000-0000-4000-8000-000000000001"
    )


def test_the_log_loses_only_what_varies() -> None:
    lines = [
        "Built 1 zonelists, mobility grouping on.  Total pages: 12345 ",
        "clocksource: timekeeping watchdog",
        "tsc: x",
        "nd_pmem a",
    ]
    assert masked_log(lines) == ["Built 1 zonelists, mobility grouping on.  Total pages: N", "nd_pmem a"]


def test_an_errno_is_read_from_the_last_words() -> None:
    assert errno_of("failed to create namespace: No such device or address\n") == "ENXIO"
    assert errno_of("sh: write error: Device or resource busy") == "EBUSY"
    assert errno_of("disabled 1 region\n") is None


def test_each_part_of_an_answer_is_compared() -> None:
    model = StepResult("x", 1, "ENXIO", "x: No such device or address\n", ())
    guest = GuestAnswer(2, "x: Device or resource busy\n", ("said",))
    found = {each.what: (each.kernel, each.model) for each in compare_answers(1, guest, model, (Uuids(), Uuids()))}
    assert set(found) == {"exit code", "errno", "output", "log"}
    assert found["errno"] == ("EBUSY", "ENXIO")
    same = GuestAnswer(1, model.stdout, ())
    assert not list(compare_answers(1, same, model, (Uuids(), Uuids())))


def test_the_order_of_parallel_probes_is_not_counted_and_nothing_else_is_let_through() -> None:
    lines = (LogLine("info", "a"), LogLine("info", "b"))
    model = StepResult("ndctl enable-region region0", 0, None, "", lines)
    (found,) = compare_answers(1, GuestAnswer(0, "", ("b", "a")), model, (Uuids(), Uuids()))
    assert "luck" in found.excuse
    for log, command in ((("b", "b"), model.command), (("b", "a"), "ndctl enable-namespace all")):
        other = StepResult(command, 0, None, "", lines)
        (found,) = compare_answers(1, GuestAnswer(0, "", log), other, (Uuids(), Uuids()))
        assert not found.excuse


SEEN = Observation(
    ("00100000-1fffffff : System RAM",), (Block("memory0", "online", ("DMA32",)),), (Zone(0, "DMA32", 4096, 10, 10),),
    1 << 27, "offline", "[]", "", (Section(0, ("HAS_MEM_MAP",), 0xFF),), (Valid(0, 0xFF, 0xFF),), None,
)  # fmt: skip


def test_only_the_rows_that_differ_are_kept() -> None:
    other = SEEN._replace(
        blocks=(Block("memory0", "offline", ("DMA32",)),), sections=(Section(0, ("HAS_MEM_MAP",), 0xFE),), nodes=()
    )
    found = list(compare_observations(3, "step", SEEN, other, (Uuids(), Uuids())))
    assert [(each.what, each.kernel, each.model) for each in found] == [
        ("blocks", "name=memory0 state=online valid_zones=DMA32", "name=memory0 state=offline valid_zones=DMA32"),
        ("sections", "nr=0 flags=HAS_MEM_MAP subsection_map=0xff", "nr=0 flags=HAS_MEM_MAP subsection_map=0xfe"),
    ]  # the guest's nodes were not read: they are not compared


def test_numbers_drawn_in_parallel_are_not_counted_after_enable_region_only() -> None:
    one, other = (
        SEEN._replace(daxctl='[{"path":"/region0/dax0.0"}]'),
        SEEN._replace(daxctl='[{"path":"/region0/dax0.1"}]'),
    )
    for command, excused in (("ndctl enable-region all", True), ("ndctl enable-namespace all", False)):
        (found,) = compare_observations(1, command, one, other, (Uuids(), Uuids()))
        assert bool(found.excuse) == excused
    (found,) = compare_observations(1, "ndctl enable-region all", one, other._replace(daxctl=""), (Uuids(), Uuids()))
    assert not found.excuse


def test_zones_as_the_kernel_prints_them() -> None:
    text = """Node 0, zone      DMA
        spanned  4095
        present  3998
  start_pfn:           1
Node 0, zone  Movable
        spanned  0
        present  0
Node 0, zone   Device
        spanned  0
        present  0
"""
    assert parse_zones(text) == (Zone(0, "DMA", 1, 4095, 3998),)


def test_the_guests_text_is_read_as_the_model_shows_itself() -> None:
    scenario = parse_scenario('steps = []\n[machine]\nmemory = "512M"\npmem = [{ size = "64M", labels = true }]')
    player = Player(*set_up(scenario, "6.1"))
    bare = of_model(player)._replace(sections=None, pfn_valid=None, nodes=None)
    assert of_guest(shown(player), None) == bare
