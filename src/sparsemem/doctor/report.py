"""A diagnosis as plain JSON types: the public format of ``doctor --json``.

::

    {"source", "kernel", "arch", "own_kernel", "worst": "error" | "warning" | "notice" | null, "exit_code",
     "findings": [{"id", "severity", "what", "why", "rule", "kernels", "errno", "ranges": [RANGE], "devices": [], "kernel_says": [],
                   "capacity": bytes | null, "lost", "remedies": [{"why", "argv": [], "steps": [[]]}], "source", "check"}],
     "checks": [{"name", "about", "state": "ran" | "nothing" | "skipped", "reason"}],
     "read": [], "missing": [], "notes": [{"source", "where", "what"}],
     "summary": {"ram", "device", "mapped", "hotplugged", "stranded", "block_size", "block_size_why", "section_size", "blocks",
                 "stuck_blocks"},
     "balances": [{"name", "kind": "region" | "dax" | "cxl-window", "range": RANGE | null, "raw", "shares": {KIND: bytes}, "lost",
                   "unit": bytes | null, "struct_page", "page_array_in_ram": {page size: bytes},
                   "namespaces": [{"name", "raw", "shares"}]}]}

The shares of a balance add up to its ``raw``, and those of its namespaces to theirs; KIND is a key of ``balance.KINDS``.

RANGE is ``{"start": "0x...", "end": "0x...", "size": bytes}`` with an inclusive end, as the kernel prints it. Every key is always
there; new ones may come.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sparsemem.doctor.plain import notes_to_json, range_to_json

if TYPE_CHECKING:
    from sparsemem.doctor.balance import Balance
    from sparsemem.doctor.finding import Diagnosis, Finding

__all__ = ["to_json"]


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "what": finding.what,
        "why": finding.why,
        "rule": finding.rule,
        "kernels": finding.kernels,
        "errno": finding.errno,
        "ranges": [range_to_json(r) for r in finding.ranges],
        "devices": list(finding.devices),
        "kernel_says": list(finding.kernel_says),
        "capacity": finding.capacity,
        "lost": finding.lost,
        "remedies": [
            {"why": remedy.why, "argv": list(remedy.argv), "steps": [list(step) for step in remedy.steps]}
            for remedy in finding.remedies
        ],
        "source": finding.source,
        "check": finding.check,
    }


def _balance(balance: Balance) -> dict[str, Any]:
    return {
        "name": balance.name,
        "kind": balance.kind,
        "range": range_to_json(balance.range) if balance.range is not None else None,
        "raw": balance.raw,
        "shares": dict(balance.shares),
        "lost": balance.lost,
        "unit": balance.unit,
        "struct_page": balance.struct_page,
        "page_array_in_ram": {str(page): size for page, size in balance.in_ram},
        "namespaces": [{"name": part.name, "raw": part.raw, "shares": dict(part.shares)} for part in balance.parts],
    }


def to_json(diagnosis: Diagnosis) -> dict[str, Any]:
    """The diagnosis as dicts, lists, strings, numbers, booleans and None; see the module for the format."""
    return {
        "source": diagnosis.source,
        "kernel": diagnosis.kernel,
        "arch": diagnosis.arch,
        "own_kernel": diagnosis.own_kernel,
        "worst": diagnosis.worst,
        "exit_code": diagnosis.exit_code,
        "findings": [_finding(finding) for finding in diagnosis.findings],
        "checks": [asdict(check) for check in diagnosis.checks],
        "read": list(diagnosis.read),
        "missing": list(diagnosis.missing),
        "notes": notes_to_json(diagnosis.notes),
        "summary": asdict(diagnosis.summary),
        "balances": [_balance(balance) for balance in diagnosis.balances],
    }
