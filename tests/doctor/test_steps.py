"""What a layout line asked for and was refused: each has a way out, and where that is commands, they work."""

from __future__ import annotations

import shlex

import pytest

from sparsemem.doctor import diagnose_machine
from sparsemem.machine.notation import parse_machine
from sparsemem.play.player import Player
from sparsemem.play.shell import parse_step

GUEST = "6.1; 1M-4G ram; add_memory 0x100000000-0x107ffffff; "
ARM = "6.1 arm64; 40000000-bfffffff ram; "


@pytest.mark.parametrize(
    ("line", "topic", "words"),
    [
        (ARM + "offline memory8", "boot-memory-offline", "plug the rest"),
        (ARM + "remove_memory 0x40000000-0x47ffffff", "block-online", "plug the rest"),
        (GUEST + "offline memory0", "multizone-block", "in one zone"),
        ("5.10; 1M-320M ram; offline memory2", "memory-holes", "RAM from end to end"),
        (GUEST + "online memory32; offline memory32", "isolation-failure", "ZONE_MOVABLE"),
        (GUEST + "online_movable memory32; remove_memory 0x100000000-0x107ffffff", "block-online", "offline first"),
        ("5.0; 0-2G ram; memremap_pages 0x800000000-0x800ffffff; memremap_pages 0x800000000-0x800ffffff", "devices-share-section", "twice"),
    ],
)  # fmt: skip
def test_what_was_refused_has_a_way_out(line: str, topic: str, words: str) -> None:
    machine = parse_machine(line)
    found = next(
        each for each in diagnose_machine(machine).findings if each.id == topic and each.what.startswith("Refused")
    )
    remedy = next(each for each in found.remedies if words in each.why)
    player = Player(machine)
    for step in remedy.steps:
        text = shlex.join(step)
        assert player.step(text, parse_step(text)).exit_code == 0, text
