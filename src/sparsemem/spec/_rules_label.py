"""Rules of a DIMM's label area and of the namespaces that labels describe."""

from __future__ import annotations

from sparsemem.spec._rule import Rule

__all__ = ["RULES"]

_READ = "(read in 4.19, 5.10, 6.1, 6.12, 7.2)"
_LABEL, _NAMESPACE, _DIMM = (f"drivers/nvdimm/{name} {_READ}" for name in ("label.c", "namespace_devs.c", "dimm.c"))

RULES: tuple[Rule, ...] = (
    Rule(
        "label-area",
        "a label area holds two index blocks and two labels",
        "The DIMM's label area is too small, gone, or cannot be written where the label belongs; or it has no index blocks yet.",
        ("nd_label_data_init", "nvdimm_check_config_data", "nvdimm_set_config_data", "__pmem_label_update"),
        _LABEL,
        errnos=("ENXIO", "EFAULT"),
    ),
    Rule(
        "label-slots",
        "a label is written beside the one that it replaces",
        "Every update needs a free label slot on each DIMM of the region, also one of a namespace that has a label.",
        ("__pmem_label_update",),
        _LABEL,
        errnos=("ENXIO",),
    ),
    Rule(
        "label-conflict",
        "a byte of a DIMM belongs to one label",
        "Two valid labels name the same bytes, or one names none: the DIMM is not enabled.",
        ("nd_label_reserve_dpa",),
        _LABEL,
        errnos=("EBUSY",),
    ),
    Rule(
        "label-set",
        "a namespace has one label on each DIMM of its interleave set",
        "A label is missing at one of the positions of the set, or there are two of one namespace on a DIMM: none of the region's"
        " namespaces comes up. Labels of another set (another cookie) are passed over.",
        ("create_namespace_pmem", "add_namespace_resource", "select_pmem_id", "create_namespaces"),
        _NAMESPACE,
        errnos=("ENXIO", "EINVAL", "ENOMEM", "ENODEV"),
    ),
    Rule(
        "label-extent",
        "a label names bytes of its region",
        "The bytes of the label are not all in the part of the DIMM that the region maps.",
        ("select_pmem_id",),
        _NAMESPACE,
        errnos=("EINVAL", "ENODEV"),
    ),
    Rule(
        "dimm-disabled",
        "a DIMM in use is enabled",
        "The region's labels cannot be read or written while the driver of one of its DIMMs is unbound.",
        ("init_active_labels", "__size_store", "available_slots_show", "del_labels", "__pmem_label_update"),
        _NAMESPACE,
        errnos=("ENXIO", "EFAULT"),
    ),
    Rule(
        "dimm-locked",
        "a locked DIMM keeps its namespaces shut",
        "The DIMM answers that its capacity, or also its label area, is locked.",
        ("nvdimm_get_config_data", "nvdimm_namespace_common_probe"),
        _DIMM,
        errnos=("EACCES",),
    ),
    Rule(
        "namespace-uuid",
        "a namespace of a label has a uuid of its own",
        "The uuid comes first, before a size; it is no other namespace's, btt's or pfn's, and it is not changed after the last label"
        " of the region is gone.",
        ("__size_store", "namespace_update_uuid", "nvdimm_namespace_common_probe"),
        _NAMESPACE,
        errnos=("ENXIO", "EINVAL", "EBUSY", "ENODEV"),
    ),
    Rule(
        "namespace-none",
        "a btt, pfn or dax device is made of a namespace",
        "The device has no namespace.",
        ("nvdimm_namespace_common_probe",),
        _NAMESPACE,
        errnos=("ENODEV",),
    ),
    Rule(
        "namespace-unlabelled",
        "what is kept in labels needs labels",
        "The namespace spans a region without labels: it has no uuid, name, size or sector size to write, and a mode written to it is"
        " not kept.",
        ("uuid_store", "alt_name_store", "sector_size_store", "nd_namespace_label_update", "sector_size_show"),
        _NAMESPACE,
        errnos=("ENXIO",),
    ),
)
