"""kernel/resource.py against a naive tree of mutable nodes, and against texts that real kernels printed."""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from sparsemem.kernel.refusal import Refusal
from sparsemem.kernel.resource import (
    IORES_DESC_NONE,
    IORES_DESC_PERSISTENT_MEMORY,
    IORESOURCE_BUSY,
    IORESOURCE_EXCLUSIVE,
    IORESOURCE_MEM,
    IORESOURCE_SYSRAM_DRIVER_MANAGED,
    IORESOURCE_SYSTEM_RAM,
    REGION_DISJOINT,
    REGION_INTERSECTS,
    REGION_MIXED,
    Resource,
    adjust_resource,
    find_next_iomem_res,
    insert_resource,
    insert_resource_expand_to_fit,
    iomem_is_exclusive,
    iomem_resource,
    lookup_resource,
    merge_system_ram_resource,
    page_is_ram,
    region_intersects,
    release_mem_region,
    release_mem_region_adjustable,
    release_resource,
    remove_resource,
    request_mem_region,
    request_resource,
    reserve_region_with_split,
    update_resource,
    walk_system_ram_range,
    walk_system_ram_res,
)
from sparsemem.kernel.resource_free import alloc_free_mem_region, request_free_mem_region

RAM = IORESOURCE_SYSTEM_RAM | IORESOURCE_BUSY
TOP = 63


@dataclass(eq=False)
class Node:
    """The naive side: one mutable object an entry, children in a plain list, every question answered by looking at all."""

    start: int
    end: int
    name: str | None
    flags: int
    desc: int = IORES_DESC_NONE
    below: list[Node] = field(default_factory=list)

    def value(self) -> Resource:
        return Resource(self.start, self.end, self.name, self.flags, self.desc, tuple(n.value() for n in self.below))

    def hit(self, start: int, end: int) -> list[Node]:
        return [n for n in self.below if n.start <= end and n.end >= start]

    def add(self, node: Node) -> None:
        self.below.append(node)
        self.below.sort(key=lambda n: n.start)

    def every(self) -> list[Node]:
        return [self, *(x for n in self.below for x in n.every())]

    def parent_of(self, node: Node) -> Node:
        return next(n for n in self.every() if node in n.below)


def naive_request(root: Node, start: int, end: int, name: str) -> Node | None:
    at = root
    while True:
        if end < start or start < at.start or end > at.end:
            return None
        hit = at.hit(start, end)
        if not hit:
            node = Node(start, end, name, (at.flags & 0x1001F00) | IORESOURCE_BUSY, at.desc)
            at.add(node)
            return node
        if hit[0].flags & IORESOURCE_BUSY:
            return None
        at = hit[0]


def naive_insert(root: Node, node: Node) -> Node | None:
    """None when it went in, else the entry in the way."""
    at = root
    while True:
        if node.end < node.start or node.start < at.start or node.end > at.end:
            return at
        hit = at.hit(node.start, node.end)
        if not hit:
            at.add(node)
            return None
        first = hit[0]
        outer = first.start <= node.start and first.end >= node.end
        if outer and (first.start, first.end) != (node.start, node.end):
            at = first
            continue
        for n in hit:
            if n.start < node.start or n.end > node.end:
                return n
        for n in hit:
            at.below.remove(n)
        node.below = hit
        at.add(node)
        return None


def naive_intersects(root: Node, start: int, end: int, flags: int, descend: bool) -> str:
    """Byte by byte: whose is each byte, and is any of them RAM and any of them something else?"""
    match = other = False
    for n in root.hit(start, end):
        if n.flags & flags == flags:
            match = True
            continue
        if not descend:
            other = True
            continue
        inside = [x for x in n.every()[1:] if x.flags & flags == flags and x.start <= end and x.end >= start]
        match = match or bool(inside)
        covered = {b for x in inside for b in range(x.start, x.end + 1)}
        if any(b not in covered for b in range(max(start, n.start), min(end, n.end) + 1)):
            other = True
    if not match:
        return REGION_DISJOINT
    return REGION_MIXED if other else REGION_INTERSECTS


class Trees(RuleBasedStateMachine):
    """The same operations on both sides; the trees must be the same value after each."""

    def __init__(self) -> None:
        super().__init__()
        self.root = iomem_resource(TOP)
        self.naive = Node(0, TOP, "PCI mem", IORESOURCE_MEM)
        self.count = 0

    ranges = st.tuples(st.integers(0, TOP), st.integers(0, TOP)).map(lambda t: (min(t), max(t)))
    kinds = st.sampled_from([IORESOURCE_MEM, IORESOURCE_MEM | IORESOURCE_BUSY, IORESOURCE_SYSTEM_RAM, RAM])

    def name(self) -> str:
        self.count += 1
        return f"r{self.count}"

    def pick(self, data: st.DataObject) -> tuple[Node, Resource]:
        node = data.draw(st.sampled_from(self.naive.every()[1:]))
        return node, next(res for _, res in self.root.walk() if res.name == node.name)

    @rule(r=ranges)
    def request_region(self, r: tuple[int, int]) -> None:
        name = self.name()
        got = request_mem_region(self.root, r[0], r[1] - r[0] + 1, name)
        node = naive_request(self.naive, *r, name)
        assert (got is None) == (node is None)
        if got is not None and node is not None:
            self.root, new = got
            assert new == node.value()

    @rule(r=ranges, kind=kinds)
    def request(self, r: tuple[int, int], kind: int) -> None:
        name = self.name()
        hit = self.naive.hit(*r)
        if hit:
            with pytest.raises(Refusal, match="-EBUSY from request_resource"):
                request_resource(self.root, Resource(*r, name, kind))
        else:
            self.root = request_resource(self.root, Resource(*r, name, kind))
            self.naive.add(Node(*r, name, kind))

    @rule(r=ranges, kind=kinds)
    def insert(self, r: tuple[int, int], kind: int) -> None:
        name = self.name()
        conflict = naive_insert(self.naive, Node(*r, name, kind))
        if conflict is not None:
            with pytest.raises(Refusal, match="-EBUSY from insert_resource"):
                insert_resource(self.root, Resource(*r, name, kind))
        else:
            self.root = insert_resource(self.root, Resource(*r, name, kind))

    @rule(r=ranges, kind=kinds)
    def insert_expanding(self, r: tuple[int, int], kind: int) -> None:
        node = Node(*r, self.name(), kind)
        lines: list[str] = []
        self.root = insert_resource_expand_to_fit(
            self.root, Resource(*r, node.name, kind), log=lambda _, line: lines.append(line)
        )
        expected = []
        while (conflict := naive_insert(self.naive, node)) is not None:
            node.start, node.end = min(node.start, conflict.start), max(node.end, conflict.end)
            expected.append(f"resource: Expanded resource {node.name} due to conflict with {conflict.name}")
        assert lines == expected

    @precondition(lambda self: self.naive.below)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        node, res = self.pick(data)
        self.root = release_resource(self.root, res)
        self.naive.parent_of(node).below.remove(node)

    @precondition(lambda self: self.naive.below)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        node, res = self.pick(data)
        self.root = remove_resource(self.root, res)
        parent = self.naive.parent_of(node)
        parent.below.remove(node)
        for child in node.below:
            parent.add(child)

    @precondition(lambda self: self.naive.below)
    @rule(data=st.data(), start=st.integers(0, TOP), size=st.integers(1, 20))
    def adjust(self, data: st.DataObject, start: int, size: int) -> None:
        node, res = self.pick(data)
        end, parent = start + size - 1, self.naive.parent_of(node)
        others = [n for n in parent.below if n is not node]
        at = parent.below.index(node)
        fits = (
            start >= parent.start
            and end <= parent.end
            and all(n.end < start for n in parent.below[:at])
            and all(n.start > end for n in parent.below[at + 1 :])
            and all(start <= n.start and n.end <= end for n in node.below)
        )
        assert len(others) == len(parent.below) - 1
        try:
            self.root, _ = adjust_resource(self.root, res, start, size)
            assert fits
            node.start, node.end = start, end
        except Refusal:
            assert not fits

    @rule(r=ranges)
    def release_region(self, r: tuple[int, int]) -> None:
        at, found = self.naive, None
        while True:
            node = next((n for n in at.below if n.start <= r[0] and n.end >= r[1]), None)
            if node is None:
                break
            if not node.flags & IORESOURCE_BUSY:
                at = node
                continue
            found = node if (node.start, node.end) == r else None
            break
        lines: list[str] = []
        before = self.root
        self.root = release_mem_region(self.root, r[0], r[1] - r[0] + 1, log=lambda _, line: lines.append(line))
        if found is None:
            assert self.root is before
            assert lines == [f"resource: Trying to free nonexistent resource <0x{r[0]:016x}-0x{r[1]:016x}>"]
        else:
            assert not lines
            at.below.remove(found)

    @rule(r=ranges, flags=kinds, descend=st.booleans())
    def ask(self, r: tuple[int, int], flags: int, descend: bool) -> None:
        got = region_intersects(self.root, r[0], r[1] - r[0] + 1, flags, descend=descend)
        assert got == naive_intersects(self.naive, *r, flags, descend)

    @rule(r=ranges)
    def walk(self, r: tuple[int, int]) -> None:
        # A busy RAM entry hides what is inside it: count bytes that lie in any of them.
        ram = {b for n in self.naive.every()[1:] if n.flags & RAM == RAM for b in range(n.start, n.end + 1)}
        found = [b for res in walk_system_ram_res(self.root, *r) for b in range(res.start, res.end + 1)]
        assert len(found) == len(set(found))
        assert set(found) <= ram
        if r[0] < r[1]:
            # the kernel's loop stops before a last single byte (start < end)
            assert {b for b in ram if r[0] <= b < r[1]} <= set(found)

    @rule(start=st.integers(0, TOP))
    def look_up(self, start: int) -> None:
        want = next((n.value() for n in self.naive.below if n.start == start), None)
        assert lookup_resource(self.root, start) == want

    @invariant()
    def same(self) -> None:
        want = self.naive.value()
        assert self.root == want
        assert hash(self.root) == hash(want)


Trees.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestTrees = Trees.TestCase


def tree(*children: Resource) -> Resource:
    return iomem_resource(0xFFF, children)


def test_a_resource_is_a_value() -> None:
    res = Resource(1, 2, "x", RAM, 4, (Resource(1, 1, "y"),))
    with pytest.raises(AttributeError):
        res.start = 5  # type: ignore[misc]
    assert copy.deepcopy(res) == res
    assert {res: 1}[Resource(1, 2, "x", RAM, 4, (Resource(1, 1, "y"),))] == 1
    assert res != res.replace(end=3)
    assert res.replace(name="z").children == res.children


def test_old_roots_stay_as_they_were() -> None:
    old = tree(Resource(0, 0xFF, "System RAM", RAM))
    got = request_mem_region(old, 0x200, 0x100, "dax0.0")
    assert got is not None
    assert len(old.children) == 1
    assert len(got[0].children) == 2


def test_eight_thousand_children_in_any_order() -> None:
    numbers = [(n * 5003) % 8192 for n in range(8192)]
    root = iomem_resource()
    for n in numbers:
        got = request_mem_region(root, n << 21, 1 << 20, "n")
        assert got is not None
        root = got[0]
    assert [res.start for res in root.children] == [n << 21 for n in range(8192)]
    for n in numbers[:100]:
        root = release_mem_region(root, n << 21, 1 << 20)
    assert len(root.children) == 8092


def test_system_ram_inside_a_dax_device_is_only_seen_from_6_12_on() -> None:
    """The case of commit b4afe4183ec7: RAM of a driver under a CXL window."""
    kmem = Resource(0x100, 0x1FF, "System RAM (kmem)", RAM | IORESOURCE_SYSRAM_DRIVER_MANAGED)
    root = tree(Resource(0x100, 0x2FF, "CXL Window 0", IORESOURCE_MEM, IORES_DESC_NONE, (kmem,)))
    ask = (root, 0x100, 0x100, IORESOURCE_SYSTEM_RAM)
    assert region_intersects(*ask, descend=False) == REGION_DISJOINT
    assert region_intersects(*ask) == REGION_INTERSECTS
    assert region_intersects(root, 0x180, 0x100, IORESOURCE_SYSTEM_RAM) == REGION_MIXED
    assert page_is_ram(iomem_resource(0xFFFFF, (Resource(0, 0xFFFF, "System RAM", RAM),)), 15)
    assert not page_is_ram(root, 0)


def test_walk_gives_whole_pages_only() -> None:
    root = iomem_resource(
        0xFFFFF, (Resource(0x800, 0x3BFF, "System RAM", RAM), Resource(0x4200, 0x47FF, "System RAM", RAM))
    )
    assert list(walk_system_ram_range(root, 0, 16)) == [(1, 2)]
    assert list(walk_system_ram_range(root, 2, 1)) == [(2, 1)]
    found = find_next_iomem_res(root, 0x1000, 0x4FFF, IORESOURCE_SYSTEM_RAM)
    assert found is not None
    assert (found.start, found.end) == (0x1000, 0x3BFF)


@pytest.mark.parametrize(
    ("start", "size", "left"),
    [
        (0x000, 0x400, []),
        (0x000, 0x100, [(0x100, 0x3FF)]),
        (0x300, 0x100, [(0x000, 0x2FF)]),
        (0x100, 0x100, [(0x000, 0x0FF), (0x200, 0x3FF)]),
        (0x300, 0x200, [(0x000, 0x3FF)]),
    ],
)
def test_release_adjustable_frees_shrinks_or_splits(start: int, size: int, left: list[tuple[int, int]]) -> None:
    root = release_mem_region_adjustable(tree(Resource(0, 0x3FF, "System RAM", RAM)), start, size)
    assert [(res.start, res.end) for res in root.children] == left


def test_release_adjustable_by_era() -> None:
    child = Resource(0x300, 0x31F, "Kernel code", RAM)
    root = tree(Resource(0, 0x3FF, "System RAM", RAM, 0, (child,)))
    lines: list[str] = []
    split = release_mem_region_adjustable(root, 0x100, 0x100)
    assert [len(res.children) for res in split.children] == [0, 1]
    kept = release_mem_region_adjustable(root, 0x100, 0x100, reparents_children=False, log=lambda _, t: lines.append(t))
    assert kept is root
    assert len(lines) == 1
    with pytest.raises(Refusal) as busy:
        release_mem_region_adjustable(root, 0x100, 0x100, reparents_children=False, never_fails=False)
    with pytest.raises(Refusal) as invalid:
        release_mem_region_adjustable(root, 0x800, 0x100, never_fails=False)
    assert (busy.value.name, invalid.value.name) == ("EBUSY", "EINVAL")
    assert release_mem_region_adjustable(root, 0x800, 0x100) is root


def test_merging_joins_only_equal_childless_neighbours() -> None:
    dimms = [Resource(n * 0x100, n * 0x100 + 0xFF, "System RAM (virtio_mem)", RAM) for n in range(3)]
    root = tree(*dimms)
    for dimm in dimms:
        root, merged = merge_system_ram_resource(root, dimm)
        assert merged in root.children
    assert [(res.start, res.end) for res in root.children] == [(0, 0x2FF)]
    other = tree(dimms[0], dimms[1].replace(name="System RAM"))
    for dimm in other.children:
        other, _ = merge_system_ram_resource(other, dimm)
    assert len(other.children) == 2


def test_a_region_takes_type_and_descriptor_of_its_parent() -> None:
    pmem = Resource(0x100, 0x4FF, "Persistent Memory", IORESOURCE_MEM, IORES_DESC_PERSISTENT_MEMORY)
    got = request_mem_region(tree(pmem), 0x100, 0x100, "namespace0.0")
    assert got is not None
    root, new = got
    assert new.desc == IORES_DESC_PERSISTENT_MEMORY
    assert root.children[0].children == (new,)
    assert request_mem_region(root, 0x180, 0x10, "again") is None
    assert request_mem_region(root, 0x480, 0x100, "half outside") is None
    ram, _ = update_resource(root, new, flags=IORESOURCE_SYSTEM_RAM)
    assert request_mem_region(ram, 0x100, 0x100, "System RAM (kmem)") is not None


def test_reserve_with_split_fills_the_gaps() -> None:
    root = tree(Resource(0x100, 0x1FF, "a"), Resource(0x300, 0x3FF, "b"))
    root = reserve_region_with_split(root, 0x080, 0x37F, "RAM buffer")
    assert [(res.start, res.end, res.name) for res in root.children] == [
        (0x080, 0x0FF, "RAM buffer"),
        (0x100, 0x1FF, "a"),
        (0x200, 0x2FF, "RAM buffer"),
        (0x300, 0x3FF, "b"),
    ]


def test_exclusive() -> None:
    flags = IORESOURCE_SYSTEM_RAM | IORESOURCE_EXCLUSIVE
    root = iomem_resource(0xFFFFF, (Resource(0x1000, 0x1FFF, "virtio0", flags), Resource(0x3000, 0x3FFF, "ahci", RAM)))
    assert iomem_is_exclusive(root, 0x1800, strict=False)
    assert iomem_is_exclusive(root, 0x3000)
    assert not iomem_is_exclusive(root, 0x3000, strict=False)
    assert not iomem_is_exclusive(root, 0x2000)


def test_free_regions_from_the_top_and_from_the_bottom() -> None:
    window = Resource(0x400, 0x7FF, "CXL Window 0", IORESOURCE_MEM, 0, (Resource(0x400, 0x4FF, "region0"),))
    root = tree(window)
    root, region = alloc_free_mem_region(root, window, 0x100, 0x100, "region1", physmem_end=0xFFF)
    assert (region.start, region.end) == (0x500, 0x5FF)
    root, private = request_free_mem_region(root, root, 0x80, "hmm", section_size=0x100, physmem_end=0xFFF)
    assert (private.start, private.end) == (0xF00, 0xFFF)
    with pytest.raises(Refusal) as full:
        alloc_free_mem_region(root, root.children[0], 0x400, 0x100, "region2", physmem_end=0xFFF)
    assert full.value.name == "ERANGE"
