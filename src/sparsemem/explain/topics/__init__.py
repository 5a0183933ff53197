"""Every topic and finding, by id, and the words that lead to them."""

from __future__ import annotations

from sparsemem.explain.topics import devices, findings, ram, sections

__all__ = ["TOPICS"]

TOPICS = {t.id: t for t in (*sections.TOPICS, *ram.TOPICS, *devices.TOPICS, *findings.TOPICS)}
"""Every topic by its id."""
