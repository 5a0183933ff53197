"""What ndctl, daxctl, cxl and the shell print. Their checks are their own: the kernel may not have been asked at all."""

from __future__ import annotations

from sparsemem.explain.messages._steps import BLOCK_SIZE, DMESG, DOCTOR, IOMEM, LIST, REGION_ALIGN
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_NDCTL, _LIBNDCTL, _DAXCTL, _LIBDAXCTL = "ndctl/namespace.c", "ndctl/lib/libndctl.c", "daxctl/device.c", "daxctl/lib/libdaxctl.c"
_REASONS = (
    (-6, "ENXIO: the kernel did not bring the namespace up; the true reason (a conflict in one section, System RAM in "
    "the range, no room after the metadata) is in the kernel log."),
    (-22, "EINVAL: a size, start or alignment was refused."),
    (-16, "EBUSY: in use, or the address range has an owner."),
    (-95, "EOPNOTSUPP: the namespace is not aligned to what this kernel maps, or its info block belongs to another "
    "page size."),
    (-28, "ENOSPC: no piece of free space is that large."),
    (-12, "ENOMEM: no memory for the page array, or a conflicting device map."),
    (-19, "ENODEV: no driver took the device; for system-ram often: no target node."),
    (-34, "ERANGE: no room in the CXL window, or an address above the limit."),
    (-17, "EEXIST: part of the range is active already."),
    (-13, "EACCES: not permitted, or the DIMM is locked."),
    (-1, "EPERM: needs root, or is forbidden (arm64 boot memory)."),
)
_DAXLIST = Step("See the dax devices, their sizes, alignments and target nodes.", ("daxctl", "list", "-RDu"))

MESSAGES: tuple[Message, ...] = (
    Message(
        id="ndctl-interleave-width", title="ndctl: the size does not divide over the DIMMs", file=_NDCTL,
        function="validate_namespace_options", errno="EINVAL", rule="interleave-size",
        wordings=(Wording("'--size=' must align to interleave-width: %d and alignment: %ld", fields=("ways",
        "align")),),
        what="ndctl's own check: with {ways} interleaved DIMMs the size must be a multiple of {ways} times the "
        "alignment {align}. The kernel was not asked. From kernel 5.7 the region's align is a second condition.",
        steps=(Step("Use the size that ndctl suggests in the next line, or the next multiple.", ("ndctl",
        "create-namespace", "-r", "<region>", "-s", "<size>")), REGION_ALIGN), cases=("C02", "C19"),
        see=("region align", "interleave set"),
    ),
    Message(
        id="ndctl-did-you-intend", title="ndctl suggests a size", file=_NDCTL, function="validate_namespace_options",
        rule="interleave-size",
        wordings=(Wording("did you intend --size=%lld%s?", fields=("meant_count", "meant_unit")),),
        what="The size above is no multiple of interleave ways times alignment; {meant_count}{meant_unit} is the "
        "nearest one, rounded up.",
        steps=(Step("Ask for that size.", ("ndctl", "create-namespace", "-r", "<region>",
        "--size={meant_count}{meant_unit}")),), cases=("C02", "C19"), see=("region align",),
    ),
    Message(
        id="ndctl-16m-minimum", title="ndctl: too small", file=_NDCTL, function="validate_namespace_options",
        errno="EINVAL", rule="namespace-size",
        wordings=(Wording("'--size=' must be >= 16MiB for '%s' mode", fields=("mode",)),),
        what="ndctl's own check: a namespace in {mode} mode has at least 16 MiB.",
    ),
    Message(
        id="ndctl-misaligned-16m", title="ndctl: the namespace would not be 16 MiB aligned", file=_NDCTL,
        function="is_namespace_aligned", errno="EINVAL", rule="region-align",
        wordings=(Wording("%s misaligned to 16M, adjust region alignment and retry", fields=("namespace",)),),
        what="ndctl's own check for namespaces that any kernel and CPU can map.",
        steps=(REGION_ALIGN, LIST), cases=("C05",), see=("region align",),
    ),
    Message(
        id="ndctl-size-misaligned", title="ndctl: the size does not fit the alignment", file=_NDCTL,
        function="validate_namespace_options", errno="EINVAL", rule="region-align",
        wordings=(Wording("%s: align setting is %#lx size %#llx is misaligned", fields=("device", "align", "bytes")),),
        what="ndctl's own check: the size is no multiple of the alignment.", steps=(LIST,),
    ),
    Message(
        id="ndctl-legacy-subdivide", title="a region without labels is one namespace", file=_NDCTL,
        function="validate_namespace_options", errno="EINVAL", rule="namespace-space",
        wordings=(Wording("Legacy / label-less namespaces do not support sub-dividing a region"),),
        what="Without labels on the DIMMs (memmap=, e820, blank label areas) a region is exactly one namespace, so "
        "--size can not be used. Older ndctl ignored it silently.",
        steps=(Step("If the DIMMs have a label area and the data may go: write labels.", ("sh", "-c",
        "ndctl disable-region all; ndctl init-labels -f all; ndctl enable-region all")), LIST), cases=("C25",),
        see=("label",),
    ),
    Message(
        id="libndctl-failed-to-enable", title="the kernel did not bring a namespace up", file=_LIBNDCTL,
        function="ndctl_bind",
        wordings=(Wording("ndctl_pfn_enable: %s: failed to enable", fields=("device",)), Wording("ndctl_dax_enable: "
        "%s: failed to enable", fields=("device",)), Wording("ndctl_namespace_enable: %s: failed to enable",
        fields=("device",))),
        what="libndctl bound {device} to its driver and the driver refused. The tool shows only an errno; the kernel "
        "log has the reason. A half-made namespace may remain and block the next one.",
        steps=(DMESG, LIST, Step("Remove a half-made namespace before trying again: it shows up without size or as "
        "disabled.", ("ndctl", "list", "-Ni")), DOCTOR),
        cases=("C01", "C02", "C03", "C07", "C08", "C22"), see=("devices-share-section", "namespace-misaligned"),
    ),
    Message(
        id="libdaxctl-failed-to-enable", title="the kernel did not take a dax device", file=_LIBDAXCTL,
        function="daxctl_dev_enable",
        wordings=(Wording("daxctl_dev_enable: %s: failed to enable", fields=("device",)),),
        what="The driver (kmem for system-ram, device_dax for devdax) refused {device}. For system-ram the usual "
        "reasons: no whole memory block in it, no target node, range taken.",
        steps=(DMESG, BLOCK_SIZE, _DAXLIST), cases=("C28", "C47"), see=("kmem-stranded", "target node"),
    ),
    Message(
        id="tool-failed-to-enable", title="a device was not brought up", file="ndctl, daxctl, cxl", function="enable",
        wordings=(Wording("%s: failed to enable", fields=("device",)),),
        what="The driver refused the device; the kernel log has the reason.", steps=(DMESG, LIST, _DAXLIST),
        cases=("C02", "C23", "C47"), see=("namespace-misaligned", "kmem-stranded"),
    ),
    Message(
        id="tool-attribute-failed", title="the kernel refused a setting", file=_NDCTL, function="write to sysfs",
        wordings=(Wording("%s: set_align failed: %s", fields=("device", "reason")), Wording("%s: set_size failed: %s",
        fields=("device", "reason")), Wording("%s: set_uuid failed: %s", fields=("device", "reason")),
        Wording("set_align failed", fields=()), Wording("set_size failed: %s", fields=("reason",))),
        rule="supported-alignment",
        what="The tool wrote a size, alignment or uuid to sysfs and the kernel refused it: an alignment this kernel "
        "does not offer (4.x often only one), a size that is no multiple of the region's align, no room, or a device "
        "in use.",
        by_errno=_REASONS, steps=(DMESG, LIST, REGION_ALIGN), cases=("C19", "C23", "C30"), see=("alignment",
        "region align"),
    ),
    Message(
        id="ndctl-create-failed", title="ndctl gave up", file=_NDCTL, function="cmd_create_namespace",
        wordings=(Wording("failed to create namespace: %s", fields=("reason",)),
        Wording("failed to reconfigure namespace: %s", fields=("reason",))),
        what="The last word of ndctl, with an errno that says little.", by_errno=_REASONS, steps=(DMESG, LIST, IOMEM,
        DOCTOR), cases=("C01", "C02", "C03"), see=("ENXIO", "devices-share-section"),
    ),
    Message(
        id="ndctl-mode-unsupported", title="ndctl: this kernel or region can not do that mode", file=_NDCTL,
        function="validate_namespace_options", errno="EAGAIN",
        wordings=(Wording("operation failed, %s cannot support requested mode", fields=("region",)),
        Wording("Kernel does not support %s mode", fields=("mode",)), Wording("Kernel does not support setting an "
        "alignment in fsdax mode"), Wording("%s mode does not support setting an alignment", fields=("mode",)),
        Wording("%s fsdax mode not available", fields=("region",))),
        what="ndctl's own check: the driver of that mode is not loaded, or the region offers no pages.",
        steps=(Step("See whether the drivers are there.", ("sh", "-c", "lsmod | grep -E 'nd_|dax'")),),
    ),
    Message(
        id="ndctl-unsupported-align", title="ndctl: an alignment this kernel does not offer", file=_NDCTL,
        function="validate_namespace_options", errno="EINVAL", rule="supported-alignment",
        wordings=(Wording("unsupported align: %s", fields=("wanted",)),), what="The kernel lists its alignments in "
        "sysfs; {wanted} is none of them.", steps=(Step("List them.", ("ndctl", "list", "-R", "-C", "-v")),),
        see=("alignment",),
    ),
    Message(
        id="ndctl-active", title="ndctl: the namespace is in use", file=_NDCTL, function="namespace_prep_reconfig",
        errno="EBUSY", rule="namespace-busy",
        wordings=(Wording("%s is active, specify --force for re-configuration", fields=("namespace",)),),
        what="The namespace is enabled. With --force its data is lost.", steps=(LIST,),
    ),
    Message(
        id="daxctl-auto-online", title="daxctl: the kernel would online the memory by itself", file=_DAXCTL,
        function="reconfig_mode_system_ram", errno="EBUSY",
        wordings=(Wording("%s: error: kernel policy will auto-online memory, aborting", fields=("device",)),),
        what="daxctl was told not to online (or to choose a zone), but the kernel onlines every new block at once.",
        steps=(Step("See the policy.", ("cat", "/sys/devices/system/memory/auto_online_blocks")),
        Step("Change it, or give daxctl -f.", ("sh", "-c",
        "echo offline | sudo tee /sys/devices/system/memory/auto_online_blocks"))), see=("auto online",),
    ),
    Message(
        id="daxctl-race", title="something else onlines memory at the same time", file=_LIBDAXCTL,
        function="daxctl_memory_online_with_zone",
        wordings=(Wording("WARNING: detected a race while onlining memory"),), what="A udev rule or the kernel onlined "
        "blocks before daxctl did, maybe in another zone; such memory may not come back.",
        steps=(Step("See the zones of the new memory.", ("lsmem", "-o", "+ZONES")), Step("See the policy.", ("cat",
        "/sys/devices/system/memory/auto_online_blocks"))), see=("auto online", "offline"),
    ),
    Message(
        id="daxctl-reconfigure-failed", title="daxctl gave up", file=_DAXCTL, function="cmd_reconfig_device",
        wordings=(Wording("error reconfiguring devices: %s", fields=("reason",)), Wording("error enabling device: %s",
        fields=("reason",))),
        what="The last word of daxctl.", by_errno=_REASONS, steps=(DMESG, BLOCK_SIZE, _DAXLIST), cases=("C28", "C47"),
        see=("kmem-stranded",),
    ),
    Message(
        id="daxctl-offline-failed", title="memory of a device does not go offline", file=_LIBDAXCTL,
        function="memblock_in_dev", rule="unmovable-page",
        wordings=(Wording("%s: failed to offline memory: %s", fields=("device", "reason")),
        Wording("%s: Failed to offline %s: %s", fields=("device", "block_name", "reason")),
        Wording("%s: %s is unremovable", fields=("device", "block_name")), Wording("%s: refusing to change modes",
        fields=("device",))),
        what="Blocks of the device are in use by pages that can not move, usually because they were onlined into "
        "ZONE_NORMAL.", by_errno=_REASONS,
        steps=(Step("See the zones: only Movable comes back reliably.", ("lsmem", "-o", "+ZONES")),
        Step("Next time online into ZONE_MOVABLE.", ("daxctl", "online-memory", "<daxX.Y>"))), see=("offline",
        "kmem-stranded"),
    ),
    Message(
        id="cxl-exceeds-extent", title="cxl: the region is larger than the free room", file="cxl/region.c",
        function="create_region", errno="ENOSPC", rule="cxl-window-space",
        wordings=(Wording("%s: region size %#lx exceeds max available space (%#lx)", fields=("decoder", "bytes",
        "available")),), what="cxl's own check against the window's largest free range.",
        steps=(Step("See what is free.", ("cxl", "list", "-DRu")), IOMEM), see=("cxl window",),
    ),
    Message(
        id="shell-write-error", title="the kernel refused what was written to sysfs", file="shell", function="write",
        wordings=(Wording("write error: %s", fields=("reason",)),),
        what="A value written to a file under /sys was refused. For a memory block's state file:",
        by_errno=(
            (-22, "EINVAL: the word is wrong, the block has that state already, or the block can never go offline (it "
            "is partly a hole, or lies in two zones)."),
            (-16, "EBUSY: pages of the block can not move."), (-1, "EPERM: boot memory on arm64, or not root."), (-11,
            "EAGAIN: try again."), (-12, "ENOMEM: no memory for the pages to move to."),
            (-6, "ENXIO: the driver refused the device."), (-28, "ENOSPC: no room in the region."),
            (-95, "EOPNOTSUPP: not aligned, or not supported here."), (-34, "ERANGE: no room in the CXL window."),
        ),
        steps=(DMESG, Step("See the state and the zones.", ("lsmem", "-o", "+ZONES"))), see=("offline", "memory block"),
    ),
)  # fmt: skip
