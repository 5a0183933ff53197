"""Take out of a capture what says nothing of memory but something of its owner."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.readers.source import Entry

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["redact"]

_MEMORY = re.compile(
    r"(mem|memmap|memblock|movablecore|kernelcore|movable_node|memory_hotplug\.\S+|memhp_default_state|memtest|hugepagesz?|"
    r"default_hugepagesz|hugetlb\S*|numa|numa=\S+|cma|crashkernel|nokaslr|no5lvl|efi|efi_fake_mem|add_efi_memmap|"
    r"transparent_hugepage|page_reporting\.\S+|deferred_init|(libnvdimm|nd_\w+|nfit|dax\w*|device_dax|kmem|hmem|cxl_\w+|virtio_mem)\.\S+)"
    r"(=\S*)?"
)


def redact(entries: Mapping[str, Entry]) -> dict[str, Entry]:
    """The entries with a command line of memory parameters only, a version line without builder, and namespaces without
    names and uuids."""
    result = dict(entries)
    for path, entry in entries.items():
        if entry.kind != "file":
            continue
        text = entry.data.decode("utf-8", "surrogateescape")
        if path == "proc/cmdline":
            text = " ".join(word for word in text.split() if _MEMORY.fullmatch(word)) + "\n"
        elif path == "proc/version":
            text = re.sub(r"(Linux version \S+).*", r"\1", text, flags=re.DOTALL).rstrip() + "\n"
        elif path.endswith("/alt_name"):
            text = "\n"
        elif path.endswith("/uuid") and text.strip():
            text = "00000000-0000-0000-0000-000000000000\n"
        elif path.endswith(("dmesg", "dmesg.txt", "dmesg.log")):
            text = re.sub(r"^.*ommand line: .*\n", "", text, flags=re.MULTILINE)
            text = re.sub(r"(Linux version \S+) .*", r"\1", text)
        else:
            continue
        result[path] = Entry("file", text.encode("utf-8", "surrogateescape"))
    return result
