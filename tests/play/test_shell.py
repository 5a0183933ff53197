"""The shell of the steps against BusyBox 1.35: ``busybox.json`` is what ``busybox sh -c SCRIPT`` printed, both streams together.

Recorded with an empty /tmp/t, no standard input, and an environment of PATH alone.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sparsemem.errors import InputError, NotModelledError
from sparsemem.machine.notation import parse_machine
from sparsemem.play.player import Player
from sparsemem.play.shell import COMMANDS, parse_step

RECORDED = json.loads((Path(__file__).parent / "busybox.json").read_text())


def _player() -> Player:
    player = Player(parse_machine("6.1; 1M-1G ram"))
    player.step("mkdir", parse_step("mkdir /tmp/t"))
    return player


@pytest.mark.parametrize("recorded", RECORDED, ids=lambda recorded: recorded["script"][:60])
def test_as_busybox(recorded: dict[str, Any]) -> None:
    result = _player().step(recorded["script"], parse_step(recorded["script"]))
    assert (result.stdout, result.exit_code) == (recorded["stdout"], recorded["exit_code"])


def test_each_step_is_a_shell_of_its_own() -> None:
    player = _player()
    player.step("", parse_step("cd /tmp; x=1; echo file > /tmp/t/f"))
    assert player.step("", parse_step("pwd; echo [$x]; cat /tmp/t/f")).stdout == "/\n[]\nfile\n"


def test_a_shell_in_the_shell() -> None:
    """As BusyBox's: variables are its own, its exit code is handed on, and its output is redirected."""
    player = _player()
    step = "x=1; cd /tmp; sh -c 'echo [$x]; cd /; y=2; exit 3' > /tmp/t/f; echo $? [$y]; pwd; cat /tmp/t/f"
    assert player.step("", parse_step(step)).stdout == "3 []\n/tmp\n[]\n"
    for wrong in ("sh file", "sh -c 'echo' name"):
        with pytest.raises(NotModelledError, match="sh -c TEXT"):
            parse_step(wrong)
    with pytest.raises(NotModelledError, match="no such command"):
        parse_step("sh -c reboot")


def test_a_prompt_keeps_its_shell() -> None:
    player = Player(parse_machine("6.1; 1M-1G ram"), keep=True)
    player.step("", parse_step("cd /tmp; x=1"))
    mark = player.mark()
    player.step("", parse_step("cd /; x=2; echo a > /tmp/f"))
    player.back(mark)
    assert player.step("", parse_step("pwd; echo $x; ls")).stdout == "/tmp\n1\n"  # noqa: S108


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("sleep 5 &", "&"),
        ("cat << X", "<<"),
        ("f() { echo; }", "functions"),
        ("case a in a) echo;; esac", "case"),
        ("X=1 echo", "variable for one command"),
        ("reboot", "no such command"),
        ("ls -lh /", "ls -lh"),
        ("grep -P x /proc/iomem", "grep -P"),
        ("mkfs.ext4 -O ^has_journal /dev/pmem0", "mkfs.ext4 -O"),
        ("mount --bind / /mnt", "mount --bind"),
        ("dd if=/dev/zero of=/tmp/x ibs=1", "dd ibs=1"),
        ("find / -exec rm {} +", "find -exec"),
        ("echo $$", "$$"),
        ("cat ~/x", "~"),
        ("ndctl inject-smart nmem0", "inject-smart"),
        ("for i in 1 2; do reboot; done", "reboot"),
        ("echo $(reboot)", "reboot"),
        ("false && reboot", "reboot"),
    ],
)
def test_what_is_not_implemented_is_refused_before_anything_runs(step: str, words: str) -> None:
    with pytest.raises(NotModelledError) as caught:
        parse_step(step)
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "step", ["", "echo 'a", 'echo "a', "echo a |", "| cat", "true && && true", "for i in 1; do echo",
     "if true; then", "(echo", "echo )", "fi", "{ echo", "echo $(", "echo ${a", "echo >"]
)  # fmt: skip
def test_what_is_no_command(step: str) -> None:
    with pytest.raises(InputError):
        parse_step(step)


@pytest.mark.parametrize("step", ["x=reboot; $x", "while true; do true; done", "x=-z; grep $x a /proc/iomem"])
def test_what_only_the_run_can_tell_leaves_the_machine_as_it_was(step: str) -> None:
    player = _player()
    before = player.machine.snapshot()
    with pytest.raises(NotModelledError):
        player.step(step, parse_step(f"echo offline > /sys/devices/system/memory/memory2/state; {step}"))
    assert player.machine.snapshot() == before


def test_a_redirect_into_an_attribute_is_one_write() -> None:
    player = _player()
    state = "/sys/devices/system/memory/memory2/state"
    result = player.step("", parse_step(f"for i in off line; do echo -n $i; done > {state}; cat {state}"))
    assert result.stdout == "sh: write error: Invalid argument\nsh: write error: Invalid argument\nonline\n"
    assert player.step("", parse_step(f"echo $(echo offline) > {state} && cat {state}")).stdout == "offline\n"


def test_every_command_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scenarios.md").read_text()
    assert not [name for name in COMMANDS if not re.search(rf"`{re.escape(name)}[` ]", page)]
