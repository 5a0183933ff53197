"""``drivers/nvdimm/dimm.c`` and the attributes of ``dimm_devs.c``: a DIMM's driver, and what nmemX tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.core import nvdimm_of, put
from sparsemem.kernel.nvdimm.label_read import drop_labels, nd_label_data_init, nd_label_nfree, nd_label_reserve_dpa
from sparsemem.kernel.refusal import Refusal

if TYPE_CHECKING:
    from sparsemem.kernel.state import State

__all__ = ["available_slots_show", "flags_show", "nvdimm_probe", "nvdimm_remove", "state_show"]


def nvdimm_probe(state: State, name: str) -> None:
    """Read a DIMM's labels and give their namespaces their bytes of it. A DIMM without a label area needs nothing.

    From the first time that labels are found, the DIMM is one whose regions have labels, until the machine reboots.
    Raises Refusal: ENXIO (the label area is too small or gone), EBUSY (two labels want the same bytes), EACCES (locked), ENOMEM.
    """
    dimm = nvdimm_of(state, name)
    if not dimm.config_size:
        if dimm.labeling:
            raise Refusal(6, "nvdimm_check_config_data", "label-area")
        return
    state.alloc("nvdimm_probe")
    put(state, dimm._replace(locked=dimm.capacity_locked))
    try:
        ndd = nd_label_data_init(state, name)
    except Refusal as refusal:
        if refusal.errno == 13:
            put(state, dimm._replace(locked=True))
        raise
    put(state, nvdimm_of(state, name)._replace(ndd=ndd))
    if ndd.ns_current < 0:
        return
    try:
        nd_label_reserve_dpa(state, name)
    except Refusal:
        nvdimm_remove(state, name)
        raise
    put(state, nvdimm_of(state, name)._replace(labeling=True))


def nvdimm_remove(state: State, name: str) -> None:
    """The driver lets go of the DIMM: what it read is forgotten."""
    if nvdimm_of(state, name).ndd is not None:
        drop_labels(state, name)
        put(state, nvdimm_of(state, name)._replace(ndd=None))


def available_slots_show(state: State, name: str) -> str:
    """Label slots that new namespaces can use: one is kept for updates. Raises Refusal(ENXIO) while the DIMM is disabled."""
    if nvdimm_of(state, name).ndd is None:
        raise Refusal(6, "available_slots_show", "dimm-disabled")
    free = nd_label_nfree(state, name)
    if not free:
        state.log("warn", f"nvdimm {name}: we ate our last label?", once="available_slots_show")
    return f"{max(free - 1, 0)}\n"


def flags_show(state: State, name: str) -> str:
    """The words for what the DIMM is; each is followed by a space."""
    dimm, f = nvdimm_of(state, name), state.kernel.features
    words = (("label" if f.nvdimm_label_flag_is_label else "alias", dimm.labeling), ("lock", dimm.locked))
    return "".join(f"{word} " for word, said in words if said) + "\n"


def state_show(state: State, name: str) -> str:
    """``active`` while a region uses the DIMM."""
    return "active\n" if nvdimm_of(state, name).busy else "idle\n"
