"""Messages of drivers/nvdimm/btt.c, and one of mm/memory-tiers.c: a sector namespace, and where pages of slow memory go."""

from __future__ import annotations

from sparsemem.explain.messages._steps import LIST
from sparsemem.explain.records import Message, Step, Wording

__all__ = ["MESSAGES"]

_BTT = "drivers/nvdimm/btt.c"
_CHECK = Step(
    "Look at its metadata, and repair from its own copies what can be.", ("ndctl", "check-namespace", "<namespace>")
)

MESSAGES: tuple[Message, ...] = (
    Message(
        id="btt-new",
        title="a sector namespace gets its first metadata",
        file=_BTT,
        function="discover_arenas",
        wordings=(Wording("No existing arenas"),),
        what="The namespace has no map and log yet, as every new one of mode sector: they are written now. An old one has lost its data.",
        steps=(LIST,),
    ),
    Message(
        id="btt-metadata-failed",
        title="the metadata of a sector namespace could not be written",
        file=_BTT,
        function="btt_init",
        errno="ENOMEM",
        wordings=(
            Wording("init: error in meta_init: %d", fields=("errno",)),
            Wording("init: error in arena_discover: %d", fields=("errno",)),
            Wording("init: create_arenas: %d", fields=("errno",)),
            Wording("init: error in blk_init: %d", fields=("errno",)),
        ),
        what=(
            "The driver gave up, and the namespace has no block device. Its probe then answers -12 (ENOMEM) whatever the reason was; the "
            "reason is the number here."
        ),
        steps=(LIST, _CHECK),
        by_errno=(
            (-5, "I/O error: the device has no way to make writes durable, or there are bad blocks in its metadata."),
            (-12, "No memory, or no room on the device for the arenas."),
            (-22, "The namespace is too small for an arena of 16 MiB."),
        ),
    ),
    Message(
        id="btt-corrupt",
        title="the metadata of a sector namespace is damaged",
        file=_BTT,
        function="discover_arenas",
        wordings=(
            Wording("Found corrupted metadata!"),
            Wording("log corruption (%d): lane %d seq [%d, %d]", fields=("code", "lane", "old", "new")),
            Wording("Unable to deduce log/padding indices"),
            Wording("Found an unknown padding scheme"),
        ),
        what="Map, log or info block of an arena contradict each other or fail their checksum. Its data is not to be trusted.",
        steps=(
            Step("Write nothing to it; save the namespace as it is first, in raw mode."),
            _CHECK,
        ),
    ),
    Message(
        id="btt-read-only",
        title="a sector namespace on a read-only region",
        file=_BTT,
        function="btt_init",
        wordings=(Wording("%s is read-only, unable to init btt metadata", fields=("namespace",)),),
        what="The namespace has no metadata yet, and none can be written: its region is read-only.",
        steps=(
            LIST,
            Step("Make the region writable, then enable the namespace anew.", ("ndctl", "enable-namespace", "<namespace>")),
        ),
    ),
    Message(
        id="demotion-targets",
        title="where pages of a node go when it is full",
        file="mm/memory-tiers.c",
        function="dump_demotion_targets",
        wordings=(Wording("Demotion targets for Node %d:", "6.7", fields=("node",)),),
        what=(
            "Memory tiers were found anew: a node with memory came or went. Pages that are seldom used go from this node to the "
            "preferred ones when it is full; \"null\" is nowhere, as on a machine with one tier. Demotion has to be turned on."
        ),
        steps=(Step("See whether it is on.", ("cat", "/sys/kernel/mm/numa/demotion_enabled")),),
    ),
)  # fmt: skip
