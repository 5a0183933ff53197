"""Taking ``cxl create-region`` and ``cxl destroy-region`` back, from whatever they left when they were killed.

Both are many writes to sysfs, and ``cxl destroy-region`` refuses a region that was never finished (it looks for the decoders of its
targets). The kernel deletes one in any state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparsemem.planner.apply.journal import Step
    from sparsemem.planner.apply.view import View

__all__ = ["is_cxl", "others_on", "way_back"]

_DELETE = "/sys/bus/cxl/devices/{decoder}/delete_region"


def is_cxl(step: Step) -> bool:
    """Does this command make or destroy a CXL region?"""
    return step.argv[:1] == ("cxl",)


def _region(step: Step) -> str:
    """The region that it is about."""
    return next(name for name in step.changes if name.startswith("cxl:")).removeprefix("cxl:")


def _decoder(step: Step) -> str:
    words = next(argv for argv in (step.argv, *(step.undo or ())) if "-d" in argv)
    return words[words.index("-d") + 1]


def way_back(step: Step, before: View, view: View) -> tuple[tuple[str, ...], ...]:
    """The commands that lead from ``view`` to ``before``; () where nothing need be done. ``step`` has an ``undo``."""
    name = _region(step)
    then, now = before.get(f"cxl:{name}"), view.get(f"cxl:{name}")
    assert step.undo is not None
    if now is None:
        return step.undo if then is not None else ()
    if now.get("decode_state") != "commit":
        delete = ("sh", "-c", f"echo {name} > {_DELETE.format(decoder=_decoder(step))}")
        return (delete, *step.undo) if then is not None else (delete,)
    if then is None:
        there = [argv for argv in step.undo if argv[0] == "cxl" or argv[-1] in view]
        return tuple(there)
    return (("cxl", "enable-region", name),) if name not in view else ()


def others_on(step: Step, after: View, view: View) -> list[str]:
    """Namespaces that are on a region which this command made, and that were not there when it had ended."""
    if step.argv[1:2] != ("create-region",):
        return []
    prefix = f"namespace{_region(step).removeprefix('region')}."
    return [name for name in view if name.startswith(prefix) and name not in after]
