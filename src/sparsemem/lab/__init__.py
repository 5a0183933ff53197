"""The lab: real Linux kernels in QEMU, asked the same as the model, and every difference shown.

``kernels`` and ``userland`` bring what a guest needs out of Debian's packages, ``initramfs`` packs it, ``qemu`` and ``guest`` run it,
``observe`` reads what it shows, ``sections`` what its memory holds, ``compare`` puts both sides next to each other.
"""

from __future__ import annotations

from sparsemem.lab.errors import GuestLostError, LabError, RefusedByQemuError

__all__ = ["GuestLostError", "LabError", "RefusedByQemuError"]
