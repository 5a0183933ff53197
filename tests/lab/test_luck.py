"""What is excused as luck, and what is not: the order of workers and the numbers that they draw, nothing else."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from sparsemem.lab.compare import NUMBERS
from sparsemem.lab.luck import Probed, probed_at_boot, probed_by, same_but_for_numbers, same_but_for_order
from sparsemem.lab.report import text_lines, to_json
from sparsemem.lab.verify import verify
from sparsemem.play import parse_scenario

from .fake import FakeBench, FakeGuest

if TYPE_CHECKING:
    from sparsemem.lab.bench import Seat
    from sparsemem.lab.conversation import GuestAnswer
    from sparsemem.play.scenario import MachineTable

ENABLE = "ndctl enable-region region0"
LOG = ("nd_pmem namespace0.0: one", "nd_pmem pfn0.1: two", "nd_pmem namespace0.1: three", "nd_pmem namespace0.0: four")


@pytest.mark.parametrize(
    ("command", "kernel", "same"),
    [
        (ENABLE, (LOG[2], LOG[0], LOG[1], LOG[3]), True),
        ("echo region0 > /sys/bus/nd/drivers/nd_region/bind", (LOG[2], LOG[0], LOG[1], LOG[3]), True),
        (ENABLE, (LOG[0], "nd_pmem pfn0.7: two", *LOG[2:]), True),
        (ENABLE, (LOG[0], "nd_pmem pfn1.1: two", *LOG[2:]), False),  # of a region that is not probed
        (ENABLE, (LOG[3], LOG[1], LOG[2], LOG[0]), False),  # the lines of one device are in order
        (ENABLE, LOG[:3], False),
        (ENABLE, (*LOG[:3], LOG[2]), False),
        ("ndctl enable-namespace all", (LOG[2], LOG[0], LOG[1], LOG[3]), False),
    ],
)
def test_the_order_of_workers(command: str, kernel: tuple[str, ...], same: bool) -> None:
    assert same_but_for_order(probed_by(command), kernel, LOG) == same


def texts(first: str, second: str, mode: str = "devdax", region: int = 0) -> list[str]:
    """Two namespaces with their dax devices, as ndctl and daxctl show them; daxctl lists by number."""
    listed = [{"dev": f"namespace0.{n}", "mode": mode, "chardev": f"dax0.{n}"} for n in (0, 1)]
    devices = sorted(
        ({"path": f"/region{region}/{name}", "size": 16 + n} for n, name in enumerate((first, second))), key=str
    )
    return [json.dumps(listed), json.dumps(devices, indent=2).replace("/", "\\/")]


@pytest.mark.parametrize(
    ("command", "kernel", "same"),
    [
        (ENABLE, texts("dax0.2", "dax0.1"), True),
        (ENABLE, texts("dax0.1", "dax0.7"), True),
        ("ndctl enable-region all", texts("dax0.2", "dax0.1"), True),
        ("ndctl enable-region region1", texts("dax0.2", "dax0.1"), False),
        (ENABLE, texts("dax0.1", "dax0.1"), False),  # two may not share a number
        (ENABLE, texts("dax1.1", "dax1.2", region=1), False),  # nor be of another region
        (ENABLE, texts("pfn0.1", "dax0.2"), False),  # nor of another kind
        (ENABLE, texts("dax0.1", "dax0.2", mode="raw"), False),
        (
            ENABLE,
            [texts("dax0.1", "dax0.2")[0].replace("dax0.1", "dax0.9"), texts("dax0.2", "dax0.1")[1]],
            False,
        ),  # a chardev
        (
            ENABLE,
            [texts("dax0.1", "dax0.2")[0], json.dumps(json.loads(texts("dax0.1", "dax0.2")[1])[::-1])],
            False,
        ),  # only order
        ("ndctl create-namespace -m devdax", texts("dax0.2", "dax0.1"), False),
    ],
)
def test_drawn_numbers(command: str, kernel: list[str], same: bool) -> None:
    assert same_but_for_numbers(probed_by(command), kernel, texts("dax0.1", "dax0.2")) == same


def test_a_boot_probes_the_regions_that_have_namespaces_before_the_first_step() -> None:
    boot = probed_at_boot(texts("dax0.1", "dax0.2")[0])
    assert boot == Probed(frozenset("0"))
    assert not probed_at_boot("[]")
    later = boot | probed_by("ndctl destroy-namespace -f all")
    assert same_but_for_numbers(later, texts("dax0.2", "dax0.1"), texts("dax0.1", "dax0.2"))
    assert not same_but_for_numbers(later, texts("dax1.2", "dax1.1", region=1), texts("dax1.1", "dax1.2", region=1))
    assert "7" in boot | probed_by(ENABLE.replace("region0", "all"))


class Unlucky(FakeGuest):
    """Shows another number than the model draws."""

    def look(self) -> str:
        return super().look().replace("\\/dax0.", "\\/dax0.9")

    def take(self, command: str) -> tuple[GuestAnswer, str]:
        answer, seen = super().take(command)
        return answer, seen.replace("\\/dax0.", "\\/dax0.9") if "enable-region" in command else seen


class LuckyAtLast(FakeBench):
    """The first ``unlucky`` guests are."""

    unlucky = 0

    def sit(self, table: MachineTable, *, again: bool = False) -> Seat:
        seat = super().sit(table, again=again)
        if self.boots <= self.unlucky:
            seat.guest = Unlucky(table, self.version, {})  # type: ignore[assignment]
        return seat


STEPS = [
    "ndctl create-namespace -m devdax -s 32M",
    "ndctl disable-region all",
    "ndctl enable-region all",
    "ndctl list -N",
]


@pytest.mark.parametrize(("unlucky", "draws", "steps"), [(0, 1, 4), (2, 3, 4), (99, 5, 3)])
def test_a_scenario_is_played_again_until_the_guest_draws_as_the_model(unlucky: int, draws: int, steps: int) -> None:
    scenario = parse_scenario(
        f'steps = {json.dumps(STEPS)}\n[machine]\nmemory = "512M"\npmem = [{{ size = "128M", labels = true }}]',
        "x.toml",
    )
    bench = LuckyAtLast()
    bench.unlucky = unlucky
    verdict = verify(scenario, bench)  # type: ignore[arg-type]
    assert (verdict.outcome, verdict.draws, verdict.steps) == ("same", draws, steps)
    assert [each.excuse for each in verdict.differences if each.excuse != NUMBERS] == []
    assert bool(verdict.differences) == (steps == 3)  # never lucky: it ends there, and the report says why
    text = "\n".join(text_lines([verdict], [bench]))  # type: ignore[list-item]
    assert ("1 played again" in text) == (draws > 1)
    assert to_json([verdict], [])["results"][0]["draws"] == draws


class UnluckyBoot(FakeGuest):
    """Drew another number at boot, which shows once the namespace has become a dax device."""

    def look(self) -> str:
        return super().look().replace("\\/dax0.", "\\/dax0.9")

    def take(self, command: str) -> tuple[GuestAnswer, str]:
        answer, seen = super().take(command)
        return answer, seen.replace("\\/dax0.", "\\/dax0.9")


class LuckyBootAtLast(FakeBench):
    """Sets its guest back instead of booting it until it is closed; the first ``unlucky`` boots are."""

    unlucky = 0

    def sit(self, table: MachineTable, *, again: bool = False) -> Seat:
        fresh = self.closed or not self.boots
        boots = self.boots
        seat = super().sit(table, again=again)
        if not fresh:
            self.boots = boots
        self.closed = 0
        if self.boots <= self.unlucky:
            seat.guest = UnluckyBoot(table, self.version, {})  # type: ignore[assignment]
        return seat


@pytest.mark.parametrize(("unlucky", "draws", "steps"), [(0, 1, 2), (2, 3, 2), (99, 5, 1)])
def test_what_the_boot_drew_takes_another_boot(unlucky: int, draws: int, steps: int) -> None:
    made = ["ndctl create-namespace -f -e namespace0.0 -m devdax", "ndctl list -N"]
    scenario = parse_scenario(
        f'steps = {json.dumps(made)}\n[machine]\nmemory = "512M"\npmem = [{{ size = "128M", labels = false }}]',
        "x.toml",
    )
    bench = LuckyBootAtLast()
    bench.unlucky = unlucky
    verdict = verify(scenario, bench)  # type: ignore[arg-type]
    assert (verdict.outcome, verdict.draws, verdict.steps) == ("same", draws, steps)
    assert [each.excuse for each in verdict.differences if each.excuse != NUMBERS] == []
