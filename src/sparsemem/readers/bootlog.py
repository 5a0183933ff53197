"""A boot log (dmesg, kern.log, journal): the firmware's memory map and what else the kernel said of memory while
booting.

Any prefix is accepted (time stamps, host names, log levels). A log of several boots is read for its last one. The kinds
of memory are given in the words of v3.5 to v7.0 whatever the kernel printed: Linux kernel v6.1 and v7.2,
arch/x86/kernel/e820.c, ``e820_print_type()``; arch/x86/platform/efi/efi.c, ``efi_print_memmap()``.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from sparsemem.machine.description import BootRegion, Note
from sparsemem.ranges import Range
from sparsemem.readers.proc import arch_of_release

__all__ = ["BootLog", "boot_lines", "looks_like_boot_log", "parse_boot_log"]

_MARK = re.compile(
    r"BIOS-e820: |user: \[mem |range=\[0x|Linux version |ommand line: |SRAT: Node |\bnode +\d+: \[mem |"
    r"Memory block size: |Hypervisor detected: |virt/tdx: module initialized|CPU: AArch64|0x[0-9a-f]+-0x[0-9a-f]+ \[[A-Z]"
)
_E820 = re.compile(r"(BIOS-e820|user): \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\]\s+(\S.*)")
_E820_OLD = re.compile(r"(BIOS-e820|user): ([0-9a-f]{16}) - ([0-9a-f]{16}) \((.+)\)")
_EFI = re.compile(r"mem\d+: (.+?) range=\[0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})([\])])")
_EFI_ARM = re.compile(r"0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16}) (\[[A-Z][A-Za-z ]+\|.*)")
_SRAT = re.compile(r"SRAT: Node (\d{1,9}) PXM \d+ \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\](.*)")
_NODE = re.compile(r"\bnode +(\d{1,9}): \[mem 0x([0-9a-f]{1,16})-0x([0-9a-f]{1,16})\]")
_VERSION = re.compile(r"Linux version (\S{1,200})(.*)")
_COMMAND = re.compile(r"(?:Kernel c|C)ommand line: (.*)")
_BLOCK = re.compile(r"Memory block size: (\d{1,9})MB")

_KINDS = {"System RAM": "usable", "device reserved": "reserved"}
_EFI_KINDS = {
    "Loader Code": "usable", "Loader Data": "usable", "Boot Code": "usable", "Boot Data": "usable",
    "Conventional Memory": "usable", "Conventional": "usable",
    "ACPI Reclaim Memory": "ACPI data", "ACPI Reclaim": "ACPI data",
    "ACPI Memory NVS": "ACPI NVS", "ACPI Mem NVS": "ACPI NVS", "Unusable Memory": "unusable", "Unusable": "unusable",
    "Persistent Memory": "persistent (type 7)", "Persistent": "persistent (type 7)",
}  # fmt: skip
_EFI_NUMBERS = dict.fromkeys((1, 2, 3, 4, 7), "usable") | {
    8: "unusable",
    9: "ACPI data",
    10: "ACPI NVS",
    14: "persistent (type 7)",
}
_EFI_MEMORY_WB = 0x8
"""EFI types to e820 kinds, as the kernel maps them; what is not here (runtime, MMIO, reserved) is reserved."""


@dataclass(frozen=True, slots=True)
class BootLog:
    """What a log tells. ``regions`` are sorted as printed; ``kind_of_map`` is user, e820, efi or nodes; ``block_size``
    is bytes.
    """

    regions: tuple[BootRegion, ...] = ()
    kind_of_map: str | None = None
    release: str | None = None
    arch: str | None = None
    cmdline: str | None = None
    block_size: int | None = None
    hypervisor: bool | None = None
    notes: tuple[Note, ...] = ()
    tdx_host: bool | None = None

    @property
    def empty(self) -> bool:
        """True when nothing of use was found."""
        return not (self.regions or self.release or self.cmdline or self.block_size)


def looks_like_boot_log(text: str) -> bool:
    """True when some line of the log is one that the parser reads."""
    return _MARK.search(text) is not None


def boot_lines(text: str) -> str:
    """Only the lines that ``parse_boot_log`` reads, for a capture."""
    return "".join(f"{line}\n" for line in text.splitlines() if _MARK.search(line))


class _Boot:
    """What one boot said."""

    def __init__(self) -> None:
        self.maps: dict[str, list[tuple[Range, str]]] = {"user": [], "e820": [], "efi": []}
        self.nodes: list[tuple[Range, int]] = []
        self.srat: list[tuple[Range, int]] = []
        self.release: str | None = None
        self.arch: str | None = None
        self.cmdline: str | None = None
        self.block_size: int | None = None
        self.hypervisor: bool | None = None
        self.tdx_host: bool | None = None


def parse_boot_log(text: str, source: str) -> BootLog:
    """The last boot of a log. Never raises for any text; a malformed line becomes a note."""
    boot, boots = _Boot(), 0
    notes: list[Note] = []
    for number, line in enumerate(text.split("\n"), 1):
        if _MARK.search(line) is None:
            continue
        match = _VERSION.search(line)
        if match is not None and ("(" in match[2] or not match[2].strip()):
            boots += 1
            boot = _Boot()
            boot.release = match[1]
            boot.arch = arch_of_release(f"{match[1]} {match[2]}")
            continue
        _read_line(boot, line, source, number, notes)
    if boots > 1:
        notes.append(Note(source, "", f"holds {boots} boots; the last is used"))
    chosen = next((name for name in ("user", "e820", "efi") if boot.maps[name]), None)
    entries = boot.maps[chosen] if chosen else [(extent, "usable") for extent, _ in boot.nodes]
    if chosen in ("user", "e820"):
        boot.arch = boot.arch or "x86_64"
    # The node ranges are the kernel's own final word on RAM; SRAT also covers what is no RAM.
    regions = [region for extent, kind in entries for region in _by_node(extent, kind, boot.nodes, boot.srat)]
    return BootLog(
        tuple(regions),
        chosen or ("nodes" if boot.nodes else None),
        boot.release,
        boot.arch,
        boot.cmdline,
        boot.block_size,
        boot.hypervisor,
        tuple(notes),
        boot.tdx_host,
    )


def _read_line(boot: _Boot, line: str, source: str, number: int, notes: list[Note]) -> None:
    line = line.rstrip()
    match = _E820.search(line)
    half_open = False
    if match is None:
        match = _E820_OLD.search(line)
        half_open = match is not None
    if match is not None:
        who, first, last, kind = match.groups()
        extent = _extent(first, last, half_open)
        if extent is None:
            notes.append(Note(source, f"line {number}", f"ends before it starts, left out: {line[-100:]!r}"))
            return
        kind = _KINDS.get(kind.strip(), kind.strip()).replace("persistent RAM (", "persistent (")
        boot.maps["user" if who == "user" else "e820"].append((extent, kind))
        return
    if (match := _EFI.search(line)) is not None:
        kind, first, last, bracket = match.groups()
        extent = _extent(first, last, bracket == ")")
        if extent is not None:
            boot.maps["efi"].append((extent, _efi_kind(kind)))
        elif first != last:
            notes.append(Note(source, f"line {number}", f"ends before it starts, left out: {line[-100:]!r}"))
    elif (match := _SRAT.search(line)) is not None:
        extent = _extent(match[2], match[3], False)
        if extent is not None and "hotplug" not in match[4]:
            boot.srat.append((extent, int(match[1])))
    elif (match := _NODE.search(line)) is not None:
        extent = _extent(match[2], match[3], False)
        if extent is not None:
            boot.nodes.append((extent, int(match[1])))
    elif (match := _COMMAND.search(line)) is not None:
        # "Kernel command line:" comes later and is the complete one.
        boot.cmdline = match[1].strip() or boot.cmdline
    elif (match := _BLOCK.search(line)) is not None:
        boot.block_size = (int(match[1]) << 20) or None
    elif "Hypervisor detected: " in line:
        boot.hypervisor = True
    elif "virt/tdx: module initialized" in line:
        boot.tdx_host = True
    elif "CPU: AArch64" in line:
        boot.arch = boot.arch or "arm64"
    elif (match := _EFI_ARM.search(line)) is not None:
        extent = _extent(match[1], match[2], False)
        if extent is not None:
            boot.maps["efi"].append((extent, _efi_kind(match[3])))
    elif "BIOS-e820: [gap " not in line and ("BIOS-e820: " in line or "user: [mem " in line):
        notes.append(Note(source, f"line {number}", f"not a memory map line, left out: {line[-100:]!r}"))


def _extent(first: str, last: str, half_open: bool) -> Range | None:
    start, end = int(first, 16), int(last, 16) + (0 if half_open else 1)
    return Range(start, end) if start < end else None


def _efi_kind(text: str) -> str:
    """``[Conventional Memory|   |  |SP|  |  |  |  |   |WB|WT|WC|UC]`` in the words of e820."""
    old = re.match(r"type=(\d{1,9}), attr=0x([0-9a-f]{1,16})", text)  # before v3.19
    if old is not None:
        kind = _EFI_NUMBERS.get(int(old[1]), "reserved")
        return kind if kind != "usable" or int(old[2], 16) & _EFI_MEMORY_WB else "reserved"
    name, _, attributes = text.strip("[] *").partition("|")
    kind = _EFI_KINDS.get(name.strip(), "reserved")
    flags = {flag.strip() for flag in attributes.split("|")}
    if kind == "usable" and "SP" in flags:
        return "soft reserved"
    return "reserved" if kind == "usable" and attributes and "WB" not in flags else kind


def _by_node(
    extent: Range, kind: str, nodes: list[tuple[Range, int]], srat: list[tuple[Range, int]]
) -> list[BootRegion]:
    """The region cut where the node changes; a part that no table covers keeps the node of the part before it."""
    cuts = {extent.start: 0, extent.end: 0}
    table = srat or nodes
    if len({nid for _, nid in table}) < 2:
        return [BootRegion(extent, kind, table[0][1] if table else 0)]
    owners = sorted(
        (inner.start, inner.end, nid) for part, nid in table if (inner := extent.intersect(part)) is not None
    )
    for start, end, _ in owners:
        cuts[start] = cuts[end] = 0
    edges = sorted(cuts)
    regions: list[BootRegion] = []
    nid = owners[0][2] if owners else 0
    for start, end in itertools.pairwise(edges):
        nid = next((owner for low, high, owner in owners if low <= start and end <= high), nid)
        if regions and regions[-1].nid == nid:
            regions[-1] = BootRegion(Range(regions[-1].range.start, end), kind, nid)
        else:
            regions.append(BootRegion(Range(start, end), kind, nid))
    return regions
