"""Machines with a virtio-mem device in the lab: QEMU's arguments, what is luck, generated machines, and waiting for the guest."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from sparsemem.errors import InputError
from sparsemem.lab.conversation import GuestAnswer
from sparsemem.lab.errors import LabError
from sparsemem.lab.generate import draw_machine, draw_scenario, to_toml
from sparsemem.lab.generate_virtio import with_virtio_mem
from sparsemem.lab.guest import Guest
from sparsemem.lab.qemu import arguments
from sparsemem.lab.verify import Verdict, verify
from sparsemem.play import parse_scenario, play

from .fake import FakeBench

if TYPE_CHECKING:
    from sparsemem.play.scenario import Scenario

DEVICE = '{ size = "1G", requested = "256M", block_size = "4M" }'


def scenario(*steps: str, policy: str = "online_movable", device: str = DEVICE) -> Scenario:
    listed = ", ".join(f'"{step}"' for step in steps)
    return parse_scenario(
        f'steps = [{listed}]\n[machine]\nmemory = "512M"\ncmdline = "memhp_default_state={policy}"\nvirtio_mem = [{device}]'
    )


def check(*steps: str, policy: str, lies: dict[str, GuestAnswer]) -> Verdict:
    return verify(scenario(*steps, policy=policy), FakeBench(lies=lies))  # type: ignore[arg-type]


def test_qemu_gets_the_device() -> None:
    argv = arguments(scenario().machine, Path("k"), Path("i"), Path("d"))
    assert argv[-4:] == [
        "-object", "memory-backend-ram,id=vmem0,size=1073741824",
        "-device", "virtio-mem-pci,id=vm0,memdev=vmem0,requested-size=268435456,block-size=4194304",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("device", "words"),
    [
        ("{ requested = 1 }", "it must be a table with a size"),
        ('"1G"', "it must be a table with a size"),
        ('{ size = "1G", blocks = 1 }', "unknown key 'blocks'"),
        ('{ size = "1G", requested = "x" }', "requested: not a size"),
        ('{ size = "1G", node = -1 }', "the machine has 1"),
    ],
)
def test_a_table_that_is_wrong_is_one_error(device: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as error:
        scenario(device=device)
    assert "virtio_mem 1" in str(error.value)


@pytest.mark.parametrize("step", ["resize", "resize vm0", "resize vm0 1M 2M"])
def test_a_resize_that_is_wrong_is_one_error(step: str) -> None:
    with pytest.raises(InputError, match="resize takes a name and a size"):
        scenario(step)


def test_what_qemu_says_of_a_resize_is_the_output() -> None:
    _, results = play(scenario("resize vm0 6M", "resize vm1 8M", "resize vm0 2G", "resize vm0 512M"), "6.1")
    assert [(each.exit_code, each.stdout) for each in results] == [
        (1, "'requested-size' has to be multiples of 'block-size' (0x400000)\n"),
        (1, "Device '/machine/peripheral/vm1' not found\n"),
        (1, "'requested-size' cannot exceed the memory backend size(0x40000000)\n"),
        (0, "size=512M\n"),
    ]


def test_giving_back_memory_of_a_kernel_zone_is_luck() -> None:
    lie = {"resize vm0 0": GuestAnswer(0, "size=8M\n", ())}
    verdict = check("resize vm0 0", "resize vm0 128M", policy="online", lies=lie)
    assert (verdict.outcome, verdict.steps) == ("same", 1)  # and from there on they are two machines
    assert {each.excuse for each in verdict.differences} != {""}
    assert check("resize vm0 0", policy="online_movable", lies=lie).outcome == "different"


def test_5_10_asks_for_a_page_once() -> None:
    lie = {"resize vm0 0": GuestAnswer(0, "size=4M\n", ())}
    bench = FakeBench("5.10", lies=lie)
    verdict = verify(scenario("resize vm0 0", "resize vm0 128M"), bench)  # type: ignore[arg-type]
    assert (verdict.outcome, verdict.steps) == ("same", 1)
    lie["resize vm0 0"] = GuestAnswer(0, "size=0M\n", ("other words",))
    assert verify(scenario("resize vm0 0"), bench).outcome == "different"  # type: ignore[arg-type]


def test_growing_is_no_luck() -> None:
    lie = {"resize vm0 512M": GuestAnswer(0, "size=384M\n", ())}
    assert check("resize vm0 512M", policy="online", lies=lie).outcome == "different"


def test_drawn_machines_have_devices_and_their_files_read_back() -> None:
    rng, sizes = Random(5), []
    for _ in range(12):
        drawn = draw_scenario(rng, with_virtio_mem(rng, draw_machine(rng)), "6.1", 8, plugs=True)
        again = parse_scenario(to_toml(drawn))
        assert again.machine == drawn.machine
        sizes += [text for text, _ in again.steps if text.startswith("resize")]
    assert len(sizes) > 20


@dataclass
class _Qemu:
    """Answers qom-get, and refuses what is not there."""

    asked: list[str] = field(default_factory=list)

    def qmp(self, command: str, **arguments: Any) -> int:
        self.asked.append(f"{command} {arguments['path'].rpartition('/')[2]}")
        if arguments["path"].endswith("vm9"):
            raise LabError("Device '/machine/peripheral/vm9' not found")
        return 384 << 20


class _Talk:
    """The guest works for two looks, then says a last word."""

    def __init__(self) -> None:
        self.looks = 0

    def ask(self, command: str, *, look: bool = False, seconds: float = 0) -> tuple[GuestAnswer, str]:
        if command == "true":
            return GuestAnswer(0, "", ()), "seen" if look else ""
        self.looks += 1
        log = ("late words",) if self.looks == 3 else ()
        return GuestAnswer(0, f"{int(self.looks < 3)}\nsum", log), ""


def test_a_resize_ends_when_the_guest_has_settled() -> None:
    guest = object.__new__(Guest)
    guest.table = scenario().machine
    guest.qemu, guest._talk = _Qemu(), _Talk()  # type: ignore[assignment]
    answer, seen = guest.take("resize vm0 384M")
    assert answer == GuestAnswer(0, "size=384M\n", ("late words",))
    assert (seen, guest._talk.looks) == ("seen", 5)  # type: ignore[attr-defined]
    assert guest.take("resize vm9 0")[0] == GuestAnswer(1, "Device '/machine/peripheral/vm9' not found\n", ())
