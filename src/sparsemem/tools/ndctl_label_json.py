"""A label area as ``ndctl read-labels --json`` shows it: what is there at a first glance, valid or not (dump_json in ndctl/dimm.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.info_block import uuid_text
from sparsemem.kernel.nvdimm.label_bytes import INDEX_ALIGN, INDEX_HEADER, decode_index, decode_label
from sparsemem.tools.json_features import json_features
from sparsemem.tools.json_out import size_value

if TYPE_CHECKING:
    from sparsemem.tools.daxctl_json import Json
    from sparsemem.tools.libndctl_label import LabelCmd

__all__ = ["label_area_to_json"]

_TYPE, _ABSTRACTION = 128, 144


def _signed(value: int) -> int:
    """A number of 32 bits in a C int."""
    return value - (1 << 32) if value >> 31 else value


def _text(raw: bytes) -> str:
    return raw.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _index_size(cmd: LabelCmd) -> int:
    return cmd.sizeof_namespace_index() if json_features(cmd.dimm.context.version).label_index_size else INDEX_ALIGN


def _index_json(cmd: LabelCmd, size: int) -> list[Json]:
    found: list[Json] = []
    nsindex_size = _index_size(cmd)
    for offset in range(0, nsindex_size * 2, nsindex_size or 1):
        data = cmd.get_data(INDEX_HEADER, offset) if size - offset >= INDEX_HEADER else None
        if data is None:
            break
        index = decode_index(data)
        found.append(
            {
                "signature": _text(index.sig[:15]),
                "major": index.major,
                "minor": index.minor,
                "labelsize": _signed(1 << ((7 + index.labelsize) & 31)),
                "seq": _signed(index.seq),
                "nslot": _signed(index.nslot),
            }
        )
    return found


def _label_json(cmd: LabelCmd, size: int, human: bool) -> list[Json]:
    found: list[Json] = []
    features = json_features(cmd.dimm.context.version)
    label_size = cmd.sizeof_namespace_label()
    start = _index_size(cmd) * 2
    for slot, offset in enumerate(range(start, size, label_size) if start else ()):
        data = cmd.get_data(label_size, offset) if size - offset >= label_size else None
        if data is None:
            break
        label = decode_label(data)
        if label.slot != slot:
            continue
        entry: Json = {
            "uuid": label.uuid,
            "name": _text(label.name[:63]),
            "slot": label.slot,
            "position": label.position,
            "nlabel": label.nlabel,
            "flags": features.hex(label.flags, human=human),
            "isetcookie": features.hex(label.isetcookie, human=human),
            "lbasize": features.hex(label.lbasize, human=False),
            "dpa": features.hex(label.dpa, human=human),
            "rawsize": size_value(label.rawsize, human=human),
        }
        if label_size >= 256:
            entry["type_guid"] = uuid_text(data[_TYPE : _TYPE + 16])
            entry["abstraction_guid"] = uuid_text(data[_ABSTRACTION : _ABSTRACTION + 16])
        found.append(entry)
    return found


def label_area_to_json(cmd: LabelCmd, *, human: bool, index_only: bool) -> Json | None:
    """``dump_json``; None where there is nothing to show, which the tool takes for a lack of memory."""
    size = cmd.total_xfer
    index = _index_json(cmd, size)
    if not index:
        return None
    found: Json = {"dev": cmd.dimm.devname, "index": index}
    if index_only:
        return found
    labels = _label_json(cmd, size, human)
    if not labels:
        return None
    found["label"] = labels
    return found
