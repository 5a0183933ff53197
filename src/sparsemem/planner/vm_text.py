"""A guest's memory devices for a reader: QEMU's arguments, where each device is, and what goes wrong without addresses."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sparsemem.planner.lines import Page
from sparsemem.ranges import format_range
from sparsemem.units import format_size

if TYPE_CHECKING:
    from sparsemem.planner.vm import VmPlan

__all__ = ["render_vm", "vm_headline"]


def vm_headline(vm: VmPlan) -> str:
    """What came of the specification, in a sentence or two."""
    if vm.impossible is not None:
        return f"no such guest of Linux {vm.kernel}: {vm.impossible}"
    return (
        f"A guest of Linux {vm.kernel} has memory blocks of {format_size(vm.block_size)}. Booted on the model: no section and no memory "
        "block is shared, and every device is taken in."
    )


def render_vm(vm: VmPlan, width: int = 80, colour: bool = False) -> str:
    """The QEMU arguments, where each device is, and what goes wrong without addresses; ends in a newline."""
    page = Page(width, colour=colour)
    if vm.impossible is not None:
        page.add(vm_headline(vm), "", "  ", "31")
        if vm.nearest:
            page.add("nearest that can be had:", "  ")
            for text in vm.nearest:
                page.add(f'--vm "{text}"', "    ", "      ", "32")
        return "\n".join(page.lines) + "\n"
    page.add(vm_headline(vm), "", "  ", "1")
    page.blank()
    pairs = [
        f"{shlex.quote(option)} {shlex.quote(value)}" for option, value in zip(vm.qemu[::2], vm.qemu[1::2], strict=True)
    ]
    page.lines += [
        f"  {'    ' if number else 'qemu-system-x86_64 '}{pair}{' ' + chr(92) if number + 1 < len(pairs) else ''}"
        for number, pair in enumerate(pairs)
    ]
    page.blank()
    for device in vm.devices:
        page.add(
            f"{device.name}: {device.kind} {format_size(device.range.size)} at {format_range(device.range)}",
            "  ",
            "    ",
        )
    if vm.scarce:
        page.blank()
        for words in vm.scarce:
            page.add(words, "! ", "    ")
    if vm.devices:
        page.blank()
        if vm.lost:
            page.add("without addr=, where QEMU puts them:", "")
            for words in vm.lost:
                page.add(words, "! ", "    ")
        else:
            page.add(
                "QEMU's own addresses would do for these sizes; addr= keeps it so when something is added in front."
            )
    return "\n".join(page.lines) + "\n"
