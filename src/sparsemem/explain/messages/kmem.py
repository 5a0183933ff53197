"""Messages of drivers/dax/kmem.c: device memory as System RAM."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, DAXLIST, IOMEM
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_KMEM = "drivers/dax/kmem.c"
_BIGGER = Step(
    "Give the device a start and size that are multiples of the memory block size; with the page array in "
    "the device (map=dev) the data starts later than the namespace."
)
_UNBIND = Step(
    "Offline before switching the mode, and the memory comes back without a reboot.",
    ("daxctl", "offline-memory", "<daxX.Y>"),
)

MESSAGES: tuple[Message, ...] = (
    Message(
        id="kmem-invalid-node",
        title="device memory without a target node",
        file=_KMEM,
        function="dev_dax_kmem_probe",
        errno="EINVAL",
        rule="kmem-node",
        wordings=(
            Wording("rejecting DAX region with invalid node: %d", "5.10", fields=("nid",)),
            Wording("rejecting DAX region %pR with invalid node: %d", "5.1", "5.9", fields=("range", "nid")),
        ),
        what=(
            "The firmware tables give no NUMA node for the addresses of this device, so the kernel will not make them "
            "System RAM."
        ),
        steps=(
            DAXLIST,
            Step(
                "Look for a memory affinity entry (SRAT) of the range, or a CXL window (CEDT), in the boot log.",
                ("dmesg",),
            ),
            Step("In QEMU, give the NVDIMM a node: -device nvdimm,...,node=N with -numa node,nodeid=N."),
        ),
        cases=("C47",),
        see=("target node",),
    ),
    Message(
        id="kmem-too-small",
        title="no whole memory block in a device range",
        file=_KMEM,
        function="dev_dax_kmem_probe",
        rule="kmem-alignment",
        wordings=(
            Wording("mapping%d: %#llx-%#llx too small after alignment", "5.10", fields=("mapping", "start", "last")),
        ),
        units=("block",),
        trims=True,
        what=(
            "kmem rounds a range inward to whole memory blocks, start up and end down. Nothing of this range was "
            "left, so it is skipped. The line prints the range as it was before rounding."
        ),
        steps=(BLOCK_SIZE, DAXLIST, _BIGGER),
        cases=("C28",),
        see=("kmem-stranded", "memory block", "block-size-2g"),
    ),
    Message(
        id="kmem-no-memory",
        title="no whole memory block in the device",
        file=_KMEM,
        function="dev_dax_kmem_probe",
        errno="EINVAL",
        rule="kmem-alignment",
        wordings=(
            Wording(
                "rejecting DAX region without any memory after alignment",
                "5.15",
                note="first release not verified; read in 6.1",
            ),
        ),
        what=(
            "After rounding every range of the device inward to whole memory blocks nothing was left. 5.10 then "
            "succeeds with no memory added."
        ),
        steps=(BLOCK_SIZE, DAXLIST, _BIGGER),
        cases=("C28",),
        see=("kmem-stranded", "block-size-2g"),
    ),
    Message(
        id="kmem-truncated",
        title="part of a device is not used as RAM",
        file=_KMEM,
        function="dev_dax_kmem_probe",
        rule="kmem-alignment",
        wordings=(
            Wording(
                "DAX region truncated by %s due to alignment",
                "6.16",
                fields=("amount",),
                note="posted in April 2025, first release not verified; read in 7.2",
            ),
        ),
        what=(
            "{amount} of the device lie outside whole memory blocks and stay unused. Kernels up to 6.12 lose the same "
            "without a word."
        ),
        steps=(BLOCK_SIZE, _BIGGER),
        cases=("C26",),
        see=("kmem-stranded",),
    ),
    Message(
        id="kmem-could-not-reserve",
        title="a device range is taken, so it does not become RAM",
        file=_KMEM,
        function="dev_dax_kmem_probe",
        errno="EBUSY",
        rule="device-resource-busy",
        hint="kmem",
        wordings=(
            Wording("mapping%d: %#llx-%#llx could not reserve region", "5.10", fields=("mapping", "start", "last")),
            Wording("could not reserve region %pR", "5.1", "5.9", fields=("range",)),
        ),
        units=("section",),
        what=(
            "kmem could not reserve the range (printed after rounding to memory blocks): something in /proc/iomem "
            "holds it. After an unbind with memory still online, that is the earlier "
            '"System RAM (kmem)"; on CXL machines it can be the Soft Reserved range that dax_hmem took first.'
        ),
        steps=(IOMEM, DAXLIST),
        cases=("C30",),
        see=("soft reserved",),
    ),
    Message(
        id="kmem-add-failed",
        title="the kernel refused device memory as RAM",
        file=_KMEM,
        function="dev_dax_kmem_probe",
        rule="block-alignment",
        wordings=(Wording("mapping%d: %#llx-%#llx memory add failed", "5.10", fields=("mapping", "start", "last")),),
        units=("block", "section"),
        what=(
            "Adding the range as System RAM failed; a line before this one says why (address limit, alignment, a "
            "platform such as a TDX host that forbids it, no memory for the page array)."
        ),
        steps=(Step("Read the lines before it.", ("dmesg",)), BLOCK_SIZE),
        cases=("C48",),
    ),
    Message(
        id="kmem-cannot-be-hotremoved",
        title="memory of a device stays until the next reboot",
        file=_KMEM,
        function="dev_dax_kmem_remove",
        errno="EBUSY",
        rule="kmem-removal",
        wordings=(
            Wording(
                "mapping%d: %#llx-%#llx cannot be hotremoved until the next reboot",
                "5.10",
                fields=("mapping", "start", "last"),
            ),
            Wording("DAX region %pR cannot be hotremoved until the next reboot", "5.3", "5.9", fields=("range",)),
        ),
        units=("section",),
        what=(
            "The device was unbound while its memory was online. The memory stays in use, its range stays reserved, "
            "and the device can not be used otherwise until the machine boots again."
        ),
        steps=(_UNBIND, IOMEM),
        cases=("C26",),
        see=("kmem-stranded", "offline"),
    ),
    Message(
        id="tdx-unable-to-add",
        title="a TDX host does not take hot-added RAM",
        file="arch/x86 (a posted series)",
        function="the TDX host's memory notifier",
        wordings=(
            Wording(
                "Unable to add memory [%#llx, %#llx) on TDX enabled platform.",
                fields=("start", "end_address"),
                note="from a posted series; later kernels may differ",
            ),
        ),
        what=(
            "On a host with TDX enabled this kernel takes no System RAM after boot. The same memory may still be used "
            "as a dax device. The series that was merged (6.8) adds such memory, and refuses to put it online."
        ),
        cases=("C48",),
        rule="notifier-refused",
        see=("tdx-static-memory",),
    ),
)
