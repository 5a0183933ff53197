"""``sparsemem shell`` on a pipe, and its completion."""

from __future__ import annotations

from sparsemem.play.player import Player
from sparsemem.play.prompt import Prompt
from sparsemem.play.scenario import parse_scenario
from sparsemem.play.setup import set_up

from .test_verbs import sparsemem


def _prompt(pmem: str = "") -> tuple[Prompt, list[str]]:
    out: list[str] = []
    scenario = parse_scenario(f'kernel = "6.1"\n[machine]\nmemory = "512M"\n{pmem}')
    return Prompt(Player(*set_up(scenario), keep=True), out.append), out


def test_a_session_on_a_pipe() -> None:
    lines = (
        "plug dimm0 128M\n# a remark\n\n:undo\nplug dimm0 128M\nnonsense\n:faults\n:layout\n:quit\nplug dimm1 128M\n"
    )
    done = sparsemem("shell", stdin=lines)
    assert done.returncode == 0
    assert done.stdout.count("memory34: offline") == 2
    assert "Duplicate device ID" not in done.stdout
    assert "hint: known are" in done.stdout
    assert "no faults" in done.stdout
    assert "acpi_memory_device_add 0x110000000-0x117ffffff" in done.stdout
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


def test_completion_of_the_tools() -> None:
    prompt, _ = _prompt('pmem = [{ size = "256M", labels = true }]')

    def ends(line: str) -> list[str]:
        return prompt.complete(line, line.rpartition(" ")[2])

    assert ends("ndc") == ["ndctl"]
    assert ends("ndctl create-") == ["create-namespace"]
    assert "--mode" in ends("ndctl create-namespace --m")
    assert ends("ndctl create-namespace -m f") == ["fsdax"]
    assert ends("ndctl disable-namespace name") == ["namespace0.0"]
    assert ends("true && daxctl re") == ["reconfigure-device"]
    assert ends("chmem --z") == ["--zone"]
    assert ends("lsmem --sum") == ["--summary"]
    assert ends("cat /sys/bus/nd/devices/nm") == ["/sys/bus/nd/devices/nmem0/"]
    assert "/dev/pmem0" not in ends("mkfs.ext4 -q /dev/p")
    prompt.line("ndctl create-namespace -s 16M")
    assert ends("mkfs.ext4 -q /dev/p") == ["/dev/pmem0"]
    assert "-b" in ends("mkfs.ext4 -")


def test_a_session_with_a_file_system() -> None:
    prompt, out = _prompt('pmem = [{ size = "256M", labels = true }]')
    prompt.line("ndctl create-namespace -m fsdax -s 16M -n data")
    shown = [line for line in out if line.startswith("  ~")]
    assert shown[0] == "  ~ namespace0.0: fsdax map=dev 'data' 16 MiB at 0x100000000-0x100ffffff, as pmem0"
    prompt.line("mkfs.ext4 -q -b 4096 /dev/pmem0; mount -o dax /dev/pmem0 /mnt; cd /mnt; echo x > f")
    assert "  ~ mount + /dev/pmem0 on /mnt type ext4 (rw,relatime,dax=always)" in out
    prompt.line("ndctl disable-namespace namespace0.0")
    assert "  exit 240, EBUSY" in out
    prompt.line(":undo")
    prompt.line(":undo")
    out.clear()
    prompt.line("pwd; mount; ls /mnt; ndctl list")
    assert out[0] == "/"
    assert '"blockdev":"pmem0"' in "".join(out)
    prompt.line("mkfs.ext4 /dev/nothing")
    assert out[-1].startswith("  exit 1")


def test_what_only_the_run_can_tell_is_an_error_line() -> None:
    prompt, out = _prompt()
    before = prompt.player.machine.snapshot()
    prompt.line("plug dimm0 128M; x=reboot; $x")
    assert "error: no such command here: reboot" in out[-2]
    assert prompt.player.machine.snapshot() == before
