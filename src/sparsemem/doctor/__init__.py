"""``doctor``: what is the matter with a machine's memory layout, on its own kernel or on another.

``diagnose(description, version)`` and ``diagnose_machine(machine)`` give a ``Diagnosis``; ``render_text`` and ``to_json`` show it;
``compare`` judges one machine for several kernels.
"""

from __future__ import annotations

from sparsemem.doctor.engine import diagnose, diagnose_machine
from sparsemem.doctor.finding import CheckRun, Diagnosis, Finding, Remedy, Summary
from sparsemem.doctor.render import render_text
from sparsemem.doctor.report import to_json
from sparsemem.doctor.versions import COMPARED, compare, comparison_to_json, render_comparison

__all__ = [
    "COMPARED",
    "CheckRun",
    "Diagnosis",
    "Finding",
    "Remedy",
    "Summary",
    "compare",
    "comparison_to_json",
    "diagnose",
    "diagnose_machine",
    "render_comparison",
    "render_text",
    "to_json",
]
