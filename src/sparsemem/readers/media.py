"""What somebody read off the media and put beside a capture: label areas (``nmem0.labels``) and info blocks
(``namespace0.0.infoblock``), as ``ndctl read-labels -o`` and ``ndctl read-infoblock -o`` write them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.kernel.nvdimm.info_block import SB_SIZE
from sparsemem.machine.description import InfoBlockFact, LabelAreaFact

if TYPE_CHECKING:
    from sparsemem.readers.source import Source

__all__ = ["INFO_BLOCK_SUFFIX", "LABELS_SUFFIX", "read_media"]

LABELS_SUFFIX, INFO_BLOCK_SUFFIX = ".labels", ".infoblock"
_MAX_AREA = 16 << 20
_SIGNATURES = (b"NVDIMM_PFN_INFO\0", b"NVDIMM_DAX_INFO\0", b"BTT_ARENA_INFO\0")


def read_media(source: Source) -> tuple[tuple[LabelAreaFact, ...], tuple[InfoBlockFact, ...]]:
    """The label areas and info blocks in the top directory; a file that can be neither is a note."""
    areas = []
    for name in source.listdir("/", r"nmem\d{1,9}\.labels"):
        data = source.read_bytes(name, limit=_MAX_AREA)
        if data:
            areas.append(LabelAreaFact(name.removesuffix(LABELS_SUFFIX), data))
        elif data is not None:
            source.note(name, "an empty label area; not used")
    blocks = []
    for name in source.listdir("/", r"namespace\d{1,9}\.\d{1,9}\.infoblock"):
        data = source.read_bytes(name, limit=1 << 20)
        if data is None:
            continue
        at = next((at for at in (0, SB_SIZE) if data[at : at + 16].startswith(_SIGNATURES)), None)
        if at is None or len(data) < at + SB_SIZE:
            source.note(name, "no info block in its first 8 KiB; not used")
            continue
        blocks.append(InfoBlockFact(name.removesuffix(INFO_BLOCK_SUFFIX), data[at : at + SB_SIZE]))
    return tuple(areas), tuple(blocks)
