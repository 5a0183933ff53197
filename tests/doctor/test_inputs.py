"""Every check, without each input that it declares: skipped, with the reason. A check that is added without a machine here fails."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from sparsemem.doctor import needs
from sparsemem.doctor.checks import CHECKS
from sparsemem.doctor.context import Context, make_context
from sparsemem.doctor.engine import _run
from sparsemem.readers.model import read_model
from tests.doctor.played import play

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.doctor.check import Check, Need
    from sparsemem.machine.description import MachineDescription

_RICH = (
    "6.1; 1M-4G ram, 4G+16G pmem, 0x600000000-0x63fffffff CXL Window 0, 0x700000000-0x73fffffff soft, "
    "0x780000000-0x79fffffff virtio0, 0x7c0000000-0x7dfffffff legacy; "
    "with possible_nodes=2 auto_online=online; nd_region 0x100000000-0x4ffffffff labels=1.2 target_node=1; "
    "cxl_acpi_probe 0x600000000-0x63fffffff devices=268435456:1:262144 dports=2 msi=N"
)


def rich() -> Context:
    """A machine that has every input: devices of each kind, blocks, labels, info blocks, windows."""
    player = play(_RICH, "ndctl create-namespace -s 2G", "ndctl create-namespace -m devdax -s 4G")
    machine = player.machine
    machine.state.misc["tdx_host"] = True  # as a log says it
    description = read_model(machine)
    assert description.namespaces
    assert description.dax
    assert description.blocks
    assert description.label_areas
    assert description.info_blocks
    assert description.cxl
    return make_context(machine, description, True, (), captured=False)


def _without(ctx: Context, **fields: object) -> Context:
    assert ctx.description is not None
    return replace(ctx, description=replace(ctx.description, **fields))  # type: ignore[arg-type]


def _no_description(ctx: Context) -> Context:
    return replace(ctx, description=None)


def _no_addresses(ctx: Context) -> Context:
    return replace(_without(ctx, iomem=None, boot_map=()), devices=())


def _namespaces_without_addresses(ctx: Context) -> Context:
    assert ctx.description is not None
    return _without(ctx, namespaces=tuple(replace(fact, range=None, data=None) for fact in ctx.description.namespaces))


def _no_states(ctx: Context) -> Context:
    assert ctx.description is not None
    return _without(ctx, blocks=(), dax=tuple(replace(fact, blocks=None) for fact in ctx.description.dax))


REMOVE: dict[str, Callable[[Context], Context]] = {
    needs.ADDRESSES.words: _no_addresses,
    needs.REGIONS.words: _no_description,
    needs.DAX.words: _no_description,
    needs.CXL_DEVICES.words: _no_description,
    needs.NAMESPACES.words: _namespaces_without_addresses,
    needs.BLOCK_SIZE.words: lambda ctx: replace(ctx, block_size_sure=False),
    needs.TREE.words: lambda ctx: _without(ctx, iomem=None),
    needs.IOMEM.words: lambda ctx: _without(ctx, iomem=None),
    needs.STATES.words: _no_states,
    needs.AUTO_ONLINE.words: lambda ctx: _without(ctx, auto_online=None),
    needs.LABELS.words: lambda ctx: _without(ctx, label_areas=()),
    needs.INFO_BLOCKS.words: lambda ctx: _without(ctx, info_blocks=()),
    needs.OWN_KERNEL.words: lambda ctx: replace(ctx, own_kernel=False, states=False),
}
"""How a machine comes to lack an input, by the words of the need."""

PAIRS = [(check, need) for check in CHECKS for need in check.needs]


@pytest.fixture(scope="module")
def whole() -> Context:
    return rich()


def _applies(check: Check, ctx: Context) -> None:
    run, _ = _run(check, ctx)
    if run.state == "nothing" and check.id == "steps":
        return  # about operations of a layout line: there are none that one captures
    assert run.state == "ran", (check.id, run.reason)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_the_machine_has_what_the_check_needs(check: Check, whole: Context) -> None:
    _applies(check, whole)


@pytest.mark.parametrize(
    ("check", "need"), PAIRS, ids=lambda each: getattr(each, "id", None) or each.words.replace(" ", "-")
)
def test_without_an_input_the_check_is_skipped_and_says_why(check: Check, need: Need, whole: Context) -> None:
    poor = REMOVE[need.words](whole)
    reason = need.missing(poor)
    assert reason, f"{need.words} can not be taken away"
    assert need.missing(whole) is None
    run, found = _run(check, poor)
    if run.state == "nothing":  # a layout line has none of what the check is about
        assert poor.description is None
        assert run.reason.startswith("there are no ")
        return
    assert (run.state, found) == ("skipped", [])
    reasons = {each.missing(poor) for each in check.needs}
    assert run.reason in reasons - {None}


def test_every_need_can_be_taken_away() -> None:
    assert {need.words for check in CHECKS for need in check.needs} == set(REMOVE)


FIELDS: dict[str, set[str]] = {
    needs.ADDRESSES.words: {"iomem", "boot_map"},
    needs.REGIONS.words: {"regions"},
    needs.DAX.words: {"dax"},
    needs.CXL_DEVICES.words: {"cxl"},
    needs.NAMESPACES.words: {"namespaces"},
    needs.BLOCK_SIZE.words: set(),
    needs.TREE.words: {"iomem"},
    needs.IOMEM.words: {"iomem"},
    needs.STATES.words: {"blocks", "block_size"},
    needs.AUTO_ONLINE.words: {"auto_online"},
    needs.LABELS.words: {"label_areas"},
    needs.INFO_BLOCKS.words: {"info_blocks"},
    needs.OWN_KERNEL.words: set(),
}
"""What of a description a need stands for."""


ALSO: dict[str, set[str]] = {
    "access": {"iomem", "notes"},  # it is about what is not there
    "direct-map": {"cmdline"},  # "nokaslr", where the command line is known; KASLR is the default
    "hotplug-room": {"hypervisor"},  # "If this is a virtual machine: ...", where it is not known
    "memmap": {"cmdline"},  # what was asked for; without it nothing is compared
    "half-made": {"namespaces"},  # it is about them; their addresses are not needed
    "cxl-windows": {"dax"},  # what of a window is RAM
    "kmem": {"iomem", "namespaces", "regions"},  # ranges of devices that nothing lists; remedies
    "soft-reserved": {"dax"},  # who has the memory, where somebody has it
    "label-less": {"namespaces"},  # a region that nobody divided is not told of
    "align-cost": {"info_blocks"},  # more exact than the size of the data
    "info-blocks": {"namespaces"},  # the ranges in the answer
}
"""What a check looks at as well, where it is known, and why it does not need it."""


class Recorder:
    """A description that remembers what was read of it."""

    def __init__(self, description: MachineDescription) -> None:
        self.description = description
        self.read: set[str] = set()

    def __getattr__(self, name: str) -> object:
        self.read.add(name)
        return getattr(self.description, name)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.id)
def test_a_check_reads_what_it_declares(check: Check, whole: Context) -> None:
    assert whole.description is not None
    recorder = Recorder(whole.description)
    ctx = replace(whole, description=recorder)  # type: ignore[arg-type]
    check.nothing(ctx)
    list(check.run(ctx))
    declared = set().union(*(FIELDS[need.words] for need in check.needs))
    assert recorder.read - declared <= ALSO.get(check.id, set())
