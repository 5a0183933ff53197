"""What lies on the medium: bytes of a region (info blocks) and of a DIMM's label area, kept sparse in ``state.media``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = [
    "LABEL_BLOCK",
    "PAGE",
    "PowerCut",
    "cut_power",
    "read",
    "read_label_area",
    "write",
    "write_label_area",
]

PAGE = 4096
LABEL_BLOCK = 256
_FUSE = "label_write_fuse"


class PowerCut(Exception):  # noqa: N818  (an event, not an error)
    """The machine lost its power during a write to a label area (see ``cut_power``): only ``state.media`` outlives this."""


def cut_power(state: State, writes: int | None, torn: int = 0) -> None:
    """Let the power fail after so many more writes to label areas; of the next write the first ``torn`` bytes are done. None: never."""
    if writes is None:
        state.drop(state.misc, _FUSE)
    else:
        state.put(state.misc, _FUSE, (writes, torn))


def _read(state: State, medium: str, unit: int, offset: int, size: int) -> bytes:
    media, out = state.media, []
    at, end = offset, offset + size
    while at < end:
        base = at - at % unit
        block = media.get((medium, base))
        stop = min(base + unit, end)
        out.append(bytes(stop - at) if block is None else block[at - base : stop - base])
        at = stop
    return b"".join(out)


def _write(state: State, medium: str, unit: int, offset: int, data: bytes) -> None:
    at, end = offset, offset + len(data)
    while at < end:
        base = at - at % unit
        stop = min(base + unit, end)
        old = state.media.get((medium, base), bytes(unit))
        new = old[: at - base] + data[at - offset : stop - offset] + old[stop - base :]
        if any(new):
            if new != old:
                state.put(state.media, (medium, base), new)
        else:
            state.drop(state.media, (medium, base))
        at = stop


def read(state: State, region: str, offset: int, size: int) -> bytes:
    """``size`` bytes at byte ``offset`` of a region; what was never written is zero."""
    return _read(state, region, PAGE, offset, size)


def write(state: State, region: str, offset: int, data: bytes) -> None:
    """Put bytes at byte ``offset`` of a region."""
    _write(state, region, PAGE, offset, data)


def read_label_area(state: State, nvdimm: str, offset: int, size: int) -> bytes:
    """``size`` bytes at byte ``offset`` of a DIMM's label area."""
    return _read(state, f"{nvdimm}:label", LABEL_BLOCK, offset, size)


def write_label_area(state: State, nvdimm: str, offset: int, data: bytes) -> None:
    """Put bytes at byte ``offset`` of a DIMM's label area: one command to the DIMM. Raises PowerCut where a test asked for it."""
    fuse = state.misc.get(_FUSE)
    if fuse is not None:
        left, torn = fuse
        if not left:
            _write(state, f"{nvdimm}:label", LABEL_BLOCK, offset, data[:torn])
            raise PowerCut(nvdimm, offset)
        state.put(state.misc, _FUSE, (left - 1, torn))
    _write(state, f"{nvdimm}:label", LABEL_BLOCK, offset, data)
