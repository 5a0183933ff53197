"""Labels as bytes (UEFI 2.7, versions 1.1 and 1.2), and the names of ``label_index``, which has the index blocks. Pure: no state.

A uuid is its lower-case text; type and abstraction GUIDs too, stored in the mixed-endian form of EFI. Sizes and offsets in bytes.
"""

from __future__ import annotations

import struct
import uuid as _uuid
from functools import lru_cache
from typing import NamedTuple

from sparsemem.kernel.nvdimm.label_index import (
    INDEX_ALIGN,
    INDEX_HEADER,
    INDEX_SIGNATURE,
    LABEL_SIZES,
    NsIndex,
    best_seq,
    decode_index,
    encode_index,
    free_slots,
    fresh_index,
    index_problem,
    nd_fletcher64,
    nd_inc_seq,
    nd_label_validate,
    nvdimm_num_label_slots,
    sizeof_namespace_index,
)

__all__ = [
    "ABSTRACTION",
    "CLAIM_CLASSES",
    "GUID_NULL",
    "INDEX_ALIGN",
    "INDEX_HEADER",
    "INDEX_SIGNATURE",
    "LABEL_SIZES",
    "LOCAL",
    "NAME_LEN",
    "PMEM_GUID",
    "ROLABEL",
    "UPDATING",
    "VOLATILE_GUID",
    "NsIndex",
    "NsLabel",
    "best_seq",
    "decode_index",
    "decode_label",
    "encode_index",
    "encode_label",
    "free_slots",
    "fresh_index",
    "index_problem",
    "label_problem",
    "nd_fletcher64",
    "nd_inc_seq",
    "nd_label_validate",
    "nvdimm_num_label_slots",
    "sizeof_namespace_index",
]

NAME_LEN = 64
ROLABEL, LOCAL, BTT, UPDATING = 1, 2, 4, 8
GUID_NULL = "00000000-0000-0000-0000-000000000000"
PMEM_GUID = "66f0d379-b4f3-4074-ac43-0d3318b78cdb"
VOLATILE_GUID = "7305944f-fdda-44e3-b16c-3f22d252e5d0"
CLAIM_CLASSES = {
    "8aed63a2-29a2-4c66-8b12-f05d15d3922a": 1,
    "18633bfc-1735-4217-8ac9-17239282d3f8": 2,
    "266400ba-fb9f-4677-bcb0-968f11d0d225": 3,
    "97a86d9c-3cdd-4eda-986f-5068b4f80088": 4,
    GUID_NULL: 0,
}
"""Abstraction GUID -> ``enum nvdimm_claim_class``: btt, btt2, pfn, dax, none."""
ABSTRACTION = {number: guid for guid, number in CLAIM_CLASSES.items()}

_LABEL_V11 = struct.Struct("<16s64sIHHQQQQIB3s")
_LABEL_V12 = struct.Struct("<16s64sIHHQQQQIB3s16s16s88sQ")


class NsLabel(NamedTuple):
    """``struct nvdimm_efi_label``. A label of version 1.1 ends after ``reserved``, and its ``checksum`` is None.

    ``name`` are its 64 bytes; ``dpa`` and ``rawsize`` say which bytes of the DIMM the namespace has.
    """

    uuid: str
    name: bytes
    flags: int
    nlabel: int
    position: int
    isetcookie: int
    lbasize: int
    dpa: int
    rawsize: int
    slot: int
    align: int = 0
    reserved: bytes = bytes(3)
    type_guid: str = GUID_NULL
    abstraction_guid: str = GUID_NULL
    reserved2: bytes = bytes(88)
    checksum: int | None = 0

    @property
    def text(self) -> str:
        """The name up to its first NUL."""
        return self.name.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _text(raw: bytes) -> str:
    return str(_uuid.UUID(bytes=raw))


def _guid(raw: bytes) -> str:
    return str(_uuid.UUID(bytes_le=raw))


@lru_cache(maxsize=8192)
def decode_label(data: bytes) -> NsLabel:
    """A label of any content: 128 bytes (version 1.1) or 256 (version 1.2)."""
    v12 = len(data) >= 256
    uuid, name, flags, nlabel, position, isetcookie, lbasize, dpa, rawsize, slot, align, reserved, *rest = (
        _LABEL_V12 if v12 else _LABEL_V11
    ).unpack_from(data)
    head = NsLabel(
        _text(uuid),
        name,
        flags,
        nlabel,
        position,
        isetcookie,
        lbasize,
        dpa,
        rawsize,
        slot,
        align,
        reserved,
        checksum=None,
    )
    if not v12:
        return head
    type_guid, abstraction_guid, reserved2, checksum = rest
    return head._replace(
        type_guid=_guid(type_guid),
        abstraction_guid=_guid(abstraction_guid),
        reserved2=reserved2,
        checksum=checksum,
    )


def encode_label(label: NsLabel, label_size: int = 256, *, checksum: bool = True) -> bytes:
    """The bytes of a label, its checksum computed (or, False, taken as it is). 128 bytes have none."""
    uuid, *rest = label[:12]
    head = (_uuid.UUID(uuid).bytes, *rest)
    if label_size < 256:
        return _LABEL_V11.pack(*head)
    tail = (_uuid.UUID(label.type_guid).bytes_le, _uuid.UUID(label.abstraction_guid).bytes_le, label.reserved2)
    stored = label.checksum or 0
    if checksum:
        stored = nd_fletcher64(_LABEL_V12.pack(*head, *tail, 0))
    return _LABEL_V12.pack(*head, *tail, stored)


@lru_cache(maxsize=8192)
def label_problem(data: bytes, slot: int, *, page_aligned: bool = False) -> str:
    """Why the kernel ignores the label in this slot, or "". ``page_aligned``: up to v5.3 its extent must be whole 4 KiB."""
    label = decode_label(data)
    if label.slot != slot:
        return f"slot{slot} invalid slot: {label.slot} dpa: {label.dpa:x} size: {label.rawsize:x}"
    if page_aligned and (label.dpa | label.rawsize) % 4096:
        return f"slot{slot} invalid slot: {label.slot} dpa: {label.dpa:x} size: {label.rawsize:x}"
    if label.checksum is not None and nd_fletcher64(data[:248] + bytes(8)) != label.checksum:
        return f"fail checksum. slot: {slot}"
    return ""
