"""From a refused mapping to a finding: which topic it is, and what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparsemem.doctor.finding import Finding, Remedy
from sparsemem.spec.rules import RULES

if TYPE_CHECKING:
    from sparsemem.ranges import Range

__all__ = [
    "BACK_UP",
    "NEWER_KERNEL",
    "SMALLER_BLOCKS",
    "cure",
    "destroy_and_create",
    "finding",
    "finding_id",
    "remake",
    "remedies_for",
    "replace",
]

_IDS = {
    "mixed-region": "ram-beside-device",
    "ram-region": "ram-beside-device",
    "conflicting-mapping": "devices-share-section",
    "section-exists": "devices-share-section",
    "subsection-overlap": "devices-share-section",
    "pfn-span-alignment": "subsection-misaligned",
    "vmemmap-alignment": "subsection-misaligned",
    "altmap-invalid": "namespace-misaligned",
    "compat-align": "namespace-misaligned",
    "namespace-alignment": "namespace-misaligned",
    "info-block-alignment": "namespace-misaligned",
    "info-block-capacity": "namespace-misaligned",
    "block-alignment": "dimm-misaligned",
    "removal-alignment": "dimm-misaligned",
}

BACK_UP = Remedy("Save the data first: making a namespace anew loses it.")
NEWER_KERNEL = Remedy("Boot kernel 5.12 or later: there the unit is a sub-section of 2 MiB (5.3 to 5.11 have it, too, with bugs beside "
                      "RAM). Ask first what it would do:", ("sparsemem", "doctor", "--kernel", "6.1"))  # fmt: skip
SMALLER_BLOCKS = Remedy(
    "Or boot kernel 6.16 or later, which makes memory blocks small enough for the windows.",
    ("sparsemem", "doctor", "--kernel", "6.18"),
)
_MOVE_BORDER = Remedy(
    "Or move the border between RAM and device memory to a multiple of the section size (memmap=, firmware)."
)
_ALIGN_2M = Remedy(
    "Start and end the range on multiples of 2 MiB: change memmap=, the firmware's map, or the size of the image."
)
_REMAKE = Remedy("Then make it anew, with a legal size.", ("ndctl", "create-namespace", "-f", "-e", "NAMESPACE"))
_SECTOR = Remedy(
    "Or use it without struct pages, in sector mode.",
    ("ndctl", "create-namespace", "-f", "-e", "NAMESPACE", "-m", "sector"),
)


def cure(why: str, *words: str) -> Remedy:
    """A command that cures the finding, as the model shows when it is played."""
    return Remedy(why, words, steps=(words,))


def remake(why: str, namespace: str, mode: str, size: int | None = None) -> Remedy:
    """Make a namespace anew in its region, of ``size`` raw bytes (None: as large as it is)."""
    words = ("ndctl", "create-namespace", "-f", "-e", namespace, "-m", mode)
    return cure(why, *words, *(("-s", str(size)) if size is not None else ()))


def replace(why: str, namespace: str, region: str, mode: str, size: int) -> Remedy:
    """Destroy a namespace that starts where none may, and make one of ``size`` raw bytes, which finds another place: made anew under its
    own name (``remake``) it keeps its start, and grows only into free space right before or behind it.

    ``-f``, or ndctl refuses a place that is off 16 MiB, whatever the kernel makes of it."""
    return destroy_and_create(why, namespace, region, "-m", mode, "-s", str(size))


def destroy_and_create(why: str, namespace: str, region: str, *words: str) -> Remedy:
    """The same with all options of the second command as ``words``."""
    steps = (
        ("ndctl", "destroy-namespace", "-f", namespace),
        ("ndctl", "create-namespace", "-f", "-r", region, *words),
    )
    return Remedy(why, steps[0], steps=steps)


def finding_id(rule: str) -> str:
    """The topic of a rule that refuses; the rule's own id where there is no better one."""
    return _IDS.get(rule, rule)


def _border(legacy: Range, section: int) -> Remedy:
    """The ``memmap=`` that gives the whole sections of a range."""
    start, end = -(-legacy.start // section) * section, legacy.end // section * section
    if start >= end:
        return _MOVE_BORDER
    return Remedy("Or move the border between RAM and device memory to a multiple of the section size: boot with "
                  f"memmap={end - start:#x}!{start:#x}, if memmap= made this range.")  # fmt: skip


def remedies_for(
    topic: str, *, old: bool, device: str | None = None, legacy: Range | None = None, section: int = 0
) -> tuple[Remedy, ...]:
    """What helps. ``old``: this kernel knows no sub-sections; ``device``: the namespace that a command is for; ``legacy``: the range, where
    it is memory of ``memmap=``, for sections of ``section`` bytes."""
    if topic in ("ram-beside-device", "mixed-section-online-page"):
        first = NEWER_KERNEL if old else Remedy("Boot kernel 5.12 or later.")
        move = _border(legacy, section) if legacy is not None else _MOVE_BORDER
        return (first, move) if old or topic == "mixed-section-online-page" else (move,)
    if topic == "devices-share-section":
        return (NEWER_KERNEL, _named(_SECTOR, device)) if old else (_ALIGN_2M,)
    if topic == "namespace-misaligned":
        return (BACK_UP, _named(_REMAKE, device)) if device is not None else (_ALIGN_2M,)
    return (_ALIGN_2M,) if topic == "subsection-misaligned" else ()


def _named(remedy: Remedy, device: str | None) -> Remedy:
    if device is None:
        return Remedy(remedy.why)
    argv = tuple(device if word == "NAMESPACE" else word for word in remedy.argv)
    return Remedy(remedy.why, argv, steps=(argv,) if argv else ())


def finding(
    id: str,  # noqa: A002
    severity: str,
    what: str,
    rule: str | None,
    *,
    why: str = "",
    kernels: str = "",
    ranges: tuple[Range, ...] = (),
    devices: tuple[str, ...] = (),
    errno: str | None = None,
    kernel_says: tuple[str, ...] = (),
    capacity: int | None = None,
    lost: bool = False,
    remedies: tuple[Remedy, ...] = (),
    source: str = "",
) -> Finding:
    """A finding whose reason is a rule of ``spec.rules``; ``why`` replaces the rule's text where that says too little."""
    known = RULES.get(rule or "")
    return Finding(
        id=id,
        severity=severity,
        what=what,
        why=why or (known.text if known is not None else ""),
        kernels=kernels or (known.kernels if known is not None else "every kernel"),
        ranges=ranges,
        devices=devices,
        rule=rule,
        errno=errno,
        kernel_says=kernel_says,
        capacity=capacity,
        lost=lost,
        remedies=remedies,
        source=source or (known.source if known is not None else ""),
    )
