"""A text with several things in it, as bug reports have them: /proc/iomem, JSON of the tools, an lsmem table, ``uname``, a boot log.

Lines keep their numbers: what belongs to one reader is blank for the others.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from sparsemem.readers.bootlog import boot_lines
from sparsemem.readers.iomem import is_iomem_line
from sparsemem.readers.lsmem_text import LSMEM_LINE

__all__ = ["Pasted", "take_apart"]

_JSON = re.compile(r"^[ \t]*[\[{][ \t]*$|^[ \t]*[\[{][ \t]*[\"{\[]", re.MULTILINE)
_UNAME = re.compile(
    r"^\s*Linux \S+ (\d{1,3}\.\d{1,3}\S*) .*\b(x86_64|aarch64|ppc64le|ppc64|s390x|riscv64|loongarch64)\b", re.MULTILINE
)
_RELEASE = re.compile(r"\buname(?: -\w+)+[ \t]*\n[ \t]*(\d{1,3}\.\d{1,3}\S*)((?:[ \t]+\S+)*)[ \t]*$", re.MULTILINE)
_PAGE = re.compile(r"\bgetconf PAGE_?SIZE[ \t]*\n[ \t]*(4096|16384|65536)[ \t]*$", re.MULTILINE)
_PAGES_OF_BUILD = re.compile(r"\+(16|64)k\b")
"""Fedora and RHEL name their arm64 kernels with large pages so."""
_SUFFIX = re.compile(r"[-._ ](x86_64|amd64|aarch64|arm64|ppc64le|s390x|riscv64)\b")

_MAX_FAILED = 64
"""Lines that look like the start of JSON and are not, before the rest is no longer tried."""


@dataclass(frozen=True, slots=True)
class Pasted:
    """The parts of a text; None where it has no such part."""

    iomem: str | None
    documents: tuple[Any, ...]
    lsmem: str | None
    log: str | None
    release: str | None
    machine: str | None
    page_size: int | None

    @property
    def kinds(self) -> int:
        """How many kinds of listing it holds."""
        return sum(part is not None for part in (self.iomem, self.lsmem, self.log)) + bool(self.documents)


def _documents(text: str) -> tuple[list[Any], str]:
    """Whole JSON values that begin on a line of their own, and the text with blanks in their place."""
    decoder, found, at, failed = json.JSONDecoder(), [], 0, 0
    while failed < _MAX_FAILED and (match := _JSON.search(text, at)) is not None:
        try:
            value, end = decoder.raw_decode(text, match.end() - len(match[0].lstrip(" \t")))
        except (ValueError, RecursionError):
            at, failed = match.end(), failed + 1
            continue
        if isinstance(value, (dict, list)):
            found.append(value)
        text = text[: match.start()] + re.sub(r"[^\n]", " ", text[match.start() : end]) + text[end:]
        at = end
    return found, text


def take_apart(text: str) -> Pasted:
    """What is in it. Never raises."""
    documents, rest = _documents(text)
    uname, release, page = _UNAME.search(rest), _RELEASE.search(rest), _PAGE.search(rest)
    iomem: list[str] = []
    lsmem: list[str] = []
    others: list[str] = []
    for line in rest.split("\n"):
        mine = is_iomem_line(line)
        table = not mine and LSMEM_LINE.match(line) is not None
        iomem.append(line if mine else "")
        lsmem.append(line if table else "")
        others.append("" if mine or table else line)
    log = "\n".join(others)
    kernel = (uname[1] if uname else None) or (release[1] if release else None)
    suffix = _SUFFIX.search(kernel + (release[2] if release else "")) if kernel else None
    build = _PAGES_OF_BUILD.search(kernel) if kernel else None
    return Pasted(
        iomem="\n".join(iomem) if any(iomem) else None,
        documents=tuple(documents),
        lsmem="\n".join(lsmem) if any(lsmem) else None,
        log=log if boot_lines(log) else None,
        release=kernel,
        machine=(uname[2] if uname else None) or (suffix[1] if suffix else None),
        page_size=int(page[1]) if page else int(build[1]) << 10 if build else None,
    )
