"""dax devices that can not become RAM, are RAM only in part, or that the kernel's policy keeps from daxctl."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_dax
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.intervals import inward, merge
from sparsemem.doctor.needs import AUTO_ONLINE, DAX, OWN_KERNEL, STATES
from sparsemem.doctor.rules import cure, finding
from sparsemem.ranges import Range, format_range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.machine.description import BlockFact, DaxFact

__all__ = ["AutoOnline", "Movable", "PartlyOnline", "TargetNode"]

POLICY = "/sys/devices/system/memory/auto_online_blocks"


def _blocks_of(ctx: Context, dax: DaxFact, by_number: dict[int, BlockFact]) -> list[BlockFact]:
    """The memory blocks that the device brought."""
    assert ctx.description is not None
    size = ctx.description.block_size
    if not size:
        return []
    kept = [inward(r, size) for r in dax.ranges]
    numbers = (nr for r in kept for nr in range(r.start // size, r.end // size))
    return [by_number[nr] for nr in numbers if nr in by_number]


def _of_driver(ctx: Context) -> Iterator[tuple[DaxFact, list[BlockFact]]]:
    """Devices that are RAM, with their blocks."""
    assert ctx.description is not None
    by_number = {block.nr: block for block in ctx.description.blocks}
    for dax in ctx.description.dax:
        if dax.mode == "system-ram":
            yield dax, _blocks_of(ctx, dax, by_number)


class TargetNode(Check):
    """Without a node for its addresses a device can not become RAM; sysfs and listings show the node of every device that has one."""

    id = "target-node"
    question = "Does every dax device have a NUMA node to become RAM on?"
    about = "NUMA nodes of dax devices"
    needs = (DAX,)
    finds = (Kind("no-target-node", ("notice",), "kmem-node"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_dax(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        f = ctx.kernel.features
        if not f.kmem:
            return
        for dax in ctx.description.dax:
            if not dax.listed or dax.target_node is not None or dax.mode not in ("devdax", None):
                continue
            words = "Invalid argument" if f.bind_returns_probe_error else "No such device"
            span = "" if f.dax_multi_range or not dax.ranges else f"[mem {format_range(dax.ranges[0])}] "
            yield finding(
                "no-target-node",
                "notice",
                f"{dax.dev} ({format_size(dax.size)}) has no target node: making it system-ram is refused (-EINVAL), and daxctl says "
                f'"{words}".',
                "kmem-node",
                ranges=dax.ranges,
                devices=(dax.dev,),
                errno="EINVAL",
                capacity=dax.size,
                kernel_says=(f"kmem {dax.dev}: rejecting DAX region {span}with invalid node: -1",),
                remedies=(
                    Remedy(
                        "Firmware has to name a node for these addresses: look for an SRAT, CEDT or NFIT that does (BIOS update, NUMA on)."
                    ),
                    Remedy("Or go on using it as devdax; that needs no node.", ("daxctl", "list", "-d", dax.dev)),
                ),
            )


class AutoOnline(Check):
    """A policy that onlines by itself: daxctl 72 and later refuses to add memory under it, older ones race with it."""

    id = "auto-online"
    question = "Does the kernel's auto-online policy stop daxctl from choosing the zone?"
    about = "the auto-online policy"
    needs = (DAX, AUTO_ONLINE, OWN_KERNEL)
    finds = (Kind("auto-online-policy", ("notice",), None, "5.1 and later"),)

    def nothing(self, ctx: Context) -> str | None:
        if no_dax(ctx) is None and ctx.description is not None:
            waiting = any(dax.mode in ("devdax", None) for dax in ctx.description.dax)
            return None if waiting else "every dax device is RAM already"
        return no_dax(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        policy = ctx.description.auto_online or ""
        if not ctx.kernel.features.kmem or not policy.startswith("online"):
            return
        waiting = [dax for dax in ctx.description.dax if dax.mode in ("devdax", None)]
        zone = (
            "a kernel zone, from where it hardly comes back"
            if policy in ("online", "online_kernel")
            else "the movable zone"
        )
        first = waiting[0].dev
        yield finding(
            "auto-online-policy",
            "notice",
            f'The kernel onlines new memory by itself (auto_online_blocks says "{policy}"). daxctl 72 and later refuses to make system-ram '
            f"of {first} under it; older ones race with it. The memory lands in {zone}.",
            None,
            why="daxctl onlines memory as movable itself, so that it can go offline again; what the policy onlines first, it can not move.",
            kernels="5.1 and later",
            devices=tuple(dax.dev for dax in waiting),
            ranges=merge(r for dax in waiting for r in dax.ranges),
            kernel_says=(f"{first}: error: kernel policy will auto-online memory, aborting",),
            capacity=sum(dax.size for dax in waiting),
            source="daxctl/device.c (ndctl commit 99415df, release 72)",
            remedies=(
                cure("Leave onlining to daxctl.", "sh", "-c", f"echo offline > {POLICY}"),
                Remedy(
                    "Or leave it to the kernel, and accept the zone.",
                    ("daxctl", "reconfigure-device", "-N", "--force", "-m", "system-ram", first),
                ),
            ),
        )


def _online_rest(dax: DaxFact, blocks: list[BlockFact]) -> Iterator[Remedy]:
    """daxctl; where some are online already, it warns of a race, and chmem does the same without."""
    yield cure("Online the rest, as movable.", "daxctl", "online-memory", dax.dev)
    if all(block.state == "offline" for block in blocks):
        return
    off = merge(Range(block.nr, block.nr + 1) for block in blocks if block.state == "offline")
    steps = tuple(
        ("chmem", "-e", "-z", "Movable", "-b", f"{r.start}-{r.end - 1}" if r.size > 1 else str(r.start)) for r in off
    )
    argv = steps[0] if len(steps) == 1 else ("sh", "-c", " && ".join(map(shlex.join, steps)))
    yield Remedy("Or these blocks by number: daxctl warns of a race where others are online already.", argv, steps)


class PartlyOnline(Check):
    """kmem devices of which some blocks are online and others not."""

    id = "partly-online"
    question = "Is every memory block of a system-ram device online?"
    about = "blocks of dax devices that are offline"
    needs = (DAX, STATES, OWN_KERNEL)
    finds = (Kind("kmem-partly-online", ("warning", "notice"), None, "5.1 and later"),)

    def nothing(self, ctx: Context) -> str | None:
        return no_dax(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        size = ctx.description.block_size or 0
        for dax, blocks in _of_driver(ctx):
            off = [block for block in blocks if block.state == "offline"]
            total, number = len(blocks), len(off)
            if not blocks and dax.blocks is not None and dax.online is not None:
                total, number = dax.blocks, dax.blocks - dax.online
            if number <= 0:
                continue
            part = number < total
            some = f"{total - number} of its {total}" if part else f"none of its {total}"
            much = f"{format_size(number * size)} of {dax.dev} are" if size else f"{dax.dev} is"
            yield finding(
                "kmem-partly-online",
                "warning" if part else "notice",
                f"{much} added as RAM and offline{'' if size or not part else ' in part'}: {some} memory blocks are online.",
                None,
                why="Memory that a driver adds is offline until somebody onlines it, block by block; its page array takes room all the "
                "same.",
                kernels="5.1 and later",
                ranges=merge(Range(block.nr * size, (block.nr + 1) * size) for block in off),
                devices=(dax.dev,),
                capacity=number * size or None,
                lost=part,
                source="drivers/base/memory.c state_store()",
                remedies=tuple(_online_rest(dax, blocks)),
            )


def _to_movable(ctx: Context, dax: DaxFact, stuck: list[BlockFact]) -> Remedy:
    """Out of the kernel zone; where it is the first memory of its node, from 6.14 on only after a reboot."""
    assert ctx.description is not None
    nodes, numbers = {block.nid for block in stuck} - {None}, {block.nr for block in stuck}
    others = (b for b in ctx.description.blocks if b.nid in nodes and b.state == "online" and b.nr not in numbers)
    if ctx.kernel.features.kswapd_on_its_node and nodes and next(others, None) is None:
        return Remedy(
            "It is all the memory of its node, and this kernel makes the node's own threads (kswapd, kcompactd) in the first of it: that "
            "block will not go offline. Reboot, and online it as movable then."
        )
    return Remedy(
        "Try to take it offline while little is in it, and online it as movable.",
        ("daxctl", "offline-memory", dax.dev),
        steps=(("daxctl", "offline-memory", dax.dev), ("daxctl", "online-memory", dax.dev)),
    )


class Movable(Check):
    """RAM from a device that is online in a kernel zone: pages of the kernel land there, and it will hardly go offline again."""

    id = "movable"
    question = "Which RAM from devices is online in a kernel zone, so that it will not come back?"
    about = "RAM from devices in kernel zones"
    needs = (DAX, STATES, OWN_KERNEL)
    finds = (
        Kind("unmovable-block", ("notice",), "unmovable-page"),
        Kind("kmem-stays", ("notice",), "kmem-removal", "5.1 to 5.2"),
    )

    def nothing(self, ctx: Context) -> str | None:
        return no_dax(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        size = ctx.description.block_size or 0
        removes = ctx.kernel.features.kmem_removes
        for dax, blocks in _of_driver(ctx):
            stuck = [
                b
                for b in blocks
                if b.state == "online" and b.valid_zones and b.valid_zones[0] not in ("Movable", "none")
            ]
            total = len(stuck) * size
            if not blocks and dax.movable is False and dax.online:
                total = dax.online * size or dax.size
            if total:
                yield finding(
                    "unmovable-block",
                    "notice",
                    f"{format_size(total)} of {dax.dev} are online in a kernel zone: pages of the kernel land there, so this memory will "
                    'hardly go offline again, and daxctl answers "Device or resource busy" to whoever wants the device back.',
                    "unmovable-page",
                    ranges=merge(Range(b.nr * size, (b.nr + 1) * size) for b in stuck),
                    devices=(dax.dev,),
                    capacity=total,
                    remedies=(
                        _to_movable(ctx, dax, stuck),
                        Remedy(
                            "For the next time: keep the policy from onlining it first. From 6.3 on the kernel makes RAM of CXL and "
                            "Soft Reserved memory while it boots: memhp_default_state=offline on its command line leaves that offline.",
                            ("sh", "-c", f"echo offline > {POLICY}"),
                        ),
                    ),
                )
            if (blocks or dax.blocks) and not removes:
                yield finding(
                    "kmem-stays",
                    "notice",
                    f"{dax.dev} stays RAM until the next reboot: this kernel can not remove what kmem added.",
                    "kmem-removal",
                    kernels="5.1 to 5.2",
                    ranges=dax.ranges,
                    devices=(dax.dev,),
                    capacity=dax.size,
                    remedies=(Remedy("Boot kernel 5.3 or later to be able to take it back."),),
                )
