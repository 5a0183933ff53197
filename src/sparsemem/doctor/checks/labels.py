"""DIMM label areas: index blocks and labels that are broken, half-written, of a foreign version, or missing from their set."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sparsemem.doctor.check import Check, Kind
from sparsemem.doctor.checks.nothing import no_regions
from sparsemem.doctor.finding import Remedy
from sparsemem.doctor.needs import LABELS
from sparsemem.doctor.rules import finding
from sparsemem.kernel.nvdimm import label_area

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparsemem.doctor.context import Context
    from sparsemem.doctor.finding import Finding
    from sparsemem.kernel.nvdimm.label_area import Finding as Wrong
    from sparsemem.kernel.nvdimm.label_area import LabelArea
    from sparsemem.kernel.nvdimm.label_bytes import NsLabel

__all__ = ["LabelAreas", "LabelSets"]

_SAVE = "Save the label area as it is before anything writes to it."
_VERSIONS = ("version", "abstraction")


class _Words(NamedTuple):
    """A kind of damage: topic, severity, rule, and what it means."""

    topic: str
    severity: str
    rule: str
    what: str


def _words(wrong: Wrong, other_good: bool) -> _Words:
    if wrong.kind in _VERSIONS:
        return _Words(
            "label-foreign-version",
            "warning",
            "label-area",
            "is of a version that this project's kernels do not know: they pass it over",
        )
    if wrong.kind == "updating":
        return _Words(
            "label-half-written",
            "notice",
            "label-set",
            "carries the UPDATING flag: the power went during its last update, or a kernel up to 5.0 wrote it, which never clears it. "
            "No kernel reads it; what counts is whether the labels of the set agree",
        )
    if wrong.kind == "sequence-equal":
        return _Words("label-half-written", "warning", "label-area", "was being written when the power went")
    if wrong.where.startswith("index"):
        if other_good:
            return _Words(
                "label-index-spare-broken", "notice", "label-area", "is broken; the other one is good, and counts"
            )
        return _Words(
            "label-index-broken",
            "error",
            "label-area",
            "is broken, and so is the other: the DIMM has no labels, its namespaces are gone",
        )
    if wrong.kind in ("overlap", "extent"):
        return _Words(
            "label-conflict", "error", "label-conflict", "names bytes that it can not have: the DIMM is not enabled"
        )
    if wrong.kind == "uuid-twice":
        return _Words("label-twice", "error", "label-set", "is there twice: none of the region's namespaces comes up")
    return _Words(
        "label-corrupt", "error", "info-block-none", "is corrupt: the kernel passes it over, and its namespace is gone"
    )


class LabelAreas(Check):
    """Each DIMM's label area by itself."""

    id = "label-areas"
    question = "Is the label area of each DIMM whole, and of a version that the kernel reads?"
    about = "label areas of DIMMs"
    needs = (LABELS,)
    finds = (
        Kind("label-index-broken", ("error",), "label-area"),
        Kind("label-index-spare-broken", ("notice",), "label-area"),
        Kind("label-corrupt", ("error",), "info-block-none"),
        Kind("label-half-written", ("notice",), "label-set"),
        Kind("label-half-written", ("warning",), "label-area"),
        Kind("label-foreign-version", ("warning",), "label-area"),
        Kind("label-conflict", ("error",), "label-conflict"),
        Kind("label-twice", ("error",), "label-set"),
        Kind("label-area-too-small", ("error",), "label-area"),
    )

    def nothing(self, ctx: Context) -> str | None:
        return _nothing(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        for fact in ctx.description.label_areas:
            try:
                area, wrong = label_area.audit(fact.data)
            except ValueError as error:
                yield finding(
                    "label-area-too-small",
                    "error",
                    f"{fact.dimm}: {error}.",
                    "label-area",
                    devices=(fact.dimm,),
                    capacity=None,
                    remedies=(
                        Remedy(
                            "Read it again, whole.", ("ndctl", "read-labels", "-o", f"{fact.dimm}.labels", fact.dimm)
                        ),
                    ),
                )
                continue
            flagged = ctx.kernel.features.label_updating_flag_cleared
            for each in wrong:
                if each.kind == "updating" and not flagged:
                    continue  # this kernel leaves the flag in every label
                yield self._finding(fact.dimm, area, each)

    def _finding(self, dimm: str, area: LabelArea, wrong: Wrong) -> Finding:
        words = _words(wrong, area.current >= 0)
        name = {"index0": "index block 0", "index1": "index block 1", "area": "its index"}.get(
            wrong.where, f"the label in {wrong.where}"
        )
        lost = area.current < 0
        remedies = [Remedy(_SAVE, ("ndctl", "read-labels", "-o", f"{dimm}.labels", dimm))]
        if words.topic == "label-index-spare-broken":
            remedies.append(
                Remedy("The kernel writes it anew with the next change of a namespace; nothing else is needed.")
            )
        elif words.topic == "label-half-written":
            remedies.append(
                Remedy(
                    "Write the namespace's label again: rename it, for example; or make it anew if its DIMMs disagree."
                )
            )
        elif lost:
            remedies.append(
                Remedy(
                    "Put back a copy of the area, if there is one; else write empty labels, which destroys what the regions hold.",
                    ("ndctl", "init-labels", "-f", dimm),
                )
            )
        else:
            remedies.append(
                Remedy(
                    "Put back a copy of the area, if there is one, with the regions disabled.",
                    ("ndctl", "write-labels", "-i", f"{dimm}.labels", dimm),
                )
            )
        return finding(
            words.topic,
            words.severity,
            f"{dimm}: {name} {words.what} ({wrong.text}; byte {wrong.offset:#x}).",
            words.rule,
            devices=(dimm,),
            kernel_says=_said(dimm, wrong),
            remedies=tuple(remedies),
        )


def _said(dimm: str, wrong: Wrong) -> tuple[str, ...]:
    """The kernel's own words, which are debug messages: dyndbg shows them."""
    kernel_words = wrong.where.startswith("index") and wrong.text.startswith("nsindex")
    return (f"nvdimm {dimm}: {wrong.text}",) if kernel_words or wrong.kind.startswith("label-") else ()


def _nothing(ctx: Context) -> str | None:
    if ctx.description is not None and ctx.description.label_areas:
        return None
    missing = no_regions(ctx)
    if missing is None and ctx.description is not None and not any(region.labels for region in ctx.description.regions):
        return "no region has labels"
    return missing


class LabelSets(Check):
    """The labels of a namespace on the DIMMs of its interleave set: one on each, all telling the same."""

    id = "label-sets"
    question = "Does every namespace have its label on each DIMM of its set?"
    about = "labels of interleave sets"
    needs = (LABELS,)
    finds = (
        Kind("label-set-incomplete", ("error",), "label-set"),
        Kind("label-set-disagrees", ("error",), "label-set"),
    )

    def nothing(self, ctx: Context) -> str | None:
        return _nothing(ctx)

    def run(self, ctx: Context) -> Iterator[Finding]:
        assert ctx.description is not None
        found: dict[tuple[str, int], list[tuple[str, NsLabel]]] = {}
        for fact in ctx.description.label_areas:
            try:
                area = label_area.decode(fact.data)
            except ValueError:
                continue
            for label in area.labels:
                found.setdefault((label.uuid, label.isetcookie), []).append((fact.dimm, label))
        for (uuid, _), held in found.items():
            dimms = tuple(dict.fromkeys(dimm for dimm, _ in held))
            want = max(label.nlabel for _, label in held)
            missing = sorted(set(range(want)) - {label.position for _, label in held})
            remedies = (
                Remedy(_SAVE, ("ndctl", "read-labels", "-o", f"{dimms[0]}.labels", dimms[0])),
                Remedy("Put back copies of the areas, if there are; else the namespace has to be made anew."),
            )
            if missing:
                places = ", ".join(str(each) for each in missing)
                yield finding(
                    "label-set-incomplete",
                    "error",
                    f"The namespace {uuid} has labels on {', '.join(dimms)}, and none at position {places} of its set of {want}: no "
                    "namespace of the region comes up. (Or the area of a DIMM was not captured.)",
                    "label-set",
                    devices=dimms,
                    remedies=remedies,
                )
            elif len({(label.rawsize, label.dpa, label.name, label.nlabel) for _, label in held}) > 1:
                yield finding(
                    "label-set-disagrees",
                    "error",
                    f"The labels of the namespace {uuid} on {', '.join(dimms)} do not tell the same: an update was cut between two DIMMs.",
                    "label-set",
                    devices=dimms,
                    remedies=remedies,
                )
