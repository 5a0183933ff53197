"""Any text gives an answer or one clear error: layout lines, scenarios, steps, operations. Never a traceback."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparsemem.errors import InputError, SparsememError
from sparsemem.machine.notation import format_machine, looks_like_layout, parse_machine
from sparsemem.machine.operations import parse_operation
from sparsemem.play.player import Player
from sparsemem.play.scenario import parse_scenario
from sparsemem.play.shell import parse_step

_WORDS = st.sampled_from(  # a list of words is longer and says no more
    [
        "6.1",
        "5.2",
        "x86_64",
        "arm64",
        "page=65536",
        "levels=5",
        ";",
        ",",
        "{",
        "}",
        "with",
        "block=128M",
        "block=1",
        "node=1:0-fff",
        "top=fff",
        "unmovable=1",
        "bare-metal",
        "1M-64M",
        "0-fff",
        "4G+60M",
        "fff-0",
        "100000-1fffffff",
        "0x100000-0x1fffff",
        "-1-5",
        "1M-",
        "ram",
        "pmem",
        "legacy",
        "#200:5",
        "#zz",
        "%",
        "%zz",
        "memremap_pages",
        "memunmap_pages",
        "offline",
        "online",
        "memory1",
        "memory99999999999",
        "0x100000-0x2fffff",
        "fail=1",
        "fail=0",
        "nid=1",
        "nid=x",
        "altmap=2:510",
        "altmap=2",
        "type=generic",
        "type=x",
        "owner=a",
        "0x0-0xffffffffffffffff",
        "0-16777216T",
        "movablecore=64M",
        "kernelcore=1",
        "auto_online=online",
    ]
)
_LINES = st.lists(_WORDS, max_size=14).map(" ".join)


@given(st.one_of(st.text(max_size=80), _LINES, _LINES.map(lambda line: f"6.1; 1M-64M ram; {line}")))
@settings(max_examples=600, deadline=None)
def test_layout_lines(line: str) -> None:
    try:
        machine = parse_machine(line)
    except SparsememError:
        return
    assert parse_machine(format_machine(machine)) == machine
    assert looks_like_layout(line)


@given(st.one_of(st.text(max_size=60), _LINES))
@settings(max_examples=300, deadline=None)
def test_operations(text: str) -> None:
    try:
        operation = parse_operation(text)
    except SparsememError:
        return
    assert parse_operation(str(operation)) == operation


_STEP = st.sampled_from(
    ["echo", "offline", ">", ">>", "/sys/devices/system/memory/memory1/state", "&&", ";", "|", "cat", "grep", ".", "'", '"', "plug",
     "dimm0", "128M", "-1", "unplug", "for", "i", "in", "do", "done", "$i", "ndctl", "*", "[", "]", "printf", "%s", "%d", "head", "-n", "1",
     "||", "if", "then", "fi", "while", "read", "$(echo 1)", "$((1+2))", "${i:-x}", "<", "2>&1", "/mnt/x", "{", "}", "(", ")", "!", "x=1",
     "mount", "umount", "mkfs.ext4", "/dev/pmem0", "/mnt", "cd", "test", "-f", "wc", "-l", "dd", "tail", "cut", "-c1-3", "-f",
     "$x", "x=-n", "x=99999999999", "%*d",
     "seq", "find", "-type", "cmp", "sort", "uniq", "tr", "a-z", "hexdump", "ls", "\\", "`"]
)  # fmt: skip


@given(st.one_of(st.text(max_size=60), st.lists(_STEP, max_size=12).map(" ".join)))
@settings(max_examples=800, deadline=None)
def test_steps(step: str) -> None:
    """Any step is understood or refused, and what is understood runs."""
    machine = parse_machine("6.1; 1M-1G ram")
    before = machine.snapshot()
    player = Player(machine)
    mark = player.mark()
    try:
        result = player.step(step, parse_step(step))
    except SparsememError:
        assert machine.snapshot() == before
        return
    assert 0 <= result.exit_code <= 255
    player.back(mark)
    assert machine.snapshot() == before


@given(st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_scenarios(text: str) -> None:
    with pytest.raises(SparsememError):
        parse_scenario(text)


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("steps = []", "scenario", "[machine]"),
        ("kernel = 6.1\n[machine]\nmemory='1G'", "scenario", "kernel must be a string"),
        ("[machine]\nmemory='1G'\nlayout='6.1; 0-1G ram'", "[machine]", "once"),
        ("[machine]\nmemory='1X'", "[machine]", "memory"),
        ("[machine]\nmemory='1G'\nslots=-1", "[machine]", "slots"),
        ("[machine]\nmemory='1G'\npmem=[{labels=true}]", "pmem 1", "size"),
        ("[machine]\nmemory='1G'\npmem=[{size='1G', lables=true}]", "pmem 1", "lables"),
        ("[machine]\nmemory='1G'\npmem=[{size='1G', node=1}]", "pmem 1", "node = 1"),
        ("[machine]\nnodes=['1G', '1G']\ndimms=[{size='1G', node=2}]", "dimms", "node = 2"),
        ("[machine]\nnodes=['1G', '1G']\nmemory='1G'", "[machine]", "sum of its nodes"),
        ("[machine]\nnodes=[0, '1G']", "[machine]", "node 0"),
        ("[machine]\nnodes=['1G', '1000']", "[machine]", "whole MiB"),
        ("[machine]\nnodes=['1G', true]", "[machine]", "size"),
        ("steps=['plug n 64M labels=blank']\n[machine]\nmemory='1G'", "step 1", "NVDIMM"),
        ("steps=['plug n 64M type=nvdimm labels=true']\n[machine]\nmemory='1G'", "step 1", "labels=blank"),
        ("stesp=[]\n[machine]\nmemory='1G'", "scenario", "stesp"),
        ("steps=['echo >']\n[machine]\nmemory='1G'", "step 1", "file name"),
        ("steps=['true', 'memremap_pages 0x5-0x1']\n[machine]\nmemory='1G'", "step 2", "ends before"),
        ("steps=[1]\n[machine]\nmemory='1G'", "scenario", "strings"),
    ],
)
def test_the_error_names_the_place(text: str, place: str, words: str) -> None:
    with pytest.raises(SparsememError) as caught:
        parse_scenario(text)
    assert place in str(caught.value.where)
    assert words in str(caught.value)
    assert isinstance(caught.value, InputError) or caught.value.exit_code == 2
