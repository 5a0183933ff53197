"""The namespace commands of ndctl: which namespaces they are about, what is counted, and the last line (ndctl/namespace.c)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.tools.libndctl_base import ENXIO
from sparsemem.tools.libndctl_devices import NULL_UUID
from sparsemem.tools.ndctl_filter import bus_filter, named_namespaces, region_filter
from sparsemem.tools.ndctl_params import ACTIONS, Run, parse_namespace_options, set_defaults
from sparsemem.tools.ndctl_setup import namespace_create, namespace_destroy, namespace_reconfig
from sparsemem.tools.ndctl_validate import EAGAIN, ENODEV
from sparsemem.tools.result import strerror

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sparsemem.tools.libndctl import Bus, Context, Region
    from sparsemem.tools.libndctl_namespace import Namespace

__all__ = [
    "cmd_check_namespace",
    "cmd_clear_errors",
    "cmd_create_namespace",
    "cmd_destroy_namespace",
    "cmd_disable_namespace",
    "cmd_enable_namespace",
    "do_xaction_namespace",
]

ENOSPC = 28


def _regions(run: Run) -> Iterator[tuple[Bus, Region]]:
    kind = run.text("type")
    for bus in run.context.buses():
        if not bus_filter(bus, run.text("bus")):
            continue
        for region in bus.regions():
            if not region_filter(region, run.text("region")):
                continue
            if kind is None or (kind == "pmem") == region.is_pmem:
                yield bus, region


def _is_seed(ndns: Namespace) -> bool:
    return ndns.size == 0 and ndns.uuid == NULL_UUID


def do_xaction_namespace(run: Run, name: str | None, act: Callable[[Region, Namespace], int]) -> tuple[int, int]:
    """``(rc, processed)``: ``act`` on each namespace meant; 0 is counted, more is success that is not."""
    processed, rc = 0, -ENXIO
    if name is None:
        return rc, 0
    everything = name == "all"
    if everything and run.features.all_skips_seeds:
        rc = 0
    run.context.verbose = run.on("verbose")
    run.cmd_name = ACTIONS[run.action].title
    for _, region in _regions(run):
        for ndns in list(named_namespaces(region, name)):
            if everything and run.features.all_skips_seeds and _is_seed(ndns):
                continue
            rc = act(region, ndns)
            processed += rc == 0
            if not run.features.counts_processed:
                processed += rc > 0
                if rc < 0 and run.action == "check":
                    return rc, 0
            if run.action == "destroy":
                rc = min(rc, 0)
    if not run.features.counts_processed and processed:
        return 0, processed
    return rc, processed


def _create(run: Run) -> tuple[int, int]:
    """Without a name: in the first region where it is possible, or (--continue) in all."""
    processed, rc, saved = 0, -ENXIO, 0
    run.context.verbose = run.on("verbose")
    run.cmd_name = ACTIONS["create"].title
    greedy, force = run.on("greedy"), run.on("force")
    goes_on = force and run.features.option_continue and (greedy or not run.features.one_unless_greedy)
    for _, region in _regions(run):
        rc = namespace_create(run, region)
        if rc == -EAGAIN:
            continue
        if rc == 0:
            processed += 1
            if greedy:
                continue
        if goes_on and (rc or not run.features.one_unless_greedy):
            saved = rc or saved
            continue
        return rc, processed
    if rc == -EAGAIN and run.features.reports_enospc:
        rc = 0 if greedy and processed else -ENOSPC
    return saved or rc, processed


def _reconfig(run: Run, name: str) -> tuple[int, int]:
    """``-e``: the first namespace of that name."""
    rc = 0 if name == "all" and run.features.all_skips_seeds else -ENXIO
    run.context.verbose = run.on("verbose")
    run.cmd_name = ACTIONS["create"].title
    for _, region in _regions(run):
        for ndns in named_namespaces(region, name):
            if name == "all" and run.features.all_skips_seeds and _is_seed(ndns):
                continue
            rc = namespace_reconfig(run, region, ndns)
            return rc, int(rc == 0)
    return rc, 0


def _s(count: int) -> str:
    return "" if count == 1 else "s"


def _finish(run: Run, rc: int, processed: int, doing: str, done: str) -> int:
    if rc < 0 and not run.err_count:
        run.say(f"error {doing} namespaces: {strerror(rc)}")
        if not run.features.counts_processed:
            return rc
    run.say(f"{done} {processed} namespace{_s(processed)}")
    if not run.features.counts_processed and not processed and run.action == "disable":
        return -ENXIO
    return rc


def cmd_enable_namespace(context: Context, argv: Sequence[str]) -> int:
    """``ndctl enable-namespace``."""
    run = Run(context, "enable")
    name = parse_namespace_options(run, argv)
    rc, count = do_xaction_namespace(run, name, lambda _, ndns: min(ndns.enable(), 0))
    return _finish(run, rc, count, "enabling", "enabled")


def cmd_disable_namespace(context: Context, argv: Sequence[str]) -> int:
    """``ndctl disable-namespace``."""
    run = Run(context, "disable")
    name = parse_namespace_options(run, argv)
    rc, count = do_xaction_namespace(run, name, lambda _, ndns: ndns.disable_safe())
    return _finish(run, rc, count, "disabling", "disabled")


def cmd_destroy_namespace(context: Context, argv: Sequence[str]) -> int:
    """``ndctl destroy-namespace``."""
    run = Run(context, "destroy")
    name = parse_namespace_options(run, argv)
    rc, count = do_xaction_namespace(run, name, lambda region, ndns: namespace_destroy(run, region, ndns))
    return _finish(run, rc, count, "destroying", "destroyed")


def cmd_check_namespace(context: Context, argv: Sequence[str]) -> int:
    """``ndctl check-namespace``."""
    from sparsemem.tools.ndctl_check import namespace_check

    run = Run(context, "check")
    name = parse_namespace_options(run, argv)
    rc, count = do_xaction_namespace(run, name, lambda _, ndns: namespace_check(run, ndns))
    return _finish(run, rc, count, "checking", "checked")


def cmd_clear_errors(context: Context, argv: Sequence[str]) -> int:
    """``ndctl clear-errors``."""
    from sparsemem.tools.ndctl_clear import ClearErrors

    run = Run(context, "clear")
    name = parse_namespace_options(run, argv)
    rc, count = do_xaction_namespace(run, name, ClearErrors(run).namespace_clear_bb)
    return _finish(run, rc, count, "clearing", "cleared")


def cmd_create_namespace(context: Context, argv: Sequence[str]) -> int:
    """``ndctl create-namespace``. Without any option it tries pmem first and then, in vain, blk."""
    run = Run(context, "create")
    name = parse_namespace_options(run, argv)
    rc, created = _create(run) if name is None else _reconfig(run, name)
    if rc < 0 and created < 1 and run.do_scan:
        run.given = {"type": "blk"}
        run.mode_default = False
        set_defaults(run)
        rc, created = _create(run)
    if run.on("greedy"):
        run.say(f"created {created} namespace{_s(created)}")
    if (rc < 0 or (name is None and created < 1)) and not run.err_count:
        run.say(f"failed to {'create' if name is None else 'reconfigure'} namespace: {strerror(rc)}")
        if name is None:
            rc = -ENODEV
    return rc
