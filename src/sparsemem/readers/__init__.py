"""A machine from files: iomem, sysfs, zoneinfo, ndctl, daxctl and lsmem listings, boot logs; of this machine, a
captured tree or a tarball."""

from __future__ import annotations

from sparsemem.readers.detect import open_source, read_bytes, read_log, read_machine, read_text
from sparsemem.readers.source import Source
from sparsemem.readers.trees import DirectorySource, MemorySource

__all__ = [
    "DirectorySource",
    "MemorySource",
    "Source",
    "open_source",
    "read_bytes",
    "read_log",
    "read_machine",
    "read_text",
]
