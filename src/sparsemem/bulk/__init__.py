"""Bulk answers about the effective sub-section map, and dense exploration.

``effective`` is plain Python; ``numpy_backend`` (extra ``bulk``) and ``numba_backend`` (extra ``numba``) work on its
words in place; ``explore`` runs every order of operations of a small configuration.
"""

from __future__ import annotations

from sparsemem.bulk.effective import EffectiveMap

__all__ = ["EffectiveMap"]
