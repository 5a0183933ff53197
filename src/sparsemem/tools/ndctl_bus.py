"""``ndctl start-scrub`` and ``wait-scrub`` (ndctl/bus.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.json_out import display_array
from sparsemem.tools.libndctl_base import ENXIO
from sparsemem.tools.ndctl_filter import bus_filter
from sparsemem.tools.ndctl_json import bus_to_json
from sparsemem.tools.options import Option, parse_options
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sparsemem.tools.libndctl import Bus, Context

__all__ = ["cmd_start_scrub", "cmd_wait_scrub"]

_VERBOSE = Option("v", "verbose", "bool", "verbose", "", "turn on debug")
_POLL = Option("p", "poll", "uint", "poll", "", "poll interval (seconds)")


def _act(
    context: Context, argv: Sequence[str], command: str, options: Sequence[Option], act: Callable[[Bus], int]
) -> int:
    """How many buses it was done for, or the first errno."""
    usage = f"ndctl {command} [<bus-id> <bus-id2> ... <bus-idN>] [<options>]"
    given, words = parse_options(argv, options, usage, context.console)
    context.verbose = bool(given.get("verbose"))
    if not words or "all" in words:
        words = ["all"]
    done, fail = [], 0
    for word in words:
        buses = [bus for bus in context.buses() if bus_filter(bus, word)]
        for bus in buses:
            rc = act(bus)
            if rc == 0:
                done.append(bus_to_json(bus, frozenset({"firmware", "human"})))
            fail = fail or rc
        if not buses and context.verbose:
            context.console.err(f"no bus matches id: {word}\n")
    if done:
        context.console.out(display_array(done, human=False))
        return len(done)
    return fail or -ENXIO


def cmd_start_scrub(context: Context, argv: Sequence[str]) -> int:
    """``ndctl start-scrub``."""
    rc = _act(context, argv, "start-scrub", (_VERBOSE,), lambda bus: bus.start_scrub())
    if rc <= 0:
        context.console.err(f"error starting scrub: {strerror(rc)}\n")
        return rc
    return 0


def cmd_wait_scrub(context: Context, argv: Sequence[str]) -> int:
    """``ndctl wait-scrub``."""
    rc = _act(context, argv, "wait-scrub", (_VERBOSE, _POLL), lambda bus: bus.wait_for_scrub_completion())
    if rc <= 0:
        context.console.err(f"error waiting for scrub completion: {strerror(rc)}\n")
        return rc
    return 0
