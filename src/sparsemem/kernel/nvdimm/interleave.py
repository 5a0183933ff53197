"""Interleave sets of ``drivers/acpi/nfit/core.c``: the cookies that tie labels to the DIMMs they were written for."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.kernel.nvdimm.label_bytes import nd_fletcher64

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["QEMU_SERIAL", "InterleaveSet", "SetMember", "acpi_nfit_init_interleave_set", "qemu_member"]

QEMU_SERIAL = 0x123456
"""QEMU gives the DIMM in memory slot n the serial number 0x123456 + n, vendor 0x8086, no date and no location."""

_V11 = struct.Struct("<QI4x")
_V12 = struct.Struct("<QIHHB31x")


class SetMember(NamedTuple):
    """What NFIT says of one DIMM of a set: the bytes of the set before it, and its control region's identity."""

    region_offset: int
    serial_number: int
    vendor_id: int = 0
    manufacturing_date: int = 0
    manufacturing_location: int = 0


class InterleaveSet(NamedTuple):
    """``struct nd_interleave_set``: cookies of labels v1.1, of v1.2, and of v1.1 labels of old kernels with many DIMMs.

    ``position``: for each member, in the order given, its place in the set.
    """

    cookie1: int
    cookie2: int
    altcookie: int
    position: tuple[int, ...]


def qemu_member(slot: int, region_offset: int = 0) -> SetMember:
    """The DIMM in QEMU's memory slot ``slot``."""
    return SetMember(region_offset, QEMU_SERIAL + slot, 0x8086)


def acpi_nfit_init_interleave_set(members: Sequence[SetMember]) -> InterleaveSet:
    """The cookies of a set."""
    ordered = sorted(members, key=lambda each: each.region_offset)
    compat = sorted(members, key=lambda each: each.region_offset.to_bytes(8, "little"))
    first = b"".join(_V11.pack(each.region_offset, each.serial_number) for each in ordered)
    second = b"".join(_V12.pack(*each) for each in ordered)
    other = b"".join(_V11.pack(each.region_offset, each.serial_number) for each in compat)
    position = [0] * len(members)
    identities = [each[1:] for each in members]
    for place, each in enumerate(ordered):  # of two DIMMs that claim to be the same one, the first gets both places
        position[identities.index(each[1:])] = place
    return InterleaveSet(nd_fletcher64(first), nd_fletcher64(second), nd_fletcher64(other), tuple(position))
