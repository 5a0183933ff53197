"""cxl list on the tree of a guest with two CXL memory devices (QEMU, Linux 6.1), held to what the real cxl 76.1 printed there."""

from __future__ import annotations

import re
import shlex
from functools import cache

import pytest

from sparsemem.errors import NotModelledError
from sparsemem.machine.notation import parse_machine
from sparsemem.tools.cxl import COMMANDS, main
from sparsemem.tools.tree import MachineTree
from tests.tools.recorded_tree import RecordedTree, difference, steps

STEPS = steps("cxl@6.1")
DUMPS = [number for number, step in enumerate(STEPS) if str(step["command"]).startswith("for d in")]
_CHANGES = re.compile(r"cxl (?:create|disable)-")
#: Options that take a mailbox command of the device: of the real answers only the refusal is modelled.
MAILBOX = re.compile(r"-\w*(?:vvv|[HIA])\b")


def _cases() -> list[tuple[int, int]]:
    """(dump, step): each list on the tree that was printed before the next change."""
    found = []
    for dump in DUMPS:
        changed = max(n for n in range(dump) if _CHANGES.match(str(STEPS[n]["command"])))
        found += [(dump, n) for n in range(changed + 1, dump) if str(STEPS[n]["command"]).startswith("cxl list")]
    return found


@cache
def _tree(dump: int) -> RecordedTree:
    return RecordedTree(str(STEPS[dump]["stdout"]))


@pytest.mark.parametrize(
    ("dump", "step"), _cases(), ids=lambda n: str(STEPS[n]["command"]).replace("cxl list", "")[:40]
)
def test_as_the_real_tool(dump: int, step: int) -> None:
    words = shlex.split(str(STEPS[step]["command"]))[1:]
    if MAILBOX.search(" ".join(words)) and "memdev" in str(STEPS[step]["stdout"]):
        with pytest.raises(NotModelledError, match="mem"):
            main(_tree(dump), words)
        return
    assert difference(main(_tree(dump), words), STEPS[step]) == ""


def test_both_states_were_recorded() -> None:
    outputs = [str(STEPS[step]["stdout"]) for _, step in _cases()]
    assert any('"decode_state":"commit"' in text for text in outputs)
    assert any('"anon memdevs"' in text for text in outputs)
    assert len(outputs) > 80


@pytest.mark.parametrize(
    ("line", "stdout", "stderr"),
    [
        ("list", "[\n]\n", "  Warning: no matching devices found\n\n"),
        ("list -u", "", ""),
        ("list -vvv", "[\n]\n", "  Warning: no matching devices found\n\n"),
        ("list -m mem0", "[\n]\n", "  Warning: no matching devices found\n\n"),
    ],
)
def test_nothing_there(line: str, stdout: str, stderr: str) -> None:
    result = main(MachineTree(parse_machine("6.1; 1M-512M ram")), line.split())
    assert result[:3] == (stdout, stderr, 0)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"list", "help", "version"}))
def test_other_commands_say_so(name: str) -> None:
    with pytest.raises(NotModelledError, match=f"cxl {name} (of 85 )?is not modelled"):
        main(MachineTree(parse_machine("6.1; 1M-512M ram")), [name, "mem0"], version=(85,))


def test_releases() -> None:
    tree = MachineTree(parse_machine("6.1; 1M-512M ram"))
    assert main(tree, ["--version"], version=(81,)).stdout == "81\n"
    with pytest.raises(NotModelledError, match="no cxl in ndctl 71"):
        main(tree, ["list"], version=(71,))
    with pytest.raises(NotModelledError, match="cxl list 81"):
        main(_tree(DUMPS[0]), ["list"], version=(81,))
