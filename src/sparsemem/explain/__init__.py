"""``explain``: a topic, a line of dmesg, a tool's error, an errno or a finding, in plain words with its rule."""

from __future__ import annotations

from sparsemem.explain.engine import explain
from sparsemem.explain.explanation import Answer, Explanation
from sparsemem.explain.numbers import Number
from sparsemem.explain.records import Step

__all__ = ["Answer", "Explanation", "Number", "Step", "explain"]
