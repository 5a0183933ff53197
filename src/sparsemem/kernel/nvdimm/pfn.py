"""``drivers/nvdimm/pfn.h``: the info block of an fsdax or devdax namespace as bytes, 4 KiB into the namespace. Bytes; pfns where named so.

Minor versions: 1 brought start_pad and end_trunc, 2 align, 3 promises that unused bytes are zero, 4 page_size and page_struct_size.
What the reader makes of an older block's missing fields is ``pfn_devs.nd_pfn_validate``'s affair; here every field is as it lies.
"""

from __future__ import annotations

from typing import NamedTuple

from sparsemem.kernel.nvdimm.info_block import (
    SbFields,
    checksum_valid,
)

__all__ = ["DAX_SIG", "MODES", "PFN_SIG", "NdPfnSb", "checksum_valid", "decode", "encode", "page_map"]

PFN_SIG = b"NVDIMM_PFN_INFO\0"
DAX_SIG = b"NVDIMM_DAX_INFO\0"
MODES = ("none", "ram", "pmem")
"""``enum nd_pfn_mode``: where the page map is."""

_FIELDS = SbFields("<16s16s16sIHHQQIIIIIH")


class NdPfnSb(NamedTuple):
    """``struct nd_pfn_sb``. ``dataoff`` counts from the start of the namespace; ``padding`` is everything behind the last field
    without its trailing zeros; ``checksum`` is as read, ``encode`` puts the right one."""

    signature: bytes
    uuid: str
    parent_uuid: str
    flags: int = 0
    version_major: int = 1
    version_minor: int = 4
    dataoff: int = 0
    npfns: int = 0
    mode: int = 0
    start_pad: int = 0
    end_trunc: int = 0
    align: int = 0
    page_size: int = 0
    page_struct_size: int = 0
    padding: bytes = b""
    checksum: int = 0


def decode(data: bytes) -> NdPfnSb:
    """The fields of 4 KiB of any content."""
    return NdPfnSb._make(_FIELDS.decode(data))


def encode(sb: NdPfnSb) -> bytes:
    """The 4 KiB of an info block, with the checksum of its bytes."""
    return _FIELDS.encode(sb)


def page_map(sb: NdPfnSb) -> str:
    """ "dev", "mem" or "none": where the namespace keeps its page map, in the words of ndctl."""
    return {1: "mem", 2: "dev"}.get(sb.mode, "none")
