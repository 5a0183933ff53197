"""How good a plan is: no order of creation and no choice of regions, played on the model, strands fewer bytes.

The reference knows nothing of the planner: it plays every order with ndctl and daxctl and looks at what they list.
"""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sparsemem.planner import make_plan, parse_intent
from sparsemem.tools import daxctl, ndctl
from sparsemem.tools.result import Console
from sparsemem.tools.tree import MachineTree
from tests.planner.machines import MIB, examples, free_bytes, machine

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.machine.machine import Machine

_PAGE, _STRUCT_PAGE, _RESERVE = 4096, 64, 8192


def _tool(board: Machine, main: object, *words: str) -> object:
    result = main(MachineTree(board), list(words), Console(tty=False))  # type: ignore[operator]
    return json.loads(result.stdout) if result.exit_code == 0 and result.stdout else None


def _made(board: Machine, region: str, mode: str, size: int) -> int | None:
    """Make one; the bytes of it that serve nobody, None where it is refused. ``mode`` may have options behind it, as in an intent."""
    mode, *options = mode.split()
    words = ["create-namespace", "-r", region, "-m", "devdax" if mode == "system-ram" else mode, "-s", str(size)]
    words += [f"--{option}" for option in options]
    found = _tool(board, ndctl.main, *words)
    if not isinstance(found, dict):
        return None
    if any("state" in dev for dev in found.get("daxregion", {}).get("devices", ())):
        return None  # the dax device has no driver: its pages could not be mapped
    usable, overhead = int(found["size"]), 0
    if mode in ("fsdax", "devdax", "system-ram"):
        overhead = _RESERVE + (0 if "map=mem" in options else (size - _RESERVE) // _PAGE * _STRUCT_PAGE)
    if mode == "sector":
        overhead = size - usable
    if mode == "system-ram":
        name = found["daxregion"]["devices"][0]["chardev"]
        listed = _tool(board, daxctl.main, "reconfigure-device", "-m", "system-ram", name)
        if not isinstance(listed, list):
            return None
        block: int = board.state.misc["memory_block_size_bytes"]
        usable = listed[0]["total_memblocks"] * block
        if not usable:  # kernels up to 5.14 call that a success
            return None
    return size - usable - overhead


def _orders(atoms: list[tuple[str, int]], regions: list[str]) -> Iterator[list[tuple[str, int, str]]]:
    for order in set(itertools.permutations(atoms)):
        for places in itertools.product(regions, repeat=len(order)):
            yield [(mode, size, place) for (mode, size), place in zip(order, places, strict=True)]


def _best(board: Machine, atoms: list[tuple[str, int]], regions: list[str]) -> int | None:
    """The fewest stranded bytes of all orders and all choices of regions; None where none of them goes."""
    best: int | None = None
    depth = len(board.history)
    for sequence in _orders(atoms, regions):
        total: int | None = 0
        for mode, size, place in sequence:
            wasted = _made(board, place, mode, size)
            if wasted is None or total is None:
                total = None
                break
            total += wasted
        if total is not None and (best is None or total < best):
            best = total
        while len(board.history) > depth:
            board.undo()
    return best


_SIZES = st.sampled_from((16, 32, 48, 112, 128, 144, 192, 256, 320))
_KINDS = ("fsdax", "devdax", "fsdax map=mem", "devdax align=4K", "sector", "raw", "system-ram", "system-ram map=mem")
_ATOMS = st.lists(st.tuples(st.sampled_from(_KINDS), _SIZES), min_size=1, max_size=3)


@settings(max_examples=examples(20), suppress_health_check=[HealthCheck.too_slow])
@given(
    _ATOMS,
    st.sampled_from((512, 640, 768)),
    st.sampled_from((None, 256, 400)),
    st.sampled_from((0, 16, 64, 112)),
    st.sampled_from(("5.10", "6.1", "6.12")),
)
def test_no_order_strands_less(atoms: list[tuple[str, int]], one: int, two: int | None, off: int, kernel: str) -> None:
    sizes = [one * MIB] if two is None else [one * MIB, two * MIB]
    board = machine(kernel, *sizes, start=(4096 + off) * MIB, options="auto_online=offline", gap=16 * MIB)
    intent = ", ".join(f"{mode} {size}M" for mode, size in atoms)
    plan = make_plan(board, parse_intent(intent), nearest=False)
    best = _best(board, [(mode, size * MIB) for mode, size in atoms], [f"region{i}" for i in range(len(sizes))])
    if best is None:
        assert plan.impossible
        return
    assert not plan.impossible
    assert plan.optimal
    assert plan.stranded == best


def _fits(board: Machine, atoms: list[tuple[str, int]], regions: list[str]) -> bool:
    """Do the bare bytes fit? Playing all orders of what can not be is a waste."""
    room = sum(end - start for gaps in free_bytes(board).values() for start, end in gaps)
    return sum(size for _, size in atoms) <= room and bool(regions)


def _parts(
    board: Machine, fixed: list[tuple[str, int]], parts: list[str], regions: list[str], most: int
) -> tuple[int, int | None]:
    """The largest equal parts (a multiple of 16 MiB) that go with what is fixed, in any order and any regions, and the fewest stranded
    bytes with them."""
    for size in range(most // (16 * MIB) * 16 * MIB, 0, -16 * MIB):
        atoms = [*fixed, *((mode, size) for mode in parts)]
        if _fits(board, atoms, regions) and (best := _best(board, atoms, regions)) is not None:
            return size, best
    return 0, None


@settings(max_examples=examples(12), suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(st.sampled_from(_KINDS), st.sampled_from((16, 48, 112, 128, 200))), max_size=1),
    st.lists(st.sampled_from(_KINDS), min_size=2, max_size=2) | st.sampled_from(_KINDS).map(lambda kind: [kind] * 2),
    st.sampled_from((256, 400, 512)),
    st.sampled_from((None, None, 144, 320)),
    st.sampled_from((0, 16, 64, 112)),
    st.sampled_from(("5.10", "6.1", "6.12")),
)
def test_no_equal_parts_are_larger(
    fixed: list[tuple[str, int]], parts: list[str], one: int, two: int | None, off: int, kernel: str
) -> None:
    """Several "rest" items, or one with a count: no order, no choice of regions and no size gives larger parts; nor, with such parts,
    strands less."""
    sizes = [one * MIB] if two is None else [one * MIB, two * MIB]
    board = machine(kernel, *sizes, start=(4096 + off) * MIB, options="auto_online=offline", gap=16 * MIB)
    words = [f"{mode} {size}M" for mode, size in fixed]
    words += [f"2 x {parts[0]} rest"] if parts[0] == parts[1] else [f"{mode} rest" for mode in parts]
    plan = make_plan(board, parse_intent(", ".join(words)), nearest=False)
    if any(size % 16 for _, size in fixed):
        assert plan.impossible  # no multiple of the region's align
        return
    regions = [f"region{i}" for i in range(len(sizes))]
    size, best = _parts(board, [(mode, size * MIB) for mode, size in fixed], parts, regions, sum(sizes) // 2)
    if not size:
        assert plan.impossible
        return
    rests = [number for number, item in enumerate(plan.intent.items) if item.amount.kind == "rest"]
    assert {each.raw for each in plan.namespaces if each.item in rests} == {size}
    assert plan.stranded == best
    assert plan.optimal


@settings(max_examples=examples(8), suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(st.sampled_from(("fsdax", "devdax")), st.sampled_from((64, 96, 128, 132, 192, 256))),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from((0, 64)),
)
def test_no_order_strands_less_before_sub_sections(atoms: list[tuple[str, int]], off: int) -> None:
    """Up to v5.2 a mapping takes whole sections: whether there is an order at all is the question."""
    board = machine("5.1", 1024 * MIB, start=(4096 + off) * MIB)
    plan = make_plan(board, parse_intent(", ".join(f"{mode} {size}M" for mode, size in atoms)), nearest=False)
    best = _best(board, [(mode, size * MIB) for mode, size in atoms], ["region0"])
    assert bool(plan.impossible) == (best is None)


@settings(max_examples=examples(5), suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from((16, 48, 112, 128, 176)),
    st.sampled_from(("fsdax", "raw")),
    st.sampled_from((0, 16, 64, 96)),
    st.sampled_from((512, 656)),
)
def test_no_size_of_the_rest_gives_more_memory(size: int, mode: str, off: int, whole: int) -> None:
    """ "system-ram rest" beside another namespace, in either order and with every size: as many blocks as can be had."""
    board = machine("6.1", whole * MIB, start=(4096 + off) * MIB, options="auto_online=offline")
    plan = make_plan(board, parse_intent(f"{mode} {size}M, system-ram rest"), nearest=False)
    most, depth = 0, len(board.history)
    block: int = board.state.misc["memory_block_size_bytes"]
    for rest in range(16, whole - size + 1, 16):
        for order in (((mode, size), ("system-ram", rest)), (("system-ram", rest), (mode, size))):
            done = [_made(board, "region0", kind, each * MIB) for kind, each in order]
            if None not in done:
                listed = _tool(board, daxctl.main, "list")
                assert isinstance(listed, list)
                most = max(most, sum(dev.get("total_memblocks", 0) for dev in listed) * block)
            while len(board.history) > depth:
                board.undo()
    have = sum(each.usable for each in plan.namespaces if each.mode == "system-ram")
    # the planner puts what has a size first: the other order can only be as good
    assert have <= most
    first = [_made(board, "region0", mode, size * MIB)]
    assert first != [None]
    fixed_first = 0
    inner = len(board.history)
    for rest in range(16, whole - size + 1, 16):
        if _made(board, "region0", "system-ram", rest * MIB) is not None:
            listed = _tool(board, daxctl.main, "list")
            assert isinstance(listed, list)
            fixed_first = max(fixed_first, sum(dev.get("total_memblocks", 0) for dev in listed) * block)
        while len(board.history) > inner:
            board.undo()
    assert have == fixed_first


def test_order_matters_and_the_good_one_is_found() -> None:
    """112 MiB in front bring the data of system-ram to within 14 MiB of a block; behind it 126 MiB would be lost."""
    board = machine("6.1", 768 * MIB, options="auto_online=offline")
    plan = make_plan(board, parse_intent("system-ram 400M map=mem, raw 112M"))
    assert [each.mode for each in plan.namespaces] == ["raw", "system-ram"]
    assert plan.search == "exact"
