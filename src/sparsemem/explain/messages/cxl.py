"""Messages of drivers/cxl about memory devices and regions."""

from __future__ import annotations

from sparsemem.explain.messages._steps import DMESG
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_REGION, _HDM, _PCI, _PMEM = (
    "drivers/cxl/core/region.c",
    "drivers/cxl/core/hdm.c",
    "drivers/cxl/pci.c",
    "drivers/cxl/pmem.c",
)
_LIST = Step("See the devices, decoders and regions.", ("cxl", "list", "-vv", "-i"))

MESSAGES: tuple[Message, ...] = (
    Message(
        id="cxl-cpu-caches",
        title="a CXL region that a guest cannot commit",
        file=_REGION,
        function="cxl_region_invalidate_memregion",
        errno="ENXIO",
        rule="cxl-cache-flush",
        wordings=(Wording("Failed to synchronize CPU cache state", "6.2"),),
        what=(
            "Before a region is committed or reset the kernel writes the CPU's caches back for its addresses, and it does not do "
            "that where the CPU says that it is a hypervisor's guest: the commit ends with ENXIO, and cxl create-region says so."
        ),
        steps=(
            Step(
                "In QEMU: hide the hypervisor from the guest (a scenario of this project: hypervisor = false).",
                ("qemu-system-x86_64", "-cpu", "max,-hypervisor"),
            ),
            _LIST,
        ),
    ),
    Message(
        id="cxl-event-interrupt",
        title="a CXL device without an interrupt for its event logs",
        file=_PCI,
        function="cxl_event_irqsetup",
        wordings=(
            Wording("Failed to get interrupt for event %s log", "6.3", fields=("log",)),
        ),
        what=(
            "The kernel handles the memory errors of CXL devices and asks this one for the interrupts of its event logs. It has "
            "none, and so cxl_pci does not take it: there is no memX. QEMU 7.2's cxl-type3 is such a device."
        ),
        steps=(
            Step("Use a device (a QEMU) with event logs, or boot the guest with pci=nomsi."),
            DMESG,
        ),
    ),
    Message(
        id="cxl-target-refused",
        title="a CXL region does not take a device's decoder",
        file=_REGION,
        function="attach_target",
        rule="cxl-decoder-busy",
        wordings=(Wording("failed to attach %s to %s: %d", "6.15", fields=("decoder", "region", "code")),),
        what=(
            "The decoder could not become a target of the region. -16 (EBUSY): a port between them has no decoder that is free, "
            "as each is for one region. -22 (EINVAL) and -6 (ENXIO): sizes do not match, or a step before is missing."
        ),
        steps=(
            _LIST,
            Step(
                "Destroy the region that has the decoder, or interleave over both devices in one region.",
                ("cxl", "destroy-region", "-f", "<region>"),
            ),
        ),
    ),
    Message(
        id="cxl-committed-without-size",
        title="a CXL decoder that says committed and has no size",
        file=_HDM,
        function="init_hdm_decoder",
        errno="ENXIO",
        rule="cxl-decoder-stuck",
        wordings=(Wording("%s: Committed with zero size", "6.0", fields=("decoder",)),),
        what=(
            "A memory device was enabled again, and its decoder's registers still say that it is committed, without addresses. "
            "The endpoint port is not made, and the device stays disabled. QEMU 7.2's devices do that after a region was on them."
        ),
        steps=(Step("Start the guest again; do not disable a device of QEMU 7.2 that had a region."),),
    ),
    Message(
        id="cxl-no-serial",
        title="a CXL device without a serial number",
        file=_PMEM,
        function="cxl_pmem_region_probe",
        errno="ENXIO",
        rule="cxl-serial",
        wordings=(Wording("%s: invalid or missing serial number", "6.15", fields=("memdev",)),),
        what=(
            "The region is there, and no region of libnvdimm is made of it, so ndctl does not see it: the interleave set is known "
            "by the serial numbers of its devices, and this one has none."
        ),
        steps=(Step("In QEMU: give the device a serial number.", ("qemu-system-x86_64", "-device", "cxl-type3,sn=1,<...>")), _LIST),
    ),
    Message(
        id="cxl-endpoint-failed",
        title="a CXL device's endpoint port does not come up",
        file=_HDM,
        function="devm_cxl_enumerate_decoders",
        errno="ENXIO",
        rule="cxl-decoder-stuck",
        wordings=(
            Wording("Failed to initialize decoder%d.%d", "6.0", fields=("port", "number")),
            Wording("Couldn't enumerate decoders (%d)", "5.18", fields=("code",)),
            Wording("endpoint%d failed probe", "5.18", fields=("port",)),
        ),
        what=(
            "One of the device's decoders could not be taken over as its registers have it (the line before says why), and so the port, "
            "and with it the memory device, stays disabled: cxl list shows it with -i only. Nothing of its memory can be reached."
        ),
        steps=(_LIST, DMESG),
        see=("cxl-committed-without-size",),
    ),
    Message(
        id="cxl-gpf",
        title="a CXL device that can not count its dirty shutdowns",
        file=_PMEM,
        function="cxl_nvdimm_arm_dirty_shutdown_tracking",
        wordings=(
            Wording("GPF: could not set dirty shutdown state", "6.15"),
            Wording("GPF: could not retrieve dirty count", "6.15"),
        ),
        hint="cxl_nvdimm",
        what=(
            "The device does not know the command with which the kernel arms its dirty shutdown state, as QEMU's does not. It works; after "
            "a loss of power nothing tells whether its last writes came through."
        ),
    ),
)  # fmt: skip
