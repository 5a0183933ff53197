"""A machine as a tarball: every file that the readers read, and nothing else."""

from __future__ import annotations

from sparsemem.capture.archive import compress, tar_bytes
from sparsemem.capture.machine import Capture, capture_machine, capture_source
from sparsemem.capture.redact import redact
from sparsemem.capture.write import write_new

__all__ = ["Capture", "capture_machine", "capture_source", "compress", "redact", "tar_bytes", "write_new"]
