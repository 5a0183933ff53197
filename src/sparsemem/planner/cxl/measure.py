"""Where the bytes of CXL memory devices and of their window are. Bytes; each adds up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.kernel.cxl.core import (
    PORT_DECODER,
    ROOT_DECODER,
    SZ_256M,
    decoder_of,
    endpoint_decoder,
    memdevs,
    regions,
    root_of,
)
from sparsemem.planner.cxl.choice import window_gaps

if TYPE_CHECKING:
    from sparsemem.kernel.cxl.core import CxlMemdev
    from sparsemem.kernel.state import State

__all__ = ["CXL_PARTS", "CxlBalance", "cxl_balances"]

CXL_PARTS = ("in_regions", "no_decoder", "disabled", "unusable", "free")


@dataclass(frozen=True, slots=True, kw_only=True)
class CxlBalance:
    """Of a memory device or of the root decoder's window (``decoder0.0``); all parts together are ``size``.

    ``in_regions``; ``no_decoder``: in no region, and no region can have it while those that are there are, because the device's decoder or
    the host bridge's is taken; ``disabled``: the device has no driver; ``unusable``: no whole 256 MiB; ``free``: can still be given.
    """

    name: str
    size: int
    in_regions: int = 0
    no_decoder: int = 0
    disabled: int = 0
    unusable: int = 0
    free: int = 0

    @property
    def parts(self) -> dict[str, int]:
        """Each part by name, in this order."""
        return {name: getattr(self, name) for name in CXL_PARTS}

    @property
    def stranded(self) -> int:
        """Bytes that serve nobody as things are: ``no_decoder``, ``disabled`` and ``unusable``."""
        return self.no_decoder + self.disabled + self.unusable


def _memdev(state: State, memdev: CxlMemdev) -> CxlBalance:
    if not memdev.endpoint:
        return CxlBalance(name=memdev.name, size=memdev.size, disabled=memdev.size)
    decoder = decoder_of(state, endpoint_decoder(memdev))
    taken = decoder.dpa if decoder.region else 0
    left = memdev.size - taken
    if decoder.region or decoder_of(state, PORT_DECODER).region:
        return CxlBalance(name=memdev.name, size=memdev.size, in_regions=taken, no_decoder=left)
    return CxlBalance(name=memdev.name, size=memdev.size, unusable=left % SZ_256M, free=left // SZ_256M * SZ_256M)


def cxl_balances(state: State) -> tuple[CxlBalance, ...]:
    """The memory devices by number, then the window; () on a machine without CXL."""
    root = root_of(state)
    if root is None:
        return ()
    gaps = window_gaps(state)
    whole = sum(max(end // SZ_256M * SZ_256M - -(-start // SZ_256M) * SZ_256M, 0) for start, end in gaps)
    rest = sum(end - start for start, end in gaps) - whole
    window = CxlBalance(
        name=ROOT_DECODER, size=root.size, in_regions=sum(each.size for each in regions(state)), unusable=rest, free=whole
    )  # fmt: skip
    return (*(_memdev(state, each) for each in memdevs(state)), window)
