"""Existing memory: whole memory blocks that go online or offline, with chmem.

``intent`` and ``grammar`` are what somebody wants, ``select`` which blocks that is on a machine, ``prove`` plays it, ``balance`` counts.
"""

from __future__ import annotations

from sparsemem.planner.memory.intent import MemoryItem

__all__ = ["MemoryItem"]
