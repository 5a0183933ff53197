"""The x86 firmware memory map and the kernel parameters that reshape it: arch/x86/kernel/e820.c.

``boot_e820`` takes the map as firmware gives it and a kernel command line, and returns the map the kernel boots with.
Addresses are bytes. Later parameters act on what earlier ones left, in the order of the command line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sparsemem.errors import InputError, NotModelledError
from sparsemem.machine.description import BootRegion
from sparsemem.ranges import Range

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = [
    "E820_TYPE_ACPI",
    "E820_TYPE_NVS",
    "E820_TYPE_PMEM",
    "E820_TYPE_PRAM",
    "E820_TYPE_RAM",
    "E820_TYPE_RESERVED",
    "E820_TYPE_SOFT_RESERVED",
    "E820_TYPE_UNUSABLE",
    "BootE820",
    "E820Entry",
    "boot_e820",
    "boot_region",
    "boot_regions",
    "e820__range_remove",
    "e820__range_update",
    "e820__update_table",
    "kernel_parameters",
    "memparse",
]

E820_TYPE_RAM = 1
E820_TYPE_RESERVED = 2
E820_TYPE_ACPI = 3
E820_TYPE_NVS = 4
E820_TYPE_UNUSABLE = 5
E820_TYPE_PMEM = 7
E820_TYPE_PRAM = 12
E820_TYPE_RESERVED_KERN = 128
E820_TYPE_SOFT_RESERVED = 0xEFFFFFFF

_ULLONG_MAX = (1 << 64) - 1
_KINDS = {
    E820_TYPE_RAM: "usable",
    E820_TYPE_RESERVED: "reserved",
    E820_TYPE_ACPI: "ACPI data",
    E820_TYPE_NVS: "ACPI NVS",
    E820_TYPE_UNUSABLE: "unusable",
    E820_TYPE_PMEM: "persistent (type 7)",
    E820_TYPE_PRAM: "persistent (type 12)",
    E820_TYPE_SOFT_RESERVED: "soft reserved",
}
# These may be distinct ranges of the platform, so neighbours stay apart.
_NOT_MERGED = (E820_TYPE_PRAM, E820_TYPE_SOFT_RESERVED)

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|0[0-7]*|[1-9][0-9]*")
_ARGUMENT = re.compile(r'\s*((?:"[^"]*(?:"|\Z)|[^\s"])+)')


class E820Entry(NamedTuple):
    """``struct e820_entry``: bytes, and the type as a number."""

    addr: int
    size: int
    type: int

    @property
    def end(self) -> int:
        """The first byte behind it."""
        return self.addr + self.size


class BootE820(NamedTuple):
    """The map a kernel boots with, sorted and free of overlaps.

    ``max_mem_size``: the limit that ``mem=`` also sets for memory added during boot (bytes), None without one.
    """

    entries: tuple[E820Entry, ...]
    max_mem_size: int | None


def boot_region(entry: E820Entry) -> BootRegion:
    """The entry in the words of the boot log up to 6.12 (``usable``, ``persistent (type 12)``)."""
    return BootRegion(Range(entry.addr, entry.end), _KINDS.get(entry.type, f"type {entry.type}"))


def _number(text: str) -> tuple[int, str]:
    """``simple_strtoull(text, &rest, 0)``: C notation, 0 without a digit."""
    match = _NUMBER.match(text)
    if match is None:
        return 0, text
    digits = match[0]
    octal = digits[0] == "0" and digits[1:2] not in ("x", "X")
    return int(digits, 8 if octal else 0) & _ULLONG_MAX, text[match.end() :]


def memparse(text: str) -> tuple[int, str]:
    """The number at the start of ``text`` and the rest: C notation (``0x`` hex, leading 0 octal), suffix K M G T P
    E.
    """
    value, rest = _number(text)
    suffix = "KMGTPE".find(rest[:1].upper()) if rest and rest != text else -1
    if suffix >= 0:
        value, rest = value << 10 * (suffix + 1), rest[1:]
    return value & _ULLONG_MAX, rest


def kernel_parameters(cmdline: str) -> Iterator[tuple[str, str | None]]:
    """``(name, value)`` in order, up to ``--``; value None without ``=``.

    Quotes group blanks, and ``-`` in a name is the same as ``_``.
    """
    for match in _ARGUMENT.finditer(cmdline):
        word = match[1]
        if word == "--":
            return
        name, equals, value = word.strip('"').partition("=")
        yield name.replace("-", "_"), value.strip('"') if equals else None


def e820__range_update(entries: Sequence[E820Entry], start: int, size: int, old: int, new: int) -> list[E820Entry]:
    """Give another type to the parts of ``old`` entries inside the range."""
    end = start + min(size, _ULLONG_MAX - start)
    kept: list[E820Entry] = []
    changed: list[E820Entry] = []
    for entry in entries:
        low, high = max(start, entry.addr), min(end, entry.end)
        if entry.type != old or low >= high:
            kept.append(entry)
            continue
        kept.extend(_around(entry, low, high))
        changed.append(E820Entry(low, high - low, new))
    return kept + changed


def e820__range_remove(entries: Sequence[E820Entry], start: int, size: int, kind: int | None) -> list[E820Entry]:
    """Cut the range out of every entry of type ``kind`` (None: of any type)."""
    end = start + min(size, _ULLONG_MAX - start)
    kept: list[E820Entry] = []
    for entry in entries:
        low, high = max(start, entry.addr), min(end, entry.end)
        if (kind is not None and entry.type != kind) or low >= high:
            kept.append(entry)
        else:
            kept.extend(_around(entry, low, high))
    return kept


def _around(entry: E820Entry, low: int, high: int) -> Iterator[E820Entry]:
    if entry.addr < low:
        yield E820Entry(entry.addr, low - entry.addr, entry.type)
    if high < entry.end:
        yield E820Entry(high, entry.end - high, entry.type)


def e820__update_table(entries: Iterable[E820Entry]) -> tuple[E820Entry, ...]:
    """Sort the map and resolve overlaps: the highest type wins, equal neighbours join.

    Persistent (type 12) and soft reserved ranges never join, and are cut wherever another entry begins or ends inside.
    """
    starts = sorted(entry for entry in entries if entry.size)
    points = sorted({entry.addr for entry in starts} | {entry.end for entry in starts})
    active: list[E820Entry] = []
    found: list[E820Entry] = []
    since = last = upcoming = 0
    for point in points:
        active = [entry for entry in active if entry.end > point]
        while upcoming < len(starts) and starts[upcoming].addr == point:
            active.append(starts[upcoming])
            upcoming += 1
        current = max((entry.type for entry in active), default=0)
        if current != last or current in _NOT_MERGED:
            if last:
                found.append(E820Entry(since, point - since, last))
            since, last = point, current
    return tuple(found)


def _panic(why: str) -> InputError:
    return InputError(
        "this kernel would not boot with this command line", where="cmdline", why=why, remedy="check memmap= and mem="
    )


def _memmap_one(entries: list[E820Entry], text: str) -> list[E820Entry] | None:
    """One ``memmap=`` element; None when the kernel ignores it."""
    if text.startswith("exactmap"):
        return []
    size, rest = memparse(text)
    if rest == text:
        return None
    simple = {"@": E820_TYPE_RAM, "#": E820_TYPE_ACPI, "$": E820_TYPE_RESERVED, "!": E820_TYPE_PRAM}
    if rest[:1] in simple:
        start, _ = memparse(rest[1:])
        return [*entries, E820Entry(start, size, simple[rest[0]])]
    if rest[:1] == "%":
        return _memmap_retype(entries, size, rest[1:])
    return e820__range_remove(entries, size, _ULLONG_MAX - size, E820_TYPE_RAM)


def _memmap_retype(entries: list[E820Entry], size: int, text: str) -> list[E820Entry]:
    """``memmap=SIZE%START-FROM+TO``: change FROM to TO, add TO, remove FROM, or remove whatever is there."""
    start, rest = memparse(text)
    old = new = 0
    if rest[:1] == "-":
        old, rest = _number(rest[1:])
    if rest[:1] == "+":
        new, rest = _number(rest[1:])
    if rest:
        return entries
    old, new = old & 0xFFFFFFFF, new & 0xFFFFFFFF
    if E820_TYPE_RESERVED_KERN in (old, new):
        raise NotModelledError(
            "I cannot tell what e820 type 128 does",
            where="cmdline",
            why="it was internal to the kernel and is gone from newer ones",
        )
    if old and old == new:
        raise _panic(f"memmap=%: both types are {old}, which is a BUG()")
    if old and new:
        return e820__range_update(entries, start, size, old, new)
    if new:
        return [*entries, E820Entry(start, size, new)]
    return e820__range_remove(entries, start, size, old or None)


def _user_map(firmware: Iterable[E820Entry], cmdline: str) -> tuple[list[E820Entry], int | None]:
    """The map after ``mem=`` and ``memmap=``, and the limit that ``mem=`` sets. Raises as ``boot_e820`` does."""
    entries = list(e820__update_table(firmware))
    limit: int | None = None
    user = False
    for name, value in kernel_parameters(cmdline):
        if name == "mem" and value is not None and value != "nopentium":
            user = True
            size, _ = memparse(value)
            if size:
                entries = e820__range_remove(entries, size, _ULLONG_MAX - size, E820_TYPE_RAM)
                limit = size
        elif name == "memmap" and value is not None:
            for element in value.split(","):
                changed = _memmap_one(entries, element)
                if changed is not None:
                    user, entries = True, changed
    if user:
        if len(entries) < 2 or any(entry.end > _ULLONG_MAX for entry in entries):
            raise _panic("it panics: Invalid user supplied memory map")
        entries = list(e820__update_table(entries))
    return entries, limit


def boot_e820(firmware: Iterable[E820Entry], cmdline: str) -> BootE820:
    """The map after ``mem=`` and ``memmap=`` and after the kernel took page 0 and the ISA hole for itself.

    Raises InputError when the kernel would panic over its command line.
    """
    entries, limit = _user_map(firmware, cmdline)
    # trim_bios_range()
    entries = e820__range_update(entries, 0, 4096, E820_TYPE_RAM, E820_TYPE_RESERVED)
    entries = e820__range_remove(entries, 0xA0000, 0x60000, E820_TYPE_RAM)
    return BootE820(e820__update_table(entries), limit)


def boot_regions(firmware: Iterable[BootRegion], cmdline: str) -> tuple[BootRegion, ...]:
    """A map in words with ``mem=`` and ``memmap=`` of the command line applied; as it is where there are none.

    A map that has them already stays what it is. Raises as ``boot_e820`` does.
    """
    regions = tuple(firmware)
    if not any(name in ("mem", "memmap") for name, _ in kernel_parameters(cmdline)):
        return regions
    types = {kind: number for number, kind in _KINDS.items()} | {"persistent": E820_TYPE_PMEM}
    entries = [E820Entry(r.range.start, r.range.size, types.get(r.kind, E820_TYPE_RESERVED)) for r in regions]
    return tuple(boot_region(entry) for entry in _user_map(entries, cmdline)[0])
