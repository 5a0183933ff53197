"""``Machine.copy``: the same machine, which goes its own way."""

from __future__ import annotations

from sparsemem.tools import ndctl
from sparsemem.tools.tree import MachineTree
from tests.planner.machines import GIB, machine


def _create(board: object, *words: str) -> int:
    return ndctl.main(MachineTree(board), ["create-namespace", *words]).exit_code  # type: ignore[arg-type]


def test_a_copy_is_equal_and_independent() -> None:
    board = machine("6.1", 4 * GIB, 2 * GIB)
    assert _create(board, "-s", "512M", "-m", "devdax") == 0
    board.snapshot()
    other = board.copy()
    assert other == board
    assert other.snapshot() == board.snapshot()
    before = board.snapshot()
    assert _create(other, "-s", "1G") == 0
    assert board.snapshot() == before
    assert other != board
    assert _create(board, "-s", "1G") == 0
    assert other.snapshot() == board.snapshot(), "the same steps lead to the same machine"
    assert other.state.nd.children == board.state.nd.children
    assert other.state.nd.disks == board.state.nd.disks


def test_a_copy_can_be_undone_to_the_boot() -> None:
    board = machine("6.1", 4 * GIB)
    assert _create(board, "-s", "512M") == 0
    kept = board.snapshot()
    other = board.copy()
    while other.history:
        other.undo()
    assert not other.snapshot().changes
    assert board.snapshot() == kept
