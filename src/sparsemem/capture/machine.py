"""Capture a machine: run the readers, keep what they touched.

The readers themselves decide what belongs into a capture, so what one of them learns to read is captured from then on,
and reading the capture gives the same description as reading the machine.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from sparsemem.capture.archive import compress, tar_bytes
from sparsemem.capture.redact import redact as redact_entries
from sparsemem.capture.write import check_new, write_new
from sparsemem.errors import InputError, UnreadableError
from sparsemem.readers import DirectorySource, Source, open_source
from sparsemem.readers.combine import read_source
from sparsemem.readers.metadata import METADATA, read_metadata
from sparsemem.readers.source import Entry

if TYPE_CHECKING:
    from sparsemem.machine.description import MachineDescription, Note

__all__ = ["Capture", "capture_machine", "capture_source"]


@dataclass(frozen=True, slots=True)
class Capture:
    """What was captured: the files by path, what the readers made of them (None when too little could be read), and the
    remarks.
    """

    entries: dict[str, Entry]
    machine: MachineDescription | None
    notes: tuple[Note, ...]
    size: int = 0
    path: str | None = None

    @property
    def files(self) -> int:
        """How many files it holds."""
        return sum(entry.kind == "file" for entry in self.entries.values())

    def tar(self) -> bytes:
        """The archive, uncompressed."""
        return tar_bytes(self.entries)


def capture_machine(
    root: str | os.PathLike[str] | Source = "/",
    out: str | os.PathLike[str] = "machine.tar.xz",
    *,
    date: str | None = None,
    redact: bool = False,
    overwrite: bool = False,
) -> Capture:
    """Capture the machine under ``root`` (``/``, a tree, a tarball) into the tarball ``out`` (.tar, .tar.gz, .tar.xz).

    Works without root: what cannot be read is named in the notes and in the capture. ``date`` is written into it as
    given. The file appears complete or not at all. Raises UsageError for the name ``out``, UnreadableError for ``root``
    or when nothing of a machine can be read.
    """
    name = os.fspath(out)
    compress(b"", name)
    check_new(name, overwrite=overwrite)
    capture = capture_source(root if isinstance(root, Source) else open_source(root), date=date, redact=redact)
    data = compress(capture.tar(), name)
    write_new(name, data, overwrite=overwrite)
    return Capture(capture.entries, capture.machine, capture.notes, len(data), name)


def capture_source(source: Source, *, date: str | None = None, redact: bool = False) -> Capture:
    """The capture of a source, not yet written anywhere."""
    source.trace = {}
    machine: MachineDescription | None = None
    try:
        machine = read_source(source)
        notes = machine.notes
    except UnreadableError:
        # An all-zero iomem and nothing else: still worth keeping, the names in it tell something.
        notes = tuple(source.notes)
    except InputError as error:
        raise UnreadableError(
            "no machine to capture here", where=source.name, why=error.why, remedy="give the root of a machine's files"
        ) from None
    entries = source.trace
    source.trace = None
    if redact:
        entries = redact_entries(entries)
    implied = {path[:cut] for path in entries for cut in range(len(path)) if path[cut] == "/"}
    entries = {path: entry for path, entry in entries.items() if entry.kind != "dir" or path not in implied}
    entries[METADATA] = Entry("file", _metadata(source, notes, date, redact))
    return Capture(entries, machine, notes)


def _version() -> str:
    try:
        return version("sparsemem")
    except PackageNotFoundError:
        return "of an unknown version"


def _metadata(source: Source, notes: tuple[Note, ...], date: str | None, redacted: bool) -> bytes:
    known = read_metadata(source)
    prefix = source.where("")
    values: dict[str, Any] = {
        "format": 1,
        "tool": f"sparsemem {_version()}",
        "date": date,
        "arch": known.arch,
        "page_size": known.page_size,
        "release": known.release,
        "boot": known.boot,
        "redacted": redacted,
    }
    if isinstance(source, DirectorySource) and source.root == "/":
        uname = os.uname()
        values["uname"] = {"sysname": uname.sysname, "release": uname.release, "machine": uname.machine}
    if known.made_from is not None:
        values["composed_from"] = known.made_from
    values["unreadable"] = [
        {"file": note.source.removeprefix(prefix), "what": (f"{note.where}: " if note.where else "") + note.what}
        for note in notes
        if note.what.startswith(("cannot be read", "addresses of", "every address"))
    ] + [{"file": file, "what": what} for file, what in known.remarks]
    return (json.dumps(values, indent=1, sort_keys=True) + "\n").encode()
