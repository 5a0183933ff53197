"""What differs from run to run though nothing is different, made equal: one place for the lab, its recordings and their replay."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Uuids", "clean_log", "masked_log", "masked_text", "without_hardware", "without_stamps"]

_UUID = re.compile(r"\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b")
_CLOCK = re.compile(
    r"(clocksource|hrtimer|tsc|sched_clock): |TSC found unstable|perf: interrupt took|workqueue: \S+ hogged CPU|sched: DL replenish"
)
_PAGES_BUSY = re.compile(r"alloc_contig_range: \[[0-9a-f]+, [0-9a-f]+\) PFNs busy$")
"""A page was in use for a moment when virtio_mem asked for its range; it asks again, in smaller pieces."""
_STAMP = re.compile(r"^(?:<\d+>)?\[ *\d+\.\d+\] ", re.MULTILINE)
_TRACE = re.compile(
    r"Modules linked in|CPU:|Hardware name|RIP|RSP|Code:|Call Trace|[RE][A-Z0-9]+:| |\?|</?TASK>|[CD]R[0-9]+:|PKRU"
)
_PAGE = re.compile(r"(page:|page: |flags:|raw:|head:|page_type|memcg:|anon|aops|ksm |\S* ?flags:)")
_HARDWARE = re.compile(
    r": (PCI |0000:|IOAPIC|HPET|Local APIC|pnp |Kernel |Adapter ROM|ACPI |virtio-pci|(port|endpoint|mem)\d+$)"
)


class Uuids:
    """Numbers uuids in the order in which one side shows them: the two sides draw different ones. Those that the steps give stay."""

    def __init__(self, keep: str = "") -> None:
        self._known: dict[str, str] = {}
        self._keep = {each.lower() for each in _UUID.findall(keep)}

    def mask(self, text: str) -> str:
        """The text with its uuids numbered."""
        return _UUID.sub(self._number, text)

    def _number(self, match: re.Match[str]) -> str:
        uuid = match[0].lower()
        if uuid in self._keep or not uuid.strip("0-"):
            return match[0]
        return self._known.setdefault(uuid, f"00000000-0000-4000-8000-{len(self._known) + 1:012}")


def without_stamps(log: str) -> str:
    """Lines of the kernel's log without level and time."""
    return _STAMP.sub("", log)


def clean_log(lines: Iterable[str]) -> list[str]:
    """The log without what differs from run to run: a WARNING is its message, the dump of a page its last line, times are zero."""
    out: list[str] = []
    inside, pending = False, [""][:0]
    for line in lines:
        if "[ cut here ]" in line:
            inside, pending = True, []
            continue
        if inside:
            if re.match(r"WARNING:|kernel BUG|BUG:|Oops", line):
                out += pending
                pending = []
            elif "---[ end trace" in line:
                inside = False
            elif not _TRACE.match(line):
                pending.append(line)
            continue
        if "page dumped because" in line:
            while out and _PAGE.match(out[-1]):
                out.pop()
        out.append(re.sub(r"(initialised \d+ pages in) \d+ms", r"\1 0ms", line))
    return out


def masked_log(lines: Iterable[str]) -> list[str]:
    """Log lines without numbers that follow from the size of the kernel build, and without what comes of a slow emulator or of pages that
    are in use for a moment. A newline that ends a message is a line in /proc/kmsg and an escape in /dev/kmsg: here it is neither."""
    bare = (line.removesuffix("\\x0a") for line in lines)
    kept = (line for line in bare if line and not _CLOCK.match(line) and not _PAGES_BUSY.match(line))
    return [re.sub(r"Total pages: .*", "Total pages: N", line) for line in kept]


def masked_text(text: str, command: str = "") -> str:
    """Output without device numbers, which follow from the order in which modules were loaded; that of ``dmesg`` is a log."""
    if "dmesg" in command:
        bare = without_stamps(text)
        kept = masked_log(clean_log(bare.splitlines()))
        text = "".join(f"{line}\n" for line in kept) if bare.endswith("\n") else "\n".join(kept)
    return re.sub(r"\b(dev=|MAJOR=)2[345]\d\b", r"\1NNN", text)


def without_hardware(iomem: str) -> tuple[str, ...]:
    """The lines of an iomem text without PCI, ACPI, interrupt controllers, option ROMs and kernel text."""
    return tuple(line for line in iomem.splitlines() if not _HARDWARE.search(line))
