"""What ndctl prints with ``-v``, or a debug build: why it passed a region over. The last line, without it, is an errno only."""

from __future__ import annotations

from sparsemem.explain.messages._steps import LIST
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_NDCTL = "ndctl/namespace.c"
_VALIDATE = "validate_namespace_options"

MESSAGES: tuple[Message, ...] = (
    Message(
        id="ndctl-insufficient-capacity",
        title="ndctl: the region has not that much room",
        file=_NDCTL,
        function="namespace_create",
        errno="EAGAIN",
        rule="namespace-space",
        wordings=(
            Wording("%s: insufficient capacity size: %llx avail: %llx", fields=("region", "wanted", "free")),
            Wording("%s: insufficient capacity for mode: %s", fields=("region", "mode")),
        ),
        what=(
            "{region} has less free than was asked for (both numbers are hexadecimal bytes; 0 is all that is free), so ndctl tries the "
            "next "
            'region; when none is left it ends with "Resource temporarily unavailable".'
        ),
        steps=(
            LIST,
            Step("See what namespaces hold the space, also those without a driver.", ("ndctl", "list", "-NRi")),
        ),
        see=("half-made-namespace", "label"),
    ),
    Message(
        id="ndctl-region-disabled",
        title="ndctl: the region is disabled",
        file=_NDCTL,
        function=_VALIDATE,
        errno="EAGAIN",
        wordings=(Wording("%s: disabled, skipping...", fields=("region",)),),
        what="{region} has no driver: its labels contradict each other, a DIMM is missing or disabled, or somebody disabled it. The "
        "kernel log of "
        "the boot says which.",
        steps=(
            Step("Try to start it, and read the log.", ("sh", "-c", "ndctl enable-region all; dmesg | tail -n 20")),
            Step("See DIMMs without a driver.", ("ndctl", "list", "-DRi")),
        ),
        see=("label",),
    ),
    Message(
        id="ndctl-align-fallback",
        title="ndctl: another align than the usual one",
        file=_NDCTL,
        function=_VALIDATE,
        rule="supported-alignment",
        wordings=(
            Wording("%s: falling back to a %s alignment", fields=("region", "wanted")),
            Wording("%s not support 'align' for %s mode", fields=("region", "mode")),
        ),
        what="{region} does not offer an align of 2 MiB: an older kernel has no attribute for it, or no large pages.",
        steps=(Step("See which are offered.", ("ndctl", "list", "-NRv")),),
        cases=("C23",),
        see=("alignment",),
    ),
)
