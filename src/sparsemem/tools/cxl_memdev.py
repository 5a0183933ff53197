"""``cxl enable-memdev`` and ``disable-memdev`` (cxl/memdev.c)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sparsemem.errors import NotModelledError
from sparsemem.tools.cxl_filter import Filter
from sparsemem.tools.options import Option, parse_options, usage_with_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparsemem.tools.libcxl import Context, Memdev

__all__ = ["cmd_memdev"]

EBUSY = 16
_BASE = (
    Option("v", "verbose", "bool", "verbose", "", "turn on debug"),
    Option("S", "serial", "bool", "serial", "", "use serial numbers to id memdevs"),
)
_DISABLE = (*_BASE, Option("f", "force", "bool", "force", "", "DANGEROUS: override active memdev safety checks"))
_NAME = re.compile(r"(mem)?\s*[+-]?\d")
_SERIAL = re.compile(r"(\s*[+-]?(0[xX][0-9a-fA-F]+|\d+))?\Z")


def _log(context: Context, function: str, text: str) -> None:
    context.console.err(f"cxl memdev: {function}: {text}\n")


def _act(context: Context, action: str, memdev: Memdev, force: bool) -> int:
    if action == "enable":
        return memdev.enable_device("cxl_memdev_enable")
    if not memdev.is_enabled:
        return 0
    if not force:  # it takes every device for one in a region
        _log(context, "action_disable", f"{memdev.devname} is part of an active region")
        return -EBUSY
    return memdev.disable_device("cxl_memdev_disable_invalidate")


def _run(context: Context, action: str, words: list[str], serial: bool, force: bool) -> int:
    """``memdev_action``: how many went well, or the first errno."""
    count = failed = 0
    for word in words:
        named = Filter(serial=word) if serial else Filter(memdev=word)
        found = [memdev for memdev in context.memdevs if named.memdev_passes(memdev)]
        for memdev in found:
            rc = _act(context, action, memdev, force)
            count += rc == 0
            failed = failed or rc
        if not found:
            _log(context, "memdev_action", f"no memdev matches {word}")
    return count or failed


def cmd_memdev(context: Context, argv: Sequence[str], action: str) -> int:
    """``cxl ACTION-memdev ARGV``: the exit code."""
    options = _DISABLE if action == "disable" else _BASE
    usage = f"cxl {action}-memdev <mem0> [<mem1>..<memN>] [<options>]"
    values, words = parse_options(argv, options, usage, context.console)
    if not words:
        raise usage_with_options(context.console, usage, options)
    serial, bad = bool(values.get("serial")), 0
    for word in words:
        if not serial and word == "all":
            words = words[:1]  # the first one only, whichever was "all"
            break
        if (_SERIAL if serial else _NAME).match(word):
            continue
        _log(context, "memdev_action", f"'{word}' is not a valid memdev {'serial number' if serial else 'name'}")
        bad += 1
    if bad == len(words):
        raise usage_with_options(context.console, usage, options)
    if values.get("verbose"):
        raise NotModelledError(f"cxl {action}-memdev --verbose is not modelled")
    done = _run(context, action, words, serial, bool(values.get("force")))
    _log(context, f"cmd_{action}_memdev", f"{action}d {max(done, 0)} mem{'s' if done > 1 else ''}")
    return int(done < 0)
