"""``sparsemem shell`` on a pipe, and its completion."""

from __future__ import annotations

from sparsemem.play.player import Player
from sparsemem.play.prompt import Prompt
from sparsemem.play.scenario import parse_scenario
from sparsemem.play.setup import set_up

from .test_verbs import sparsemem


def _prompt() -> tuple[Prompt, list[str]]:
    out: list[str] = []
    scenario = parse_scenario('kernel = "6.1"\n[machine]\nmemory = "512M"')
    return Prompt(Player(*set_up(scenario)), out.append), out


def test_a_session_on_a_pipe() -> None:
    lines = (
        "plug dimm0 128M\n# a remark\n\n:undo\nplug dimm0 128M\nnonsense\n:faults\n:layout\n:quit\nplug dimm1 128M\n"
    )
    done = sparsemem("shell", stdin=lines)
    assert done.returncode == 0
    assert done.stdout.count("memory32: offline") == 2
    assert "Duplicate device ID" not in done.stdout
    assert "hint: known are" in done.stdout
    assert "no faults" in done.stdout
    assert "acpi_memory_device_add 0x100000000-0x107ffffff" in done.stdout
    assert "dimm1" not in done.stdout


def test_undo_takes_back_the_whole_line() -> None:
    prompt, out = _prompt()
    before = prompt.player.machine.snapshot()
    prompt.line("plug dimm0 128M; echo online_movable > /sys/devices/system/memory/memory32/state")
    assert prompt.player.machine.snapshot() != before
    prompt.line(":undo")
    assert prompt.player.machine.snapshot() == before
    prompt.line(":undo")
    assert out[-1] == "nothing to undo"


def test_a_layout_line_runs_too() -> None:
    done = sparsemem("shell", "5.2; 1M-4G ram, 8G+64M pmem", stdin="memremap_pages 0x200000000-0x203ffffff\n:draw\n")
    assert "HAS_MEM_MAP" in done.stdout
    assert "Linux 5.2" in done.stdout


def test_completion() -> None:
    prompt, _ = _prompt()
    assert "memremap_pages" in prompt.complete("mem", "mem")
    assert prompt.complete(":f", ":f") == [":faults"]
    assert "/sys/devices/system/memory/memory1/" in prompt.complete(
        "cat /sys/devices/system/memory/", "/sys/devices/system/memory/"
    )
    assert prompt.complete("offline memory3", "memory3") == ["memory3"]
