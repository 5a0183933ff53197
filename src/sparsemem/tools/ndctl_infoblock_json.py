"""Info blocks as ``ndctl read-infoblock --json`` shows them: whatever carries a signature, valid or not (ndctl/namespace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import btt_bytes, pfn
from sparsemem.kernel.nvdimm.info_block import checksum_valid
from sparsemem.tools.json_out import hex_value
from sparsemem.tools.libndctl_devices import NULL_UUID

if TYPE_CHECKING:
    from collections.abc import Callable

    from sparsemem.kernel.nvdimm.btt_bytes import BttSb
    from sparsemem.kernel.nvdimm.pfn import NdPfnSb
    from sparsemem.tools.daxctl_json import Json
    from sparsemem.tools.libndctl_namespace import Namespace

__all__ = ["infoblocks_to_json"]

_SECOND, _SIZE = 0x1000, 0x2000
_BTT_SIG = b"BTT_ARENA_INFO\0\0"
_BTT_NUMBERS = ("external_lbasize", "external_nlba", "internal_lbasize", "internal_nlba", "nfree", "infosize")
_BTT_HEX = ("nextoff", "dataoff", "mapoff", "logoff", "info2off")
_PFN_HEX = ("start_pad", "end_trunc", "align", "page_size", "page_struct_size")


def _signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def _head(sb: BttSb | NdPfnSb, ndns: Namespace | None, path: str, human: bool) -> Json | None:
    """What all kinds begin with; None for a version that takes more than three characters."""
    version = f"{sb.version_major}.{sb.version_minor}"
    if len(version) > 3:
        return None
    found: Json = {"file": path} if ndns is None else {"dev": ndns.devname}
    found["signature"] = sb.signature.partition(b"\0")[0].decode("ascii")
    found["uuid"] = sb.uuid
    found["parent_uuid"] = sb.parent_uuid
    found["flags"] = hex_value(sb.flags, human=human)
    found["version"] = version
    return found


def _btt(sb: BttSb, found: Json, human: bool) -> None:
    for name in _BTT_NUMBERS:
        found[name] = _signed(getattr(sb, name))
    for name in _BTT_HEX:
        found[name] = hex_value(getattr(sb, name), human=human)


def _pfn(sb: NdPfnSb, found: Json, human: bool) -> None:
    found["dataoff"] = hex_value(sb.dataoff, human=human)
    found["npfns"] = hex_value(sb.npfns, human=human)
    found["mode"] = _signed(sb.mode)
    for name in _PFN_HEX:
        found[name] = hex_value(getattr(sb, name), human=human)


def infoblocks_to_json(
    data: bytes, ndns: Namespace | None, path: str, *, human: bool, verify: bool, say: Callable[[str], None]
) -> list[Json]:
    """The blocks in 8 KiB: a BTT's at 4096 or at 0, a pfn's or dax device's at 4096. ``say`` takes what is said only when verbose.

    With ``verify`` one with a wrong checksum is left out, and one whose parent uuid has another first byte than the namespace's: the
    tool compares no more than that.
    """
    found = []
    for offset, signature in ((_SECOND, _BTT_SIG), (0, _BTT_SIG), (_SECOND, pfn.PFN_SIG), (_SECOND, pfn.DAX_SIG)):
        raw = data[offset : offset + _SECOND]
        if raw[:16] != signature:
            continue
        parser = "btt_parse" if signature == _BTT_SIG else "pfn_parse"
        sb = btt_bytes.decode(raw) if signature == _BTT_SIG else pfn.decode(raw)
        if verify and not checksum_valid(raw):
            say(f"read-infoblock: {parser} checksum verification failed")
            continue
        own = NULL_UUID if ndns is None else ndns.uuid
        if verify and own != NULL_UUID and own[:2] != sb.parent_uuid[:2]:
            say(f"read-infoblock: {parser} uuid verification failed")
            continue
        block = _head(sb, ndns, path, human)
        if block is None:
            say("read-infoblock: failed to create json representation")
            continue
        if isinstance(sb, btt_bytes.BttSb):
            _btt(sb, block, human)
        else:
            _pfn(sb, block, human)
        found.append(block)
    return found
