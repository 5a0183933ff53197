"""What ``cxl`` prints about regions. It names the step that failed and the errno, and not the rule."""

from __future__ import annotations

from sparsemem.explain.messages._steps import DMESG
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_FILE = "cxl/region.c"
_LIST = Step("See the devices, decoders and regions.", ("cxl", "list", "-vv", "-i"))
_PLAN = Step(
    "Ask for it by what you want: the plan says why not, and what can be had.",
    ("sparsemem", "plan", "region, fsdax rest"),
)
_FREE = Step("Destroy the region that has the decoder.", ("cxl", "destroy-region", "-f", "<region>"))

MESSAGES: tuple[Message, ...] = (
    Message(
        id="cxl-set-target",
        title="cxl: the kernel did not take a device as target of the region",
        file=_FILE, function="create_region", rule="cxl-decoder-busy",
        wordings=(Wording("create_region: %s: failed to set target%d to %s", fields=("region", "position", "memdev")),),
        what=(
            "{memdev} could not be target {position} of {region}. Three reasons are common: a port between them (the host bridge, a "
            "switch) has no decoder left, as each is for one region; the order is not that of the topology (a window that interleaves "
            "over host bridges wants the devices of each bridge in turn); kernels from 6.10 on check that the device can interleave so. "
            "Before 6.15 the kernel logs nothing about it. cxl 76 ends with exit code 0 all the same."
        ),
        steps=(_LIST, _FREE, DMESG, _PLAN), see=("cxl window",),
    ),
    Message(
        id="cxl-set-size",
        title="cxl: the kernel refused the size of a region",
        file=_FILE, function="create_region", rule="cxl-256m",
        wordings=(Wording("create_region: %s: set_size failed: %s", fields=("device", "reason")),),
        what="The region did not get addresses in the root decoder's window.",
        by_errno=(
            (-22, "EINVAL: a size is a multiple of 256 MiB on each device: 256 MiB x ways."),
            (-34, "ERANGE: no free range of that size in the window, or the window lies above what the kernel can map."),
            (-16, "EBUSY: the region has addresses already."),
            (-6, "ENXIO: ways, granularity or uuid are not set yet."),
        ),
        steps=(Step("See the windows and what is free in them.", ("cxl", "list", "-DRu")), _PLAN), see=("cxl window",),
    ),
    Message(
        id="cxl-set-interleave",
        title="cxl: the kernel refused ways or granularity",
        file=_FILE, function="create_region", rule="cxl-region-config",
        wordings=(
            Wording("create_region: %s: set_interleave_granularity failed: %s", fields=("region", "reason")),
            Wording("create_region: %s: set_interleave_ways failed: %s", fields=("region", "reason")),
        ),
        what=(
            "Granularities are powers of two from 256 to 16384 bytes. Ways are 1, 2, 4, 8 and 16; 3, 6 and 12 need a window that "
            "interleaves over host bridges. Where the window has more than one way, the granularity is the window's."
        ),
        steps=(Step("See ways and granularity of the root decoders.", ("cxl", "list", "-D", "-d", "root")), _PLAN),
    ),
    Message(
        id="cxl-set-dpa",
        title="cxl: the kernel did not give the device's capacity to its decoder",
        file=_FILE, function="create_region", rule="cxl-capacity",
        wordings=(
            Wording("create_region: %s: set_dpa_size failed: %s", fields=("decoder", "reason")),
            Wording("create_region: %s: set_mode failed: %s", fields=("decoder", "reason")),
        ),
        what="Each device gives the same part: the size of the region by its ways.",
        by_errno=(
            (-28, "ENOSPC: the device has less than that, or the rest is in other regions."),
            (-22, "EINVAL: no whole 256 MiB, or the device has no capacity of that kind (pmem or ram)."),
            (-16, "EBUSY: the decoder is in a region."),
        ),
        steps=(Step("See what each device has.", ("cxl", "list", "-M", "-u")), _PLAN),
    ),
    Message(
        id="cxl-ways",
        title="cxl: as many devices as ways",
        file=_FILE, function="validate_ways", rule="cxl-region-config",
        wordings=(
            Wording("validate_ways: Interleave ways %d is %s than number of memdevs %s: %d", fields=("ways", "than", "how", "memdevs")),
        ),
        what="-w says how many devices are interleaved: exactly those behind -m, or at most those below the root decoder.",
        steps=(_LIST,),
    ),
    Message(
        id="cxl-root-granularity",
        title="cxl: a window over several host bridges has one granularity",
        file=_FILE, function="cxl_region_determine_granularity", rule="cxl-region-config",
        wordings=(
            Wording("%s: For an x%d root, only root decoder granularity (%d) permitted", fields=("region", "ways", "granularity")),
            Wording("%s: For and x%d root, only root decoder granularity (%d) permitted", fields=("region", "ways", "granularity")),
        ),
        what=(
            "The window (CFMWS) sends {granularity} bytes to one host bridge, then the next. The tool lets a region below it have no other "
            "granularity: a smaller one would put consecutive pieces of one bridge on one device. Leave -g out."
        ),
        steps=(Step("See ways and granularity of the root decoders.", ("cxl", "list", "-D", "-d", "root")),),
        sources=("https://github.com/pmem/ndctl/issues/275",),
    ),
    Message(
        id="cxl-no-memdevs",
        title="cxl: none of the devices is below this root decoder",
        file=_FILE, function="collect_memdevs",
        wordings=(Wording("no active memdevs found: decoder: %s filter: %s", fields=("decoder", "filter")),),
        what="No memory device of that name has a driver and an endpoint below {decoder}.",
        steps=(_LIST, Step("Give it its driver.", ("cxl", "enable-memdev", "<memdev>")), DMESG),
    ),
    Message(
        id="cxl-no-free-decoder",
        title="cxl: the device has no decoder that is free",
        file=_FILE, function="cxl_memdev_find_decoder", rule="cxl-decoder-busy",
        wordings=(
            Wording("could not get a free decoder for %s", fields=("memdev",)),
            Wording("could not get an endpoint for %s", fields=("memdev",)),
        ),
        what="Each region on a device takes one of its decoders, and {memdev} has none left, or no driver and so no endpoint.",
        steps=(_LIST, _FREE),
    ),
    Message(
        id="cxl-commit-failed",
        title="cxl: the region was set up and not committed",
        file=_FILE, function="create_region", rule="cxl-cache-flush",
        wordings=(Wording("create_region: %s: failed to commit decode: %s", fields=("region", "reason")),),
        what=(
            "The decoders were not switched on. In a guest the usual reason, ENXIO: a CPU that tells of a hypervisor does not let the "
            "kernel write its caches back for a range."
        ),
        steps=(Step("In QEMU: hide the hypervisor from the guest.", ("qemu-system-x86_64", "-cpu", "max,-hypervisor", "<...>")), DMESG),
        sources=("https://github.com/pmem/ndctl/issues/250",),
    ),
    Message(
        id="cxl-region-active",
        title="cxl: a region that is in use is not destroyed",
        file=_FILE, function="destroy_region",
        wordings=(Wording("%s active. Disable it or use --force", fields=("region",)),),
        what="With --force it goes at once, under whatever is mounted on it: unmount, and disable its namespaces first.",
        steps=(
            Step("See what is on it.", ("ndctl", "list", "-R", "-N", "-r", "<region>")),
            Step("Plan it: what is mounted stops the plan.", ("sparsemem", "plan", "replace <region>")),
        ),
    ),
    Message(
        id="cxl-half-made",
        title="cxl: a region that was never finished",
        file="cxl/lib/libcxl.c", function="cxl_region_get_target_decoder",
        wordings=(Wording("%s: error locating decoder for target%d", fields=("region", "position")),),
        what="The region has no target there: cxl create-region was interrupted. cxl destroy-region does not get past it; the kernel does.",
        steps=(
            Step(
                "Delete it by its name.", ("sh", "-c", "echo <region> > /sys/bus/cxl/devices/decoder0.0/delete_region")
            ),
        ),
    ),
    Message(
        id="cxl-type-not-supported",
        title="cxl: this release makes no regions of that type",
        file=_FILE, function="create_region",
        wordings=(Wording("region type '%s' not supported yet", fields=("type",)),),
        what="cxl makes RAM regions from release 77 on; firmware sets most of them up before the kernel starts.",
        steps=(Step("See the release.", ("cxl", "--version")),),
    ),
    Message(
        id="cxl-not-capable",
        title="cxl: the window is not for that kind of memory",
        file=_FILE, function="validate_decoder",
        wordings=(Wording("%s is not pmem capable", fields=("decoder",)), Wording("%s is not volatile capable", fields=("decoder",))),
        what="Firmware says of each window (CFMWS) whether persistent or volatile memory may be mapped there.",
        steps=(Step("See which root decoder is.", ("cxl", "list", "-D", "-d", "root")),),
    ),
)  # fmt: skip
