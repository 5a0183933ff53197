"""The forms that a scenario's machine can have, and what plays on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from sparsemem.errors import InputError, SparsememError
from sparsemem.play import load_scenario, parse_scenario, play, to_json

IOMEM = """
100000000-1ffffffff : System RAM
200000000-303ffffff : Persistent Memory (legacy)
304000000-43fffffff : System RAM
440000000-23ffffffff : Persistent Memory
2400000000-43bfffffff : Persistent Memory
  2400000000-43bfffffff : namespace2.0
"""
FIXTURES = Path(__file__).parents[2] / "src/sparsemem/fixtures"


def _errnos(text: str, kernel: str | None = None, directory: Path | None = None) -> list[str | None]:
    _, results = play(parse_scenario(text, directory=directory), kernel)
    return [result.errno for result in results]


def test_the_canonical_iomem_of_the_series() -> None:
    """The commit log of ba72b4c8cf60: 0x303ffffff and 0x304000000 lie in one section, impossible up to 5.2."""
    text = f'steps = ["memremap_pages 0x200000000-0x303ffffff"]\n[machine]\niomem = """{IOMEM}"""'
    for kernel in ("5.0", "5.1", "5.2"):
        assert _errnos(text, kernel) == ["ENXIO"]
    for kernel in ("5.3", "5.4", "5.10", "5.15", "6.1", "6.12", "7.2"):
        assert _errnos(text, kernel) == [None]


def test_what_holds_the_namespace_is_mapped_already() -> None:
    text = f'kernel="6.1"\nsteps = ["memremap_pages 0x2400000000-0x24ffffffff"]\n[machine]\niomem = """{IOMEM}"""'
    assert _errnos(text) == ["ENOMEM"]


def test_a_sysroot_beside_the_scenario(tmp_path: Path) -> None:
    proc = tmp_path / "captured" / "proc"
    proc.mkdir(parents=True)
    (proc / "iomem").write_text("00001000-0009fbff : System RAM\n00100000-3fffffff : System RAM\n")
    file = tmp_path / "one.toml"
    file.write_text(
        'kernel = "6.1"\nsteps = ["echo offline > /sys/devices/system/memory/memory2/state"]\n[machine]\nsysroot = "captured"\n'
    )
    player, results = play(load_scenario(str(file)))
    assert results[0].exit_code == 0
    assert player.machine.state.blocks[2].state == "offline"


@pytest.mark.parametrize("name", ["mixed-region", "laptop", "pmem-two-regions", "arm64-virt"])
@pytest.mark.parametrize("kernel", ["5.2", "6.1"])
def test_bundled_machines(name: str, kernel: str) -> None:
    scenario = parse_scenario(f'steps = ["cat /proc/iomem"]\n[machine]\nsysroot = "example:{name}"')
    player, results = play(scenario, kernel)
    assert results[0].stdout
    assert to_json(player.machine, results)["blocks"]


def test_a_layout_line_keeps_its_kernel_unless_told() -> None:
    text = '[machine]\nlayout = "5.2; 1M-1G ram, 1G+64M pmem, 1088M+64M ram; with block=128M"\n'
    scenario = parse_scenario('steps = ["memremap_pages 0x40000000-0x43ffffff"]\n' + text)
    assert [result.errno for result in play(scenario)[1]] == ["ENXIO"]
    assert [result.errno for result in play(scenario, "5.3")[1]] == [None]


def test_plug_needs_a_hypervisor() -> None:
    _, results = play(parse_scenario('steps = ["plug dimm0 128M"]\n[machine]\nlayout = "6.1; 1M-1G ram"'))
    assert results[0].exit_code == 1
    assert "no hypervisor" in results[0].stdout


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ('sysroot = "nowhere"', "nowhere"),
        ('iomem = "nowhere.txt"', "nowhere.txt"),
        ('layout = "6.1; 1M-"', "range"),
        ('memory = "512M"\nmaxmem = "256M"', "maxmem"),
        ('memory = "512M"\ncmdline = "memmap=48M!"', "memmap"),
    ],
)
def test_a_machine_that_is_none(table: str, words: str) -> None:
    scenario = parse_scenario(f'kernel = "6.1"\n[machine]\n{table}')
    with pytest.raises(SparsememError, match=words):
        play(scenario)


def test_steps_joined_and_piped() -> None:
    steps = [
        "true && echo yes",
        "false && echo no",
        "cat /proc/iomem | grep -v System | head -n 1",
        "for i in 1 2; do cat /sys/devices/system/memory/memory$i/state; done",
        "test -e /sys/devices/system/memory/memory1 && echo there",
        "grep . /sys/devices/system/memory/memory[12]/state",
        "echo 0 > /sys/devices/system/memory/memory1/online; cat /sys/devices/system/memory/memory1/online",
    ]
    listed = ", ".join(f"'{step}'" for step in steps)
    _, results = play(parse_scenario(f'kernel = "6.1"\nsteps = [{listed}]\n[machine]\nmemory = "1G"'))
    out = [result.stdout for result in results]
    assert out == [
        "yes\n", "", "00000000-00000fff : Reserved\n", "online\nonline\n", "there\n",
        "/sys/devices/system/memory/memory1/state:online\n/sys/devices/system/memory/memory2/state:online\n", "0\n",
    ]  # fmt: skip
    assert [result.exit_code for result in results] == [0, 1, 0, 0, 0, 0, 0]


def test_what_is_not_implemented_says_so_by_name() -> None:
    for step in ("ls -lh /sys", "grep -P x /proc/iomem", "cat << x", "reboot"):
        with pytest.raises(SparsememError, match=r"not implemented|no such command"):
            parse_scenario(f'steps = ["{step}"]\n[machine]\nmemory = "1G"')
    with pytest.raises(InputError):
        parse_scenario('steps = ["for i in 1; do echo"]\n[machine]\nmemory = "1G"')
