"""Features against what the sources of 47 releases do (observed.txt), and a golden table to review (features.txt)."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest

from sparsemem.spec import KNOWN_SERIES, Features, KernelVersion, history, kernel, known_bugs
from tests.spec.table import render

HERE = Path(__file__).parent
Observed = list[tuple[str, str, object, list[str]]]


def _observed() -> Observed:
    """(feature, architecture, value, releases) of every run in observed.txt."""
    lines = HERE.joinpath("observed.txt").read_text().splitlines()
    start = lines.index("releases") + 1
    stop = lines.index("", start)
    releases = " ".join(lines[start:stop]).split()
    found: Observed = []
    name, arch = "", ""
    for line in lines[stop:]:
        if not line.strip():
            continue
        if not line.startswith(" "):
            match = re.fullmatch(r"(\w+)(?: \[(\w+)\])?", line)
            assert match, line
            name, arch = match[1], match[2] or "x86_64"
            continue
        value, _, runs = line.strip().rpartition(": ")
        for run in runs.split(", "):
            first, _, last = run.partition(" .. ")
            covered = releases[releases.index(first) : releases.index(last or first) + 1]
            found.append((name, arch, ast.literal_eval(value), covered))
    return found


OBSERVED = _observed()


@pytest.mark.parametrize("name", sorted({name for name, _, _, _ in OBSERVED}))
def test_the_sources_agree(name: str) -> None:
    for feature, arch, value, releases in OBSERVED:
        if feature == name:
            for release in releases:
                assert getattr(kernel(release, arch).features, name) == value, release


def test_the_sources_were_asked_about_most_features() -> None:
    asked = {name for name, _, _, _ in OBSERVED}
    assert asked <= {f.name for f in fields(Features)}
    assert len(asked) >= 0.75 * len(fields(Features))


def test_the_golden_table() -> None:
    assert render() == HERE.joinpath("features.txt").read_text()


RECORDS = history()


@pytest.mark.parametrize("record", RECORDS, ids=[record.name for record in RECORDS])
def test_a_record_is_well_formed(record) -> None:  # type: ignore[no-untyped-def]
    assert record.note.endswith(".")
    assert len(record.eras) > 1
    assert record.eras[0].since is None
    dates = [KernelVersion.merged_in(era.since) for era in record.eras[1:]]
    assert dates == sorted(dates)
    assert all(a.value != b.value for a, b in zip(record.eras, record.eras[1:], strict=False) if not b.arches)
    for era in record.eras[1:]:
        assert re.fullmatch(r"[0-9a-f]{12}|", era.commit)
        assert not era.commit or era.title
        assert f"(in v{era.since.removesuffix('.0') if era.since.count('.') == 2 else era.since})" in era.cite() or (
            not era.title
        )
        for series, taken in (era.backports or {}).items():
            assert taken.startswith(series + ".")
            assert KernelVersion.parse(taken) < KernelVersion.merged_in(era.since)


NO_SINGLE_COMMIT = {
    "online_by_default": "a choice of Debian's configuration",
    "block_sysfs": "the files of many changes, told apart by the recorded kernels only",
    "cxl_sysfs": "the files of many changes, told apart by the recorded kernels only",
}
ID_NOT_FOUND = {  # nothing in reach ties an id to the subject; a hash from memory would be worse than none
    "section_word_encodes_kaddr", "check_pfn_span", "misaligned_message", "checks_node_possible", "ram_under_nonbusy_parent",
    "resource_busy_message", "mem_parameter_limits_hotplug", "offline_checks_pageblock",
    "offline_needs_full_block", "block_size_validated", "nd_target_node_attribute",
    "label_dpa_page_aligned", "index_labeloff_checked", "holder_class_hides_label_mismatch",
    "get_tree_bdev_messages",
}  # fmt: skip


@pytest.mark.parametrize("record", RECORDS, ids=[record.name for record in RECORDS])
def test_a_change_names_its_commit(record) -> None:  # type: ignore[no-untyped-def]
    """By id and subject; by subject alone only where it is said above, so that the list can but shrink."""
    changes = [era for era in record.eras if era.since not in (None, "4.0")]
    if record.name in NO_SINGLE_COMMIT:
        assert not any(era.commit for era in changes)
        return
    assert all(era.title for era in changes)
    assert any(not era.commit for era in changes) == (record.name in ID_NOT_FOUND)


def test_values_have_the_declared_type() -> None:
    kinds = {f.name: f.type for f in fields(Features)}
    for version in ("4.19", "5.3", "5.10", "6.1", "7.2"):
        found = kernel(version).features
        for name, kind in kinds.items():
            assert type(getattr(found, name)).__name__ == kind, name


def test_every_known_bug_is_somewhere_and_the_newest_kernel_has_none() -> None:
    """The 32 bugs of the list: each has a record, each record is true of some release or candidate."""
    records = [record for record in RECORDS if record.bug is not None]
    assert {record.bug for record in records} == set(range(1, 33))
    candidates = ["5.1-rc1", "5.3-rc1", "5.6-rc2", "5.6-rc7", *(f"{a}.{b}.0" for a, b in KNOWN_SERIES)]
    for record in records:
        assert any(
            getattr(kernel(version, arch).features, record.name)
            for version in candidates
            for arch in ("x86_64", "arm64", "ppc64")
        ), record.name
    assert known_bugs(kernel("7.3").features) == ()
    assert {record.bug for record in known_bugs(kernel("5.3").features)} >= {2, 7, 9, 10}


# Public dates of the changes people ask about: (feature, first kernel with it, last kernel without it)
LANDMARKS = [
    ("subsection_hotplug", "5.3-rc1", "5.2.21"),
    ("removed_section_word_stale", "5.3", "5.2"),
    ("section_taint_zone_device", "5.12-rc1", "5.11.22"),
    ("usage_freed_by_rcu", "5.10.210", "5.10.209"),
    ("usage_freed_by_rcu", "6.1.76", "6.1.75"),
    ("usage_freed_by_rcu", "6.8-rc1", "6.7.2"),
    ("region_intersects_descends", "6.11.3", "6.11.2"),
    ("zones_shrink_at_offline", "5.4.9", "5.4.8"),
    ("memmap_on_memory", "5.14", "5.12"),
    ("pgmap_coherent", "6.0", "5.19"),
    ("online_by_default", "6.12", "6.1"),
]


@pytest.mark.parametrize(("name", "first", "last"), LANDMARKS)
def test_landmarks(name: str, first: str, last: str) -> None:
    assert getattr(kernel(first).features, name) is True
    assert getattr(kernel(last).features, name) is False


def test_a_kernel_is_one_cached_frozen_record() -> None:
    assert kernel("6.1") is kernel("6.1")
    assert kernel("6.1") is kernel(KernelVersion.parse("6.1"))
    assert kernel("6.1").geometry.SECTION_SIZE == 128 << 20
    assert str(kernel("6.1")) == "6.1 x86_64"
    with pytest.raises(AttributeError):
        kernel("6.1").arch = "arm64"  # type: ignore[misc]


def test_no_heavy_import() -> None:
    code = (
        "import sys; import sparsemem.spec; sparsemem.spec.kernel('6.1'); "
        "print([m for m in ('numpy', 'rich', 'msgspec', 'cyclopts', 'asyncio') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
