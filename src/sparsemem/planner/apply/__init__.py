"""Carrying a plan out: one command at a time, each looked at, with a journal to go on from or to go back by (docs/planner.md)."""

from __future__ import annotations

from sparsemem.planner.apply.arrive import arrive
from sparsemem.planner.apply.engine import Applier
from sparsemem.planner.apply.errors import ApplyError
from sparsemem.planner.apply.journal import Journal, Step
from sparsemem.planner.apply.outcome import Outcome
from sparsemem.planner.apply.prepare import adopt, head_of, steps_of
from sparsemem.planner.apply.runners import HostRunner, ModelRunner, Runner
from sparsemem.planner.apply.standing import Standing, standing

__all__ = [
    "Applier", "ApplyError", "HostRunner", "Journal", "ModelRunner", "Outcome", "Runner", "Standing", "Step", "adopt", "arrive",
    "head_of", "standing", "steps_of",
]  # fmt: skip
