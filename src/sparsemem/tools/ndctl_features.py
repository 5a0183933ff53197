"""What ndctl does by release: one field a change that shows, each with the release and the commit of the ndctl tree that made it.

Facts from the history of ndctl/namespace.c between v60 and v81; nothing that shows there changed since v74 but one overflow check.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from sparsemem.errors import NotModelledError

__all__ = ["OLDEST", "NdctlFeatures", "ndctl_features"]

OLDEST = 60

_SINCE: dict[str, tuple[int, str]] = {
    "max_available_extent": (62, "1c4c297"),
    "counts_processed": (63, "79f602d"),
    "checks_zeroed_info_block": (63, "f5f45d7"),
    "seed_alignment": (64, "31ddc07"),
    "cleans_up": (64, "c3feba1"),
    "json_not_verbose": (64, "cb2708d"),
    "clear_errors": (65, "2ba7b82"),
    "reports_enospc": (66, "4200803"),
    "seed_missing_goes_on": (66, "bf1c7f0"),
    "labelless_create": (66, "7966c92"),
    "option_continue": (67, "c75f723"),
    "keeps_alignment": (67, "e81ccd7"),
    "one_unless_greedy": (68, "ca2dc1b"),
    "active_by_driver": (68, "fc0eb03"),
    "configuration_idle": (68, "fe81f2c"),
    "errors_with_reason": (68, "1f4442b"),
    "region_align": (68, "ba9365c"),
    "resource_align_16m": (68, "e47f490"),
    "option_autorecover": (68, "9f5780f"),
    "always_zeroes": (68, "46654c2"),
    "size_in_validate": (68, "9621840"),
    "minimum_16m": (68, "697680f"),
    "infoblock_commands": (68, "33b844c"),
    "mode_names": (68, "fa4c0a8"),
    "counts_no_seeds": (68, "e01045e"),
    "refuses_label_less_size": (71, "66244ad"),
    "reconfigures_in_place": (71, "d4bc247"),
    "all_skips_seeds": (72, "9bd2994"),
    "keeps_system_ram": (72, "573f0d4"),
    "scrub_says_why": (72, "4e646fa"),
    "size_overflow_check": (81, "9e6f8ca"),
}


class NdctlFeatures(NamedTuple):
    """What the modelled ndctl does. The release and commit of each field stand in ``_SINCE``."""

    max_available_extent: bool
    """The default size is the largest free extent, not all that is free."""
    counts_processed: bool
    """Counts and exit codes: the last error is the exit code, also when others went well."""
    checks_zeroed_info_block: bool
    """Reads 8 KiB before it zeroes them; before, it always wrote 4 KiB at 4 KiB."""
    seed_alignment: bool
    """Default and allowed alignments are the seed's; before 2M (4K in a region that is not 2M aligned), and 4K, 2M, 1G."""
    cleans_up: bool
    """A namespace that could not be enabled is deleted again."""
    json_not_verbose: bool
    """create-namespace prints no verbose fields."""
    clear_errors: bool
    reports_enospc: bool
    """No room is ENOSPC, not EAGAIN."""
    seed_missing_goes_on: bool
    """A region without an idle seed is passed over."""
    labelless_create: bool
    """create-namespace takes the idle namespace of a label-less region."""
    option_continue: bool
    keeps_alignment: bool
    """A reconfiguration in the same mode keeps the alignment."""
    one_unless_greedy: bool
    """--force without --continue stops at the first region."""
    active_by_driver: bool
    """Claimed but not enabled is not active."""
    configuration_idle: bool
    """A half configured namespace is no seed."""
    errors_with_reason: bool
    """Reasons are errors, and then the summary with the errno is left out; before, they came with --verbose only."""
    region_align: bool
    """A size must be a multiple of the region's align."""
    resource_align_16m: bool
    """fsdax and devdax need a start that is 16 MiB aligned, unless forced."""
    option_autorecover: bool
    always_zeroes: bool
    """The info block is zeroed whether or not something claims the namespace."""
    size_in_validate: bool
    """What is free is looked at before the other checks."""
    minimum_16m: bool
    infoblock_commands: bool
    mode_names: bool
    """Modes in upper or lower case, and named fsdax and devdax in messages."""
    counts_no_seeds: bool
    """Destroying an empty namespace does not count."""
    refuses_label_less_size: bool
    """No size other than the region's for a label-less namespace."""
    reconfigures_in_place: bool
    """The namespace itself is set up anew; before, it was deleted and the next seed was taken."""
    all_skips_seeds: bool
    """ "all" passes over empty namespaces, and finding none is no error."""
    keeps_system_ram: bool
    """A namespace whose dax device has memory online is not disabled."""
    scrub_says_why: bool
    """Any error of a scrub is passed on; before, all but EBUSY were EOPNOTSUPP."""
    size_overflow_check: bool
    enable_skips_empty: bool
    """v68 to v71: enabling a namespace without size is ENXIO at once (b9cb03f, gone with 80e0d88)."""


@cache
def ndctl_features(version: tuple[int, ...]) -> NdctlFeatures:
    """The features of that release. NotModelledError for one that is too old."""
    release = version[0]
    if release < OLDEST:
        raise NotModelledError(f"ndctl {release} is not modelled", remedy=f"{OLDEST} is the oldest")
    found = {name: release >= since for name, (since, _) in _SINCE.items()}
    return NdctlFeatures(**found, enable_skips_empty=68 <= release < 72)
