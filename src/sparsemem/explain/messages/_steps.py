"""Steps that several messages share."""

from __future__ import annotations

from sparsemem.explain.records import Step

__all__ = ["BLOCK_SIZE", "DAXLIST", "DMESG", "DOCTOR", "IOMEM", "LIST", "REGION_ALIGN", "SUBSECTION_KERNEL"]

IOMEM = Step(
    "See what owns the range, as root (without root every address reads zero).", ("sudo", "cat", "/proc/iomem")
)
LIST = Step("See the regions and namespaces with their sizes and alignment.", ("ndctl", "list", "-NRi", "-v"))
DAXLIST = Step("See the dax devices, their sizes, alignments and target nodes.", ("daxctl", "list", "-RDu"))
DMESG = Step("The reason stands in the kernel log; read its last lines.", ("dmesg",))
BLOCK_SIZE = Step(
    "Read the memory block size of this machine (hexadecimal, without 0x).",
    ("cat", "/sys/devices/system/memory/block_size_bytes"),
)
REGION_ALIGN = Step(
    "Read the alignment that the region asks of new namespaces (kernel 5.7 and later).",
    ("sh", "-c", "grep . /sys/bus/nd/devices/region*/align"),
)
DOCTOR = Step("Let the doctor look at the whole machine.", ("sparsemem", "doctor"))
SUBSECTION_KERNEL = Step(
    "Boot kernel 5.3 or later: there the unit is a sub-section of 2 MiB. Ask first what it would do with this layout.",
    ("sparsemem", "doctor", "--kernel", "6.1"),
    until="5.2",
)
