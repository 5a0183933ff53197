"""What ndctl prints. Its checks are its own: the kernel may not have been asked at all."""

from __future__ import annotations

from sparsemem.explain.messages._reasons import REASONS
from sparsemem.explain.messages._steps import DMESG, DOCTOR, IOMEM, LIST, REGION_ALIGN
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_NDCTL = "ndctl/namespace.c"
_LIBNDCTL = "ndctl/lib/libndctl.c"


MESSAGES: tuple[Message, ...] = (
    Message(
        id="ndctl-interleave-width",
        title="ndctl: the size does not divide over the DIMMs",
        file=_NDCTL,
        function="validate_namespace_options",
        errno="EINVAL",
        rule="interleave-size",
        wordings=(
            Wording("'--size=' must align to interleave-width: %d and alignment: %ld", fields=("ways", "align")),
        ),
        what=(
            "ndctl's own check: with {ways} interleaved DIMMs the size must be a multiple of {ways} times the "
            "alignment {align}. The kernel was not asked. From kernel 5.7 the region's align is a second condition."
        ),
        steps=(
            Step(
                "Use the size that ndctl suggests in the next line, or the next multiple.",
                ("ndctl", "create-namespace", "-r", "<region>", "-s", "<size>"),
            ),
            REGION_ALIGN,
        ),
        cases=("C02", "C19"),
        see=("region align", "interleave set"),
    ),
    Message(
        id="ndctl-did-you-intend",
        title="ndctl suggests a size",
        file=_NDCTL,
        function="validate_namespace_options",
        rule="interleave-size",
        wordings=(Wording("did you intend --size=%lld%s?", fields=("meant_count", "meant_unit")),),
        what=(
            "The size above is no multiple of interleave ways times alignment; {meant_count}{meant_unit} is the "
            "nearest one, rounded up."
        ),
        steps=(
            Step(
                "Ask for that size.",
                ("ndctl", "create-namespace", "-r", "<region>", "--size={meant_count}{meant_unit}"),
            ),
        ),
        cases=("C02", "C19"),
        see=("region align",),
    ),
    Message(
        id="ndctl-16m-minimum",
        title="ndctl: too small",
        file=_NDCTL,
        function="validate_namespace_options",
        errno="EINVAL",
        rule="namespace-size",
        wordings=(Wording("'--size=' must be >= 16MiB for '%s' mode", fields=("mode",)),),
        what="ndctl's own check: a namespace in {mode} mode has at least 16 MiB.",
    ),
    Message(
        id="ndctl-misaligned-16m",
        title="ndctl: the namespace would not be 16 MiB aligned",
        file=_NDCTL,
        function="is_namespace_aligned",
        errno="EINVAL",
        rule="region-align",
        wordings=(Wording("%s misaligned to 16M, adjust region alignment and retry", fields=("namespace",)),),
        what="ndctl's own check for namespaces that any kernel and CPU can map.",
        steps=(REGION_ALIGN, LIST),
        cases=("C05",),
        see=("region align",),
    ),
    Message(
        id="ndctl-size-misaligned",
        title="ndctl: the size does not fit the alignment",
        file=_NDCTL,
        function="validate_namespace_options",
        errno="EINVAL",
        rule="region-align",
        wordings=(Wording("%s: align setting is %#lx size %#llx is misaligned", fields=("device", "align", "bytes")),),
        what="ndctl's own check: the size is no multiple of the alignment.",
        steps=(LIST,),
    ),
    Message(
        id="ndctl-legacy-subdivide",
        title="a region without labels is one namespace",
        file=_NDCTL,
        function="validate_namespace_options",
        errno="EINVAL",
        rule="namespace-space",
        wordings=(Wording("Legacy / label-less namespaces do not support sub-dividing a region"),),
        what=(
            "Without labels on the DIMMs (memmap=, e820, blank label areas) a region is exactly one namespace, so "
            "--size can not be used. Older ndctl ignored it silently."
        ),
        steps=(
            Step(
                "If the DIMMs have a label area and the data may go: write labels.",
                ("sh", "-c", "ndctl disable-region all; ndctl init-labels -f all; ndctl enable-region all"),
            ),
            LIST,
        ),
        cases=("C25", "N05"),
        see=("label",),
    ),
    Message(
        id="libndctl-failed-to-enable",
        title="the kernel did not bring a namespace up",
        file=_LIBNDCTL,
        function="ndctl_bind",
        wordings=(
            Wording("ndctl_pfn_enable: %s: failed to enable", fields=("device",)),
            Wording("ndctl_dax_enable: %s: failed to enable", fields=("device",)),
            Wording("ndctl_namespace_enable: %s: failed to enable", fields=("device",)),
        ),
        what=(
            "libndctl bound {device} to its driver and the driver refused. The tool shows only an errno; the kernel "
            "log has the reason. A half-made namespace may remain and block the next one."
        ),
        steps=(
            DMESG,
            LIST,
            Step(
                "Remove a half-made namespace before trying again: it shows up without size or as disabled.",
                ("ndctl", "list", "-Ni"),
            ),
            DOCTOR,
        ),
        cases=("C01", "C02", "C03", "C07", "C08", "C22"),
        see=("devices-share-section", "namespace-misaligned"),
    ),
    Message(
        id="ndctl-create-failed",
        title="ndctl gave up",
        file=_NDCTL,
        function="cmd_create_namespace",
        wordings=(
            Wording("failed to create namespace: %s", fields=("reason",)),
            Wording("failed to reconfigure namespace: %s", fields=("reason",)),
        ),
        what="The last word of ndctl, with an errno that says little.",
        by_errno=REASONS,
        steps=(DMESG, LIST, IOMEM, DOCTOR),
        cases=("C01", "C02", "C03"),
        see=("ENXIO", "devices-share-section"),
    ),
    Message(
        id="ndctl-mode-unsupported",
        title="ndctl: this kernel or region can not do that mode",
        file=_NDCTL,
        function="validate_namespace_options",
        errno="EAGAIN",
        wordings=(
            Wording("operation failed, %s cannot support requested mode", fields=("region",)),
            Wording("Kernel does not support %s mode", fields=("mode",)),
            Wording("Kernel does not support setting an alignment in fsdax mode"),
            Wording("%s mode does not support setting an alignment", fields=("mode",)),
            Wording("%s fsdax mode not available", fields=("region",)),
        ),
        what="ndctl's own check: the driver of that mode is not loaded, or the region offers no pages.",
        steps=(Step("See whether the drivers are there.", ("sh", "-c", "lsmod | grep -E 'nd_|dax'")),),
    ),
    Message(
        id="ndctl-unsupported-align",
        title="ndctl: an alignment this kernel does not offer",
        file=_NDCTL,
        function="validate_namespace_options",
        errno="EINVAL",
        rule="supported-alignment",
        wordings=(Wording("unsupported align: %s", fields=("wanted",)),),
        what="The kernel lists its alignments in sysfs; {wanted} is none of them.",
        steps=(Step("List them.", ("ndctl", "list", "-R", "-C", "-v")),),
        see=("alignment",),
    ),
    Message(
        id="ndctl-active",
        title="ndctl: the namespace is in use",
        file=_NDCTL,
        function="namespace_prep_reconfig",
        errno="EBUSY",
        rule="namespace-busy",
        wordings=(Wording("%s is active, specify --force for re-configuration", fields=("namespace",)),),
        what="The namespace is enabled. With --force its data is lost.",
        steps=(LIST,),
    ),
)
