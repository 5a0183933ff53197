"""``read_machine``: look at what was given, and read it."""

from __future__ import annotations

import os
import re
import stat
import sys
from dataclasses import replace
from typing import BinaryIO

from sparsemem.errors import InputError, UnreadableError
from sparsemem.machine.description import MachineDescription, Note
from sparsemem.readers.bootlog import looks_like_boot_log, parse_boot_log
from sparsemem.readers.combine import HIDDEN, HIDDEN_REMEDY, describe, read_source
from sparsemem.readers.facts import Facts
from sparsemem.readers.iomem import looks_like_iomem, parse_iomem
from sparsemem.readers.jsontext import load_documents
from sparsemem.readers.pasted import Pasted, take_apart
from sparsemem.readers.proc import arch_of_machine
from sparsemem.readers.source import Source
from sparsemem.readers.tarball import MAX_UNPACKED, is_tar, open_tar, unpack
from sparsemem.readers.text import is_binary
from sparsemem.readers.trees import DirectorySource

__all__ = ["open_source", "read_bytes", "read_log", "read_machine", "read_text"]

WHAT = "give a directory or tarball of a machine, an iomem text, a boot log, the JSON of ndctl, daxctl or lsmem, or the table of lsmem"

_ZSTD = b"\x28\xb5\x2f\xfd"


def read_machine(path_or_source: str | os.PathLike[str] | Source = "/") -> MachineDescription:
    """The machine in a directory (``/`` is this one), a tarball, an iomem text, a boot log, or ndctl, daxctl or lsmem
    JSON.

    ``-`` is standard input. Raises UnreadableError for what cannot be opened or what the kernel hides, InputError for
    what cannot be understood at all; everything less is a note in the description.
    """
    if isinstance(path_or_source, Source):
        return read_source(path_or_source)
    path = os.fspath(path_or_source)
    if path in ("-", "/dev/stdin"):
        return read_bytes(_limited(sys.stdin.buffer), "standard input")
    opened = _open(path)
    return read_source(opened) if isinstance(opened, Source) else read_bytes(opened, path)


def read_log(path: str) -> str:
    """The text of a log, perhaps compressed; ``-`` is standard input. Raises UnreadableError or InputError for what is none."""
    opened = _limited(sys.stdin.buffer) if path in ("-", "/dev/stdin") else _open(path)
    if isinstance(opened, Source):
        raise InputError(
            "a directory, where a log was asked for", where=path, remedy="name the file, for example var/log/dmesg"
        )
    plain, trouble = unpack(opened)
    if is_tar(plain) or is_binary(plain):
        raise InputError("binary data that is no log", where=path, remedy="give the output of dmesg or journalctl -k")
    if not plain.strip():
        raise InputError("the file is empty" if not trouble else f"the file {trouble}", where=path)
    return plain.decode("utf-8", "replace").replace("\r\r\n", "\n").replace("\r\n", "\n")


def open_source(path: str | os.PathLike[str]) -> Source:
    """A directory or a tarball as a source. Raises UnreadableError or InputError when it is neither."""
    name = os.fspath(path)
    opened = _open(name)
    if isinstance(opened, Source):
        return opened
    plain, trouble = unpack(opened)
    if not is_tar(plain):
        raise InputError("neither a directory nor a tarball", where=name, remedy="give the root of a machine's files")
    return open_tar(plain, name, trouble)


def read_bytes(data: bytes, name: str) -> MachineDescription:
    """The machine in the bytes of a file (tarball or text, perhaps compressed); notes and errors call it ``name``."""
    plain, trouble = unpack(data)
    if is_tar(plain):
        return read_source(open_tar(plain, name, trouble))
    if not plain.strip():
        raise InputError("the file is empty" if not trouble else f"the file {trouble}", where=name, remedy=WHAT)
    if plain[:2] in (b"\xff\xfe", b"\xfe\xff"):
        plain = plain.decode("utf-16", "replace").encode()
    if plain[:4] == _ZSTD:
        raise InputError(
            "compressed with zstd, which Python's own library can not read",
            where=name,
            remedy="unpack it first: zstd -dc FILE | sparsemem doctor -",
        )
    if is_binary(plain):
        raise InputError("binary data that is no tarball", where=name, remedy=WHAT)
    notes = (Note(name, "", f"the compressed file: {trouble}"),) if trouble else ()
    return read_text(plain.decode("utf-8", "replace"), name, notes)


def read_text(text: str, name: str, notes: tuple[Note, ...] = ()) -> MachineDescription:
    """The machine in a text: iomem, a boot log, JSON, an lsmem table, or several of them. Raises InputError when it is none of them."""
    facts = Facts()
    facts.notes.extend(notes)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    parts = take_apart(text)
    facts.proc = replace(
        facts.proc, release=parts.release, arch=arch_of_machine(parts.machine), page_size=parts.page_size
    )
    if (parts.kinds > 1 or parts.lsmem is not None) and _add_parts(facts, parts, name):
        return describe(facts, name)
    starts_json = text.lstrip(" \t\n\f\ufeff")[:1] in ("{", "[")
    json_notes: tuple[Note, ...] = ()
    if starts_json and not looks_like_iomem(text):
        documents, json_notes = load_documents(text, name)
        if documents and facts.add_listing(documents, name):
            facts.notes.extend(json_notes)
            return describe(facts, name)
        if documents and not json_notes:
            raise InputError("JSON, but no listing of ndctl, daxctl or lsmem", where=name, remedy=WHAT)
    if looks_like_iomem(text) or not looks_like_boot_log(text):
        parsed = parse_iomem(text, name)
        if parsed.hidden:
            raise UnreadableError(HIDDEN, where=name, remedy=HIDDEN_REMEDY)
        if parsed.root is not None:
            facts.notes.extend(parsed.notes)
            facts.iomem = parsed.root
            return describe(facts, name)
        inside = re.search(r"^[ \t]*[\[{]", text, re.MULTILINE) if not starts_json else None
        if inside is not None:
            documents, json_notes = load_documents(text, name, inside.start())
            if documents and facts.add_listing(documents, name):
                line = text.count("\n", 0, inside.end()) + 1
                facts.notes.extend(
                    [Note(name, f"line {line}", "what comes before it is not JSON, left out"), *json_notes]
                )
                return describe(facts, name)
        place, why = (json_notes[0].where, json_notes[0].what) if json_notes else ("", None)
        raise InputError(
            "nothing in it describes a machine's memory",
            where=f"{name}: {place}" if place else name,
            why=why,
            remedy=WHAT,
        )
    facts.log = parse_boot_log(text, name)
    facts.notes.extend(facts.log.notes)
    return describe(facts, name)


def _add_parts(facts: Facts, parts: Pasted, name: str) -> bool:
    """Take in the parts of a text that holds several things; False when none of them is of use after all."""
    known = False
    if parts.iomem is not None:
        parsed = parse_iomem(parts.iomem, name)
        facts.notes.extend(parsed.notes)
        facts.iomem, facts.hidden = parsed.root, parsed.hidden
        known = parsed.root is not None or parsed.hidden
    if parts.lsmem is not None:
        known = facts.add_lsmem_table(parts.lsmem, name) or known
    if parts.documents:
        known = facts.add_listing(list(parts.documents), name) or known
    if parts.log is not None:
        facts.log = parse_boot_log(parts.log, name)
        facts.notes.extend(facts.log.notes)
        known = known or not facts.log.empty
    if facts.hidden:
        facts.notes.append(Note(name, "", f"{HIDDEN}; {HIDDEN_REMEDY}"))
    return known


def _open(path: str) -> Source | bytes:
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            os.listdir(path)
            return DirectorySource("/" if os.path.samefile(path, "/") else path)
        if stat.S_ISFIFO(mode) and os.path.realpath(path).startswith("/proc/"):
            with open(path, "rb") as pipe:  # a shell's <(command)
                return _limited(pipe)
        if not stat.S_ISREG(mode):
            raise InputError(
                "neither a regular file nor a directory", where=path, remedy="pipe it in and give - as the file"
            )
        with open(path, "rb") as file:
            return _limited(file)
    except OSError as error:
        raise UnreadableError(
            (error.strerror or "cannot be read").lower(), where=path, remedy="check the path and its permissions"
        ) from None
    except ValueError as error:
        raise UnreadableError(str(error), where=repr(path)) from None


def _limited(stream: BinaryIO) -> bytes:
    parts = bytearray()
    while len(parts) <= MAX_UNPACKED and (chunk := stream.read(1 << 20)):
        parts += chunk
    data = bytes(parts)
    if len(data) > MAX_UNPACKED:
        raise InputError(
            f"longer than {MAX_UNPACKED} bytes",
            where=str(getattr(stream, "name", "input")),
            remedy="cut it to what matters",
        )
    return data
