"""What ndctl's listings and label and info block commands do by release: one field a change that shows, with release and commit."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from sparsemem.tools.json_out import Raw, hex_value

__all__ = ["JsonFeatures", "json_features"]

_SINCE: dict[str, tuple[int, str]] = {
    "map": (61, "0ef4023"),
    "hides_null_raw_uuid": (61, "e691fa1"),
    "verbose": (62, "b2c9a47"),
    "max_available_extent": (62, "1c4c297"),
    "namespace_badblocks": (63, "c78c031"),
    "namespace_align": (64, "83f2ba8"),
    "security": (64, "f467088"),
    "capabilities": (65, "da2820a"),
    "labels_human": (66, "dd47bca"),
    "labels_checked": (66, "4f7cad2"),
    "labels_extent": (66, "188eab4"),
    "security_frozen": (67, "41f6509"),
    "configured": (68, "aeb6e08"),
    "region_align": (68, "6b3224f"),
    "target_node": (68, "ef7e15a"),
    "zero_says_why": (68, "a24b90c"),
    "labels_one_object": (70, "68d4121"),
    "label_index_size": (72, "7e98977"),
    "unsigned": (73, "691cd24"),
    "warns_of_nothing": (73, "91f78bb"),
    "hex_64_bits": (79, "731ca1f"),
    "any_capability": (81, "def79df"),
    "infoblock_offset_check": (81, "901b60c"),
    "infoblock_align_check": (81, "d49ba4b"),
}


class JsonFeatures(NamedTuple):
    """What the modelled ndctl does. The release and commit of each field stand in ``_SINCE``."""

    map: bool
    """Namespaces have a map."""
    hides_null_raw_uuid: bool
    verbose: bool
    """-v is there, and raw_uuid and numa_node are shown with it only."""
    max_available_extent: bool
    namespace_badblocks: bool
    """Bad blocks of a namespace's block device count where the region knows of none."""
    namespace_align: bool
    security: bool
    capabilities: bool
    """-C is there."""
    labels_human: bool
    """read-labels -u."""
    labels_checked: bool
    """check-labels and init-labels count DIMMs; before, the number of label slots was taken for it."""
    labels_extent: bool
    """-s and -O, and (6627ca4 in the same release) -I."""
    security_frozen: bool
    configured: bool
    """-c is there."""
    region_align: bool
    target_node: bool
    zero_says_why: bool
    labels_one_object: bool
    """read-labels shows one DIMM without its array on a terminal."""
    label_index_size: bool
    """read-labels -j knows how large an index block is; before, it took 256 bytes for it (so in areas of 128 KiB)."""
    unsigned: bool
    """Numbers of 64 bits are unsigned; before, large ones came out negative."""
    warns_of_nothing: bool
    """An empty array is warned of."""
    hex_64_bits: bool
    """Hexadecimal numbers have all 64 bits; from v73 on, those above INT64_MAX came out as it."""
    any_capability: bool
    """Capabilities are listed for each seed that is there; before, only where all three are."""
    infoblock_offset_check: bool
    infoblock_align_check: bool

    def hex(self, value: int, *, human: bool) -> int | Raw:
        """``util_json_object_hex``."""
        if value >> 63 and self.unsigned and human and not self.hex_64_bits:
            value = (1 << 63) - 1
        elif value >> 63 and not human and not self.unsigned:
            value -= 1 << 64
        return hex_value(value, human=human)


@cache
def json_features(version: tuple[int, ...]) -> JsonFeatures:
    """The features of that release."""
    return JsonFeatures(**{name: version[0] >= since for name, (since, _) in _SINCE.items()})
