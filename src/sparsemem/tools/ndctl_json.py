"""The objects that ndctl prints: buses, DIMMs, namespaces, mappings and what a region can do (ndctl/json.c), field for field.

``flags`` are words: human, idle, configured, media_errors, dax, devices, verbose, capabilities, firmware.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.tools import daxctl_json
from sparsemem.tools.json_features import json_features
from sparsemem.tools.json_out import hex_value, size_value
from sparsemem.tools.libndctl_base import ULLONG_MAX
from sparsemem.tools.libndctl_devices import NULL_UUID, Btt, Pfn
from sparsemem.tools.libndctl_namespace import NS_IO
from sparsemem.tools.ndctl_badblocks import btt_badblocks, namespace_badblocks, pfn_badblocks, region_badblocks

if TYPE_CHECKING:
    from sparsemem.tools.daxctl_json import Flags, Json
    from sparsemem.tools.libndctl import Bus, Dimm, Mapping, Region
    from sparsemem.tools.libndctl_devices import Claimant
    from sparsemem.tools.libndctl_namespace import Namespace
    from sparsemem.tools.ndctl_badblocks import Badblocks

__all__ = ["bus_to_json", "capabilities_to_json", "dimm_to_json", "has_dsm", "mapping_to_json", "namespace_to_json"]

_LOCATIONS = {"none": "none", "ram": "mem", "pmem": "dev"}
_FLAGS = {  # words of nfit/flags in the order in which they are shown
    "map_fail": "failed_map",
    "save_fail": "failed_save",
    "not_armed": "failed_arm",
    "restore_fail": "failed_restore",
    "flush_fail": "failed_flush",
    "smart_event": "smart_event",
}
_FW_GET_INFO = 12
_SECURITY = ("disabled", "unlocked", "locked", "frozen", "overwrite")


def _int(text: str | None) -> int | None:
    match = re.match(r"\s*-?(?:0[xX][0-9a-fA-F]+|\d+)", text or "")
    return int(match[0], 0) if match is not None else None if text is None else 0


def bus_to_json(bus: Bus, flags: Flags) -> Json:
    """``util_bus_to_json``. Firmware activation is not modelled: it is shown where a DIMM of Intel's family offers it."""
    found: Json = {"provider": bus.provider, "dev": bus.devname}
    scrub = bus.scrub_state()
    if scrub < 0:
        return found
    found["scrub_state"] = "active" if scrub else "idle"
    if "firmware" in flags:
        for dimm in bus.dimms():
            _no_firmware(dimm)
    return found


def has_dsm(dimm: Dimm, function: int) -> bool:
    """Does a DIMM of Intel's family have this function?"""
    mask = _int(dimm.attr("nfit/dsm_mask"))
    return _int(dimm.attr("nfit/family")) == 0 and dimm.supports("cmd_call") and bool((mask or 0) >> function & 1)


def _no_firmware(dimm: Dimm) -> None:
    if has_dsm(dimm, _FW_GET_INFO):
        raise NotModelledError(
            f"the firmware of {dimm.devname} is not modelled", why="it takes a DSM of the DIMM", remedy="leave out -F"
        )


def dimm_to_json(dimm: Dimm, flags: Flags) -> Json:
    """``util_dimm_to_json``."""
    prefix = "nfit" if dimm.bus.has_nfit else "papr" if dimm.attr("papr/flags") is not None else "cxl"
    found: Json = {"dev": dimm.devname}
    if (ident := dimm.attr(f"{prefix}/id")) is not None:
        found["id"] = ident
    handle, phys_id = _int(dimm.attr(f"{prefix}/handle")), _int(dimm.attr(f"{prefix}/phys_id"))
    if handle is not None:
        found["handle"] = hex_value(handle & 0xFFFFFFFF, human="human" in flags)
    if phys_id is not None and phys_id & 0xFFFF != 0xFFFF:
        found["phys_id"] = hex_value(phys_id & 0xFFFF, human="human" in flags)
    if not dimm.is_enabled:
        found["state"] = "disabled"
    words = (dimm.attr(f"{prefix}/flags") or "").split(" ")[:-1]  # the kernel puts a space behind each
    for word, name in _FLAGS.items():
        if word in words or (prefix == "papr" and word == "smart_event" and "smart_notify" in words):
            found[f"flag_{name}"] = True
    features = json_features(dimm.context.version)
    security = dimm.now("security") if features.security else None
    if security in _SECURITY:
        found["security"] = security
    if features.security_frozen and (security == "frozen" or _int(dimm.now("frozen"))):
        found["security_frozen"] = True
    if "firmware" in flags:
        _no_firmware(dimm)
    return found


def mapping_to_json(mapping: Mapping, flags: Flags) -> Json:
    """``util_mapping_to_json``."""
    human = "human" in flags
    found: Json = {
        "dimm": mapping.dimm.devname,
        "offset": hex_value(mapping.offset, human=human),
        "length": hex_value(mapping.length, human=human),
    }
    if mapping.position >= 0:
        found["position"] = mapping.position
    return found


def capabilities_to_json(region: Region) -> list[Json] | None:
    """``util_region_capabilities_to_json``: nothing where a seed is missing."""
    btt, pfn, dax = region.btt_seed(), region.pfn_seed(), region.dax_seed()
    there = [seed is not None for seed in (btt, pfn, dax)]
    if not (any(there) if json_features(region.context.version).any_capability else all(there)):
        return None
    found: list[Json] = []
    if btt is not None:
        found.append({"mode": "sector", "sector_sizes": btt.lbasize.supported})
    if pfn is not None:
        found.append({"mode": "fsdax", "alignments": pfn.alignments.supported})
    if dax is not None:
        found.append({"mode": "devdax", "alignments": dax.alignments.supported})
    return found


def namespace_to_json(ndns: Namespace, flags: Flags) -> Json | None:
    """``util_namespace_to_json``; None where the tool fails."""
    btt = ndns.btt()
    pfn, dax = (None, None) if btt is not None else (ndns.pfn(), ndns.dax())
    holder = btt or pfn or dax
    mode, features = ndns.mode, json_features(ndns.context.version)
    if (mode == "devdax" and dax is None) or (mode == "sector" and btt is None):
        return None
    sources: dict[str, Namespace | Claimant | None] = {"fsdax": pfn or ndns, "devdax": dax, "sector": btt, "raw": ndns}
    source = sources.get(mode)
    found: Json = {"dev": ndns.devname}
    if mode:
        found["mode"] = mode
    if mode not in ("sector", "raw") and features.map:
        found["map"] = "mem" if source is ndns else _LOCATIONS[source.location] if isinstance(source, Pfn) else "none"
    if source is not None and source.size < ULLONG_MAX:
        found["size"] = size_value(source.size, human="human" in flags)
    if holder is not None:
        found["uuid"] = holder.uuid
        shown = ndns.uuid != NULL_UUID or not features.hides_null_raw_uuid
        if shown and ("verbose" in flags or not features.verbose):
            found["raw_uuid"] = ndns.uuid
        if dax is not None:
            _device_dax(dax, found, flags)
    elif ndns.type != NS_IO:
        found["uuid"] = ndns.uuid
    _geometry(ndns, btt, pfn, dax, found)
    blockdev = "" if dax is not None else (holder or ndns).block_device()
    if blockdev:
        found["blockdev"] = blockdev
    if not ndns.is_active():
        found["state"] = "disabled"
    if ndns.alt_name:
        found["name"] = ndns.alt_name
    if ndns.numa_node >= 0 and ("verbose" in flags or not features.verbose):
        found["numa_node"] = ndns.numa_node
    if ndns.target_node >= 0 and "verbose" in flags and features.target_node:
        found["target_node"] = ndns.target_node
    count, blocks = _badblocks(ndns, holder, blockdev, flags)
    if count:
        found["badblock_count"] = count
    if blocks is not None:
        found["badblocks"] = blocks
    return found


def _device_dax(dax: Pfn, found: Json, flags: Flags) -> None:
    region = dax.dax_region()
    if "dax" in flags:
        found["daxregion"] = daxctl_json.region_json(region, None, flags)
    elif devices := region.devices():
        found["chardev"] = devices[0].name


def _geometry(ndns: Namespace, btt: Btt | None, pfn: Pfn | None, dax: Pfn | None, found: Json) -> None:
    if dax is None:
        sector = btt.sector_size if btt is not None else ndns.sector_size or 512
        if sector is not None:
            found["sector_size"] = sector
    if not json_features(ndns.context.version).namespace_align:
        return
    align = (pfn or dax).align if pfn or dax else 0  # type: ignore[union-attr]
    if align:
        found["align"] = align


def _badblocks(ndns: Namespace, holder: Claimant | None, blockdev: str, flags: Flags) -> Badblocks:
    if isinstance(holder, Btt):
        return btt_badblocks(ndns, holder), None
    if isinstance(holder, Pfn):
        if holder.KIND == "pfn" and holder.resource == ULLONG_MAX:
            return namespace_badblocks(ndns, blockdev, flags)
        return pfn_badblocks(ndns.region, holder, flags)
    count, blocks = region_badblocks(ndns.region, flags)
    if blocks is not None or not json_features(ndns.context.version).namespace_badblocks:
        return count, blocks
    own, blocks = namespace_badblocks(ndns, blockdev, flags)
    return own or count, blocks
