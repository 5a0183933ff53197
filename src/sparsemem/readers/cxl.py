"""``/sys/bus/cxl/devices``: memory devices, and the window that their regions would be in.

Linux kernel v7.2, drivers/cxl/core: ``port.c``, ``memdev.c``. A region that is there, and what lies between a device and the root, are
counted only: docs/planner.md says which machines can be planned for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.machine.description import CxlDeviceFact, CxlFact
from sparsemem.ranges import Range
from sparsemem.readers.text import number

if TYPE_CHECKING:
    from sparsemem.readers.source import Source

__all__ = ["read_cxl"]

DIRECTORY = "/sys/bus/cxl/devices"


def _number(source: Source, path: str) -> int | None:
    text = source.value(f"{DIRECTORY}/{path}")
    value = None if text is None else number(text)
    if text is not None and value is None:
        source.note(f"{DIRECTORY}/{path}", f"not a number: {text[:40]!r}")
    return value


def _device(source: Source, name: str) -> CxlDeviceFact | None:
    pmem, ram, label_area = (
        _number(source, f"{name}/{file}") for file in ("pmem/size", "ram/size", "label_storage_size")
    )
    if pmem is None:
        return None
    return CxlDeviceFact(name, pmem, ram or 0, _number(source, f"{name}/serial") or 0, label_area or 0)


def read_cxl(source: Source) -> CxlFact | None:
    """The CXL devices of a machine; None where it has no root decoder that can be read."""
    roots = source.listdir(DIRECTORY, r"decoder0\.\d{1,9}")
    if not roots:
        return None
    start, size = _number(source, f"{roots[0]}/start"), _number(source, f"{roots[0]}/size")
    if start is None or not size:
        return None
    found = [_device(source, name) for name in source.listdir(DIRECTORY, r"mem\d{1,9}")]
    return CxlFact(
        Range(start, start + size), tuple(each for each in found if each is not None), len(roots),
        len(source.listdir(DIRECTORY, r"port\d{1,9}")), len(source.listdir(DIRECTORY, r"endpoint\d{1,9}")),
        tuple(source.listdir(DIRECTORY, r"region\d{1,9}")),
    )  # fmt: skip
