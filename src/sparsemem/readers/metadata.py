"""``sparsemem-capture.json``: what a capture knows beyond the files in it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparsemem.readers.jsontext import load_documents
from sparsemem.readers.proc import arch_of_machine
from sparsemem.readers.trees import DirectorySource

if TYPE_CHECKING:
    from sparsemem.readers.source import Source

__all__ = ["METADATA", "Metadata", "read_metadata"]

METADATA = "sparsemem-capture.json"
_BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True)
class Metadata:
    """Architecture and page size (bytes) of the captured machine; ``remarks`` are (file, what) of what could not be
    captured; ``boot``: which boot of which machine it was (the kernel's boot_id), ``date`` as it was given.
    """

    arch: str | None = None
    page_size: int | None = None
    release: str | None = None
    remarks: tuple[tuple[str, str], ...] = ()
    made_from: str | None = None
    boot: str | None = None
    date: str | None = None


def read_metadata(source: Source) -> Metadata:
    """From the capture's own file; of the running machine from the C library; else nothing."""
    if isinstance(source, DirectorySource) and source.root == "/":
        return Metadata(
            arch_of_machine(os.uname().machine), os.sysconf("SC_PAGE_SIZE"), os.uname().release, boot=_running()
        )
    text = source.read_text(METADATA, limit=1 << 20)
    if text is None:
        return Metadata()
    documents, notes = load_documents(text, source.where(METADATA))
    source.notes.extend(notes)
    data = documents[0] if documents else None
    if not isinstance(data, dict):
        if not notes:
            source.note(METADATA, "not a JSON object; not used")
        return Metadata()
    page_size = data.get("page_size")
    if (
        not isinstance(page_size, int)
        or isinstance(page_size, bool)
        or page_size not in {4096 << shift for shift in range(9)}
    ):
        if page_size is not None:
            source.note(METADATA, f"not a page size: {str(page_size)[:40]}", "page_size")
        page_size = None
    remarks = data.get("unreadable")
    pairs = [
        (str(item["file"])[:200], str(item["what"])[:200])
        for item in (remarks if isinstance(remarks, list) else [])[:1000]
        if isinstance(item, dict) and "file" in item and "what" in item
    ]
    arch, release, made_from = data.get("arch"), data.get("release"), data.get("composed_from")
    return Metadata(
        arch_of_machine(arch) or arch if isinstance(arch, str) else None,
        page_size,
        release if isinstance(release, str) else None,
        tuple(pairs),
        made_from if isinstance(made_from, str) else None,
        *(data.get(key) if isinstance(data.get(key), str) else None for key in ("boot", "date")),
    )


def _running() -> str | None:
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip() or None
    except (OSError, UnicodeDecodeError):
        return None
