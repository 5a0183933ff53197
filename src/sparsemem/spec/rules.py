"""The rules by which a kernel refuses, drops or keeps memory: one shared vocabulary.

``Refusal.rule``, the doctor's findings, and ``sparsemem explain`` all name a rule by the ids here. A rule says what
must hold, in our words; the errno and the log line belong to the message records of ``sparsemem.explain``.

``since`` and ``until`` are release series, both inclusive; None means "as far back (or on) as this project knows".
"""

from __future__ import annotations

from sparsemem.spec import (
    _rules_cxl,
    _rules_dax,
    _rules_device,
    _rules_fs,
    _rules_label,
    _rules_nvdimm,
    _rules_ram,
    _rules_sparse,
)
from sparsemem.spec._rule import Rule

__all__ = ["RULES", "Rule", "rule"]

RULES: dict[str, Rule] = {
    r.id: r
    for r in (
        *_rules_sparse.RULES,
        *_rules_ram.RULES,
        *_rules_device.RULES,
        *_rules_cxl.RULES,
        *_rules_dax.RULES,
        *_rules_label.RULES,
        *_rules_nvdimm.RULES,
        *_rules_fs.RULES,
    )
}
"""Every rule by its id."""


def rule(rule_id: str) -> Rule:
    """The rule of that id; KeyError when there is none (a programming error: ids are ours)."""
    return RULES[rule_id]
