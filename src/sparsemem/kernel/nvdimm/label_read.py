"""``drivers/nvdimm/label.c``, reading: a DIMM's labels as the driver finds them, and as it has them in memory then.

They are kept in ``state.media``: under ("nmem0:ndd", slot) the label's bytes, and under ("nmem0:ndd:UUID", 0) which slots a uuid has.
"""

from __future__ import annotations

from bisect import bisect
from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm import media
from sparsemem.kernel.nvdimm.core import nvdimm_of, put
from sparsemem.kernel.nvdimm.dimm_devs import label_id, set_dpa
from sparsemem.kernel.nvdimm.label_bytes import (
    CLAIM_CLASSES,
    LOCAL,
    NsLabel,
    decode_index,
    decode_label,
    label_problem,
    nd_label_validate,
    nvdimm_num_label_slots,
    sizeof_namespace_index,
)
from sparsemem.kernel.nvdimm.types import CCLASS_NONE, CCLASS_UNKNOWN, Dpa, NvdimmDrvdata
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.kernel.state import State

__all__ = [
    "bytes_at",
    "drop_labels",
    "forget",
    "label_at",
    "nd_label_active",
    "nd_label_data_init",
    "nd_label_nfree",
    "nd_label_reserve_dpa",
    "need_ndd",
    "nsl_get_claim_class",
    "put_ndd",
    "remember",
    "slots_of",
]


def need_ndd(state: State, name: str, function: str) -> NvdimmDrvdata:
    """The driver data of a DIMM whose absence the kernel does not look for."""
    ndd = nvdimm_of(state, name).ndd
    if ndd is None:
        raise Refusal(14, function, "dimm-disabled", crash=True)
    return ndd


def put_ndd(state: State, name: str, ndd: NvdimmDrvdata) -> None:
    """Write the driver data of a DIMM."""
    put(state, nvdimm_of(state, name)._replace(ndd=ndd))


def label_at(state: State, name: str, slot: int) -> NsLabel:
    """The label in a slot, as the kernel has it in memory."""
    return decode_label(bytes_at(state, name, slot))


def bytes_at(state: State, name: str, slot: int) -> bytes:
    """The bytes of the label in a slot, as the kernel has it in memory."""
    held = state.media.get((f"{name}:ndd", slot))
    if held is None:
        return bytes(need_ndd(state, name, "to_label").label_size)
    return held


def _uuid_key(name: str, raw: bytes) -> tuple[str, int]:
    return f"{name}:ndd:{raw[:16].hex()}", 0


def slots_of(state: State, name: str, raw: bytes) -> list[int]:
    """The slots of the labels with this uuid (the first 16 bytes of ``raw``)."""
    held = state.media.get(_uuid_key(name, raw), b"")
    return [int.from_bytes(held[at : at + 4], "little") for at in range(0, len(held), 4)]


def remember(state: State, name: str, slot: int, data: bytes) -> None:
    """Keep the label of a slot in memory."""
    key = _uuid_key(name, data)
    state.put(state.media, (f"{name}:ndd", slot), data)
    state.put(state.media, key, state.media.get(key, b"") + slot.to_bytes(4, "little"))


def forget(state: State, name: str, slot: int) -> None:
    """Drop the label of a slot from memory."""
    data = state.media.get((f"{name}:ndd", slot))
    if data is None:
        return
    left = [each for each in slots_of(state, name, data) if each != slot]
    key = _uuid_key(name, data)
    if left:
        state.put(state.media, key, b"".join(each.to_bytes(4, "little") for each in left))
    else:
        state.drop(state.media, key)
    state.drop(state.media, (f"{name}:ndd", slot))


def nsl_get_claim_class(label: NsLabel) -> int:
    """Which kind of device the label says the namespace is for; labels of version 1.1 do not say."""
    if label.checksum is None:
        return CCLASS_NONE
    return CLAIM_CLASSES.get(label.abstraction_guid, CCLASS_UNKNOWN)


def nd_label_data_init(state: State, name: str) -> NvdimmDrvdata:
    """Read the label area of a DIMM: what the driver knows of it then. Nothing is written yet; the labels go to ``state.media``.

    Raises Refusal: ENXIO (the area is too small), EACCES (the DIMM does not give its labels away), ENOMEM.
    """
    f, dimm = state.kernel.features, nvdimm_of(state, name)
    if not dimm.config_size:
        raise Refusal(6, "nd_label_data_init", "label-area")
    if not sizeof_namespace_index(dimm.config_size, 128):
        raise Refusal(6, "nd_label_data_init", "label-area", (_too_small(state, name, 128),))
    state.alloc("nd_label_data_init")
    if dimm.labels_locked:
        raise Refusal(13, "nvdimm_get_config_data", "dimm-locked")
    head = media.read_label_area(state, name, 0, 2 * sizeof_namespace_index(dimm.config_size, 128))
    current, label_size, problems = nd_label_validate(
        head,
        config_size=dimm.config_size,
        labeloff_checked=f.index_labeloff_checked,
        labelsize_checked=f.index_labelsize_checked,
    )
    for text in problems:
        state.log("debug", f"nvdimm {name}: {text}")
    size = sizeof_namespace_index(dimm.config_size, label_size)
    if current < 0:
        if not size:
            for _ in range(2):
                _too_small(state, name, label_size)
        return NvdimmDrvdata(label_size=label_size)
    index = decode_index(head[current * size : current * size + size])
    if index.nslot > nvdimm_num_label_slots(dimm.config_size, label_size):
        raise Refusal(14, "nd_label_data_init", "label-area", crash=True)  # nslot wrapped: it reads on behind the area
    free = int.from_bytes(index.free, "little")
    for slot in _clear_bits(free, index.nslot):
        remember(state, name, slot, media.read_label_area(state, name, 2 * size + slot * label_size, label_size))
    return NvdimmDrvdata(current, 1 - current, label_size, index.major, index.minor, index.seq, index.nslot, free, free)


def _clear_bits(free: int, nslot: int) -> Iterator[int]:
    """``for_each_clear_bit_le``: the used slots of a bitmap, ascending."""
    used = ~free & ((1 << nslot) - 1)
    while used:
        low = used & -used
        yield low.bit_length() - 1
        used ^= low


def _too_small(state: State, name: str, label_size: int) -> str:
    dimm = nvdimm_of(state, name)
    line = f"nvdimm {name}: label area ({dimm.config_size}) too small to host ({label_size} byte) labels"
    state.log("err", line)
    return line


def drop_labels(state: State, name: str) -> None:
    """Forget the labels that the driver read (they stay on the medium)."""
    ndd = nvdimm_of(state, name).ndd
    if ndd is not None:
        for slot in _clear_bits(ndd.free & ndd.free_current, ndd.nslot):
            forget(state, name, slot)


def nd_label_active(state: State, name: str) -> list[int]:
    """The slots of the valid labels of a DIMM, ascending."""
    ndd = nvdimm_of(state, name).ndd
    if ndd is None or ndd.ns_current < 0:
        return []
    aligned = state.kernel.features.label_dpa_page_aligned
    active = []
    for slot in _clear_bits(ndd.free_current, ndd.nslot):
        problem = label_problem(bytes_at(state, name, slot), slot, page_aligned=aligned)
        if problem:
            state.log("debug", f"nvdimm {name}: {problem}")
        else:
            active.append(slot)
    return active


def nd_label_reserve_dpa(state: State, name: str) -> None:
    """Give every valid label the DIMM bytes it names. Raises Refusal(EBUSY): two labels want the same bytes."""
    dpa: list[Dpa] = []
    for slot in nd_label_active(state, name):
        label = label_at(state, name, slot)
        blk = label.flags & LOCAL and state.kernel.features.local_labels_are_blk
        wanted = Dpa(label.dpa, label.dpa + label.rawsize - 1, f"blk-{label.uuid}" if blk else label_id(label.uuid))
        at = bisect(dpa, wanted)
        beside = (*dpa[max(at - 1, 0) : at], *dpa[at : at + 1])
        taken = _no_memory(state) or any(wanted.start <= each.end and each.start <= wanted.end for each in beside)
        if taken or wanted.end < wanted.start or wanted.end >> 64:
            raise Refusal(16, "nd_label_reserve_dpa", "label-conflict")
        dpa.insert(at, wanted)
    set_dpa(state, name, tuple(dpa))


def _no_memory(state: State) -> bool:
    """An extent that cannot be allocated looks like one that is taken."""
    try:
        state.alloc("nvdimm_allocate_dpa")
    except Refusal:
        return True
    return False


def nd_label_nfree(state: State, name: str) -> int:
    """Free label slots; all of them while the area has no index block yet."""
    dimm = nvdimm_of(state, name)
    assert dimm.ndd is not None
    if dimm.ndd.ns_next < 0:
        return nvdimm_num_label_slots(dimm.config_size, dimm.ndd.label_size)
    return (dimm.ndd.free & ((1 << dimm.ndd.nslot) - 1)).bit_count()
