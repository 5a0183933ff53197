"""``ndctl check-namespace`` on a BTT that is sound, and on one that is broken in each way that ndctl/check.c knows."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from sparsemem.kernel.nvdimm import btt_bytes
from sparsemem.machine.notation import parse_machine
from sparsemem.tools import ndctl
from sparsemem.tools.tree import MachineTree

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.tools.result import ToolResult

BASE = 4096
BOARD = "6.12; 0-4G ram, 100000000-13fffffff pmem; nd_region 0x100000000-0x13fffffff labels=1.1"


class Board:
    """A disabled namespace in sector mode, and its medium."""

    def __init__(self, lbasize: str = "4096") -> None:
        self.machine = parse_machine(BOARD)
        self.tree = MachineTree(self.machine)
        assert self.ndctl(f"create-namespace -m sector -s 32M -l {lbasize}").exit_code == 0
        assert self.ndctl("disable-namespace namespace0.0").exit_code == 0
        self.arena = btt_bytes.parse_arena_meta(btt_bytes.decode(self.read(BASE, 4096)), BASE)

    def ndctl(self, command: str) -> ToolResult:
        return ndctl.main(self.tree, command.split())

    def check(self, options: str = "") -> ToolResult:
        return self.ndctl(f"check-namespace {options} namespace0.0")

    def _raw(self, act: Callable[[], bytes]) -> bytes:
        node = "/sys/bus/nd/devices/namespace0.0/force_raw"
        self.tree.write(node, "1\n")
        self.tree.write("/sys/bus/nd/drivers/nd_pmem/bind", "namespace0.0")
        found = act()
        self.tree.write("/sys/bus/nd/drivers/nd_pmem/unbind", "namespace0.0")
        self.tree.write(node, "0\n")
        return found

    def read(self, offset: int, size: int) -> bytes:
        return self._raw(lambda: self.tree.pread("/dev/pmem0", offset, size))

    def write(self, offset: int, data: bytes) -> None:
        def put() -> bytes:
            self.tree.pwrite("/dev/pmem0", offset, data)
            return b""

        self._raw(put)

    def map(self, lba: int, block: int) -> None:
        self.write(self.arena.mapoff + 4 * lba, struct.pack("<I", block | 0xC0000000))

    def log(self, lane: int, entry: int, *fields: int) -> None:
        self.write(self.arena.logoff + 64 * lane + 16 * entry, struct.pack("<4I", *fields))


@pytest.fixture(scope="module")
def sound() -> Board:
    return Board()


def test_a_sound_btt_is_left_alone(sound: Board) -> None:
    before = sound.machine.state.media.copy()
    result = sound.check()
    assert (result.exit_code, result.output) == (0, "checked 1 namespace\n")
    assert sound.check("--repair").output == "checked 1 namespace\n"
    assert sound.machine.state.media == before


def test_the_first_info_block_comes_back_from_the_second() -> None:
    board = Board()
    info = board.read(BASE, 4096)
    board.write(BASE, bytes(4096))
    result = board.check()
    assert result.exit_code == 256 - 6  # the last place it looked at, not EIO
    assert "BTT info block at offset 0x1000 needs to be restored" in result.output
    assert "This may not be a sector mode namespace" in result.output
    assert board.check("--repair").output == "checked 1 namespace\n"
    assert board.read(BASE, 4096) == info
    assert board.ndctl("enable-namespace namespace0.0").exit_code == 0


def test_the_second_info_block_comes_back_from_the_first() -> None:
    board = Board()
    info = board.read(BASE, 4096)
    board.write(board.arena.info2off, bytes(4096))
    assert board.check().output == (
        "namespace0.0: btt_copy_to_info2: Arena 0: BTT info2 needs to be restored\nchecked 1 namespace\n"
    )
    assert board.check("-R").output == "Arena 0: Restoring BTT info2\nchecked 1 namespace\n"
    assert board.read(board.arena.info2off, 4096) == info


def test_without_any_info_block_there_is_nothing_to_recover() -> None:
    board = Board()
    board.write(BASE, bytes(4096))
    board.write(board.arena.info2off, bytes(4096))
    result = board.check("--repair")
    assert result.exit_code == 256 - 6
    assert "namespace0.0: namespace_check: Unable to recover any BTT info blocks\n" in result.output


def _two_in_the_map(board: Board) -> None:
    board.map(1, 2)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda b: b.map(5, b.arena.internal_nlba), "found a map entry that is out of bounds"),
        (lambda b: b.log(0, 1, 0, 0, 0, 1), "found a pair of log entries with the same sequence number"),
        (lambda b: b.log(3, 1, 0, 0, 0, 7), "found a log entry with an out of bounds sequence number"),
        (lambda b: b.log(1, 0, b.arena.external_nlba, 7, 7, 1), "found a log entry with an out of bounds LBA"),
        (
            lambda b: b.log(1, 0, 1, b.arena.internal_nlba, 7, 1),
            "found a log entry with an out of bounds 'old' mapping",
        ),
        (
            lambda b: b.log(1, 0, 1, 7, b.arena.internal_nlba, 1),
            "found a log entry with an out of bounds 'new' mapping",
        ),
        (_two_in_the_map, "bitmap error: internal blocks are incorrectly referenced"),
    ],
)
def test_what_is_broken_is_named(break_it: Callable[[Board], None], words: str) -> None:
    board = Board()
    break_it(board)
    result = board.check("--repair")
    assert result.exit_code == 256 - 6
    assert f"namespace0.0: btt_xlat_status: arena 0: {words}\n" in result.output
    assert result.output.endswith("error checking namespaces: No such device or address\nchecked 0 namespaces\n")


def test_the_log_of_a_lost_map_write_is_followed() -> None:
    """The log says block 9 went to the free block of lane 0; the map was not written."""
    board = Board()
    free = board.arena.external_nlba
    board.log(0, 1, 9, 9, free, 2)
    words = board.check()
    assert f"namespace0.0: btt_map_write: Arena 0: map[0x9] needs to be updated to {free:#x}\n" in words.output
    assert words.exit_code == 256 - 6  # unwritten, block 9 is in the map and in the log
    assert board.check("--repair").output == "checked 1 namespace\n"
    assert struct.unpack("<I", board.read(board.arena.mapoff + 36, 4))[0] == free | 0xC0000000
    assert board.check().exit_code == 0


def test_padding_of_a_kind_that_never_was() -> None:
    board = Board()
    board.log(0, 3, 1, 1, 1, 2)
    assert "Found an unknown padding scheme" in board.check().output


def test_the_log_can_be_rewritten() -> None:
    board = Board()
    result = board.check("--rewrite-log")
    assert result.output.startswith("namespace0.0: namespace_check: --rewrite-log also requires --repair\n")
    assert result.exit_code == 256 - 22
    free = board.arena.external_nlba
    board.log(0, 1, 9, 9, free, 2)
    board.map(9, free)
    assert board.check("-LR").output == "checked 1 namespace\n"
    group = struct.unpack("<16I", board.read(board.arena.logoff, 64))
    assert group == (9, 9, free, 1, *(0,) * 12)
    assert board.check().exit_code == 0


def test_an_error_flag_in_the_info_block_ends_the_check() -> None:
    board = Board()
    sb = btt_bytes.decode(board.read(BASE, 4096))._replace(flags=1)
    board.write(BASE, btt_bytes.encode(sb))
    assert "Info block error flag is set, aborting" in board.check().output


def test_blocks_with_metadata_are_more_than_the_tool_knows() -> None:
    """520 byte sectors take 576 in the arena: the tool wants both the same."""
    assert "Problem parsing arena[0] metadata" in Board("520").check().output


def test_an_active_namespace_takes_force(sound: Board) -> None:
    assert sound.ndctl("enable-namespace namespace0.0").exit_code == 0
    result = sound.check()
    assert (result.exit_code, result.stdout) == (256 - 16, "")
    assert "namespace0.0: check aborted, namespace online" in result.stderr
    assert sound.check("-f").output == "checked 1 namespace\n"
    assert sound.tree.exists("/dev/pmem0s") or "pmem0s" in sound.machine.state.nd.disks
    assert sound.ndctl("disable-namespace namespace0.0").exit_code == 0
