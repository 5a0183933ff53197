"""Features of drivers/nvdimm/label.c and namespace_devs.c: what a label means, and what a namespace's attributes accept."""

from __future__ import annotations

from dataclasses import dataclass

from sparsemem.spec.features_dax import DaxFeatures
from sparsemem.spec.record import since, until

__all__ = ["LabelFeatures"]


@dataclass(frozen=True, slots=True, kw_only=True, init=False, repr=False, eq=False)  # cheap: Features makes them
class LabelFeatures(DaxFeatures):
    """DIMM label areas and the namespaces that they describe."""

    label_dpa_page_aligned: bool = until(
        "5.4", "", "libnvdimm/label: Remove the dpa align check",
        note="A label whose address or size is no multiple of 4 KiB is ignored.",
    )  # fmt: skip
    index_labeloff_checked: bool = since(
        "4.20", "", "nvdimm: Sanity check labeloff",
        note="An index block whose labeloff is not behind both index blocks is invalid.",
    )  # fmt: skip
    index_labelsize_checked: bool = since(
        "7.3", "18f9124248ed", "libnvdimm/labels: Bound the on-media label size before the shift",
        note="An index block with a labelsize above 1 is invalid, and nslot is multiplied in 64 bits; before, a "
        "huge value wraps round.", backports={"6.12": "6.12.110", "7.2": "7.2.7"},
    )  # fmt: skip
    local_labels_are_blk: bool = until(
        "5.18", "fadc38a6672a", "nvdimm/namespace: Delete blk namespace consideration in shared paths",
        note="A label with the LOCAL flag belongs to a BLK region, and a pmem region skips it.",
    )  # fmt: skip
    labels_beyond_disabled_dimm: bool = since(
        "5.14", "d9cee9f85b22", "libnvdimm/region: Fix label activation vs errors",
        note="A region with a disabled DIMM that needs no labels goes on to its other DIMMs; before, it stops there.",
        backports={"5.4": "5.4.286", "5.10": "5.10.60"},
    )  # fmt: skip
    label_updating_flag_cleared: bool = since(
        "5.1", "966d23a006ca", "libnvdimm/label: Clear 'updating' flag after label-set update",
        note="Labels are written twice: with the UPDATING flag on all DIMMs, then without it; before, once, and it stays set.",
        backports={"4.19": "4.19.113"},
    )  # fmt: skip
    renamed_label_reaped: bool = since(
        "5.2", "c4703ce11c23", "libnvdimm/namespace: Fix label tracking error",
        note="The label of a namespace's former uuid is freed; before, it stays, and at the next boot two labels want the same "
        "bytes.", backports={"4.19": "4.19.113"},
    )  # fmt: skip
    force_raw_without_pages: bool = since(
        "5.1", "fa7d2e639cd9", "libnvdimm/pmem: Honor force_raw for legacy pmem regions",
        note="A legacy namespace that is forced to be raw gets no page structures.", backports={"4.19": "4.19.113"},
    )  # fmt: skip
    uuid_in_any_form: bool = until(
        "5.16", "d1c6e08e7503", "libnvdimm/labels: Add uuid helpers",
        note="A uuid may be written without dashes, or with colons for them.",
    )  # fmt: skip
    holder_class_hides_label_mismatch: bool = until(
        "5.5", "", "libnvdimm/namsepace: Don't set claim_class on error",
        note="holder_class btt where the DIMMs' labels disagree seems to succeed and leaves an unknown class.",
    )  # fmt: skip
    region_align_without_mappings: bool = since(
        "6.1", "2e5021cc42ba", "libnvdimm/region: Allow setting align attribute on regions without mappings",
        note="The align of a region without DIMMs can be set; before, writing it answers ENXIO.",
    )  # fmt: skip
