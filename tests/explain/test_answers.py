"""Topics, errnos, kernels, no match; and the law that no text whatsoever breaks it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quoted_lines import QUOTED

from sparsemem.explain import explain
from sparsemem.explain.clean import clean
from sparsemem.explain.messages import MESSAGES
from sparsemem.spec.kernel import kernel


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("sub-section", "topic", "sub-section"),
        ("SubSections", "topic", "sub-section"),
        ("memmap_on_memory", "topic", "memmap-on-memory"),
        ("section", "topic", "section"),
        ("altmap", "topic", "altmap"),
        ("memory block", "topic", "memory-block"),
        ("early section", "topic", "early-section"),
        ("mixed region", "finding", "ram-beside-device"),
        ("What is a memory block?", "topic", "memory-block"),
        ("EEXIST", "errno", "EEXIST"),
        ("-17", "errno", "EEXIST"),
        ("File exists", "errno", "EEXIST"),
        ("-EOPNOTSUPP", "errno", "EOPNOTSUPP"),
        ("check_pfn_span()", "function", "check_pfn_span"),
        ("section_activate", "function", "section_activate"),
        ("subsection-overlap", "rule", "subsection-overlap"),
        ("kmem-stranded", "finding", "kmem-stranded"),
        ("unaligned-hotplug-range", "message", "unaligned-hotplug-range"),
        ("c01", "case", "C01"),
        (" C37 ", "case", "C37"),
    ],
)
def test_names(text: str, kind: str, found: str) -> None:
    (only,) = explain(text).explanations
    assert (only.kind, only.id) == (kind, found)


def test_a_case_has_its_address_and_its_topics() -> None:
    (only,) = explain("C01").explanations
    assert only.sources == ("https://github.com/pmem/ndctl/issues/76",)
    assert {"devices-share-section", "start-pad", "alignment-collision"} <= set(only.see)
    assert not explain("C04").matched  # no such case


def test_no_match_names_the_nearest_topics() -> None:
    answer = explain("sectoin")
    assert not answer.matched
    assert "section" in answer.nearest
    assert "section" in answer.text()


def test_no_match_at_all_says_so() -> None:
    answer = explain("usb 1-1: new high-speed USB device number 4 using xhci_hcd")
    assert not answer.matched
    assert answer.text().startswith("I do not know this text")


def test_the_empty_text_is_no_match() -> None:
    assert not explain("").matched
    assert not explain(" \n\t\n").matched


def test_a_kernel_decides_what_holds() -> None:
    line = "devm_memremap_pages attempted on mixed region [mem 0x200000000-0x2fbffffff flags 0x200]"
    old, new = (explain(line, kernel(v)).explanations[0] for v in ("5.1", "6.1"))
    assert old.verdict is not None
    assert new.verdict is not None
    assert '"%s attempted on mixed region %pr"' in old.verdict
    assert '"attempted on mixed region %#llx-%#llx"' in new.verdict
    upgrade = ("sparsemem", "doctor", "--kernel", "6.1")
    assert upgrade in [s.argv for s in old.steps]
    assert upgrade not in [s.argv for s in new.steps]
    online = explain("mixed-section-online-page", kernel("5.10")).explanations[0]
    assert "rule mixed-section-online-page holds" in (online.verdict or "")
    gone = explain("mixed-section-online-page", kernel("5.12")).explanations[0]
    assert "rule mixed-section-online-page does not hold" in (gone.verdict or "")


def test_the_sizes_of_the_kernel_are_used() -> None:
    line = "Misaligned __add_pages start: 0x605 end: 0x609"
    (big,) = explain(line, kernel("6.1", "arm64", 65536)).explanations
    numbers = {n.label: n.text for n in big.numbers}
    assert numbers["range"].startswith("0x6050000-0x609ffff, 320 KiB")  # 5 pages of 64 KiB from 0x605 * 64 KiB
    assert "512 MiB sections" in (big.basis or "")


def test_json_is_plain_and_complete() -> None:
    for _, line, _, _ in QUOTED:
        data = explain(line, kernel("6.12")).to_json()
        assert json.loads(json.dumps(data)) == data
        assert set(data) == {"query", "matched", "explanations", "unrecognised", "nearest"}


def test_text_keeps_to_the_width_but_for_addresses_and_commands() -> None:
    for message in MESSAGES:
        for line in explain(message.id).text(80).splitlines():
            assert len(line) <= 80 or "://" in line or line.lstrip().startswith("$"), line


LINES = st.sampled_from([line for _, line, _, _ in QUOTED])
FORMATS = st.sampled_from([w.format for m in MESSAGES for w in m.wordings])


@given(
    st.one_of(
        st.text(max_size=300),
        FORMATS,
        st.builds(lambda a, b, n: a[:n] + b + a[n:], LINES, st.text(max_size=20), st.integers(0, 120)),
    )
)
def test_no_text_breaks_it(text: str) -> None:
    answer = explain(text)
    assert answer.text(80)
    json.dumps(answer.to_json())
    assert explain(text) == answer


@given(LINES, st.text("0123456789abcdefx", min_size=1, max_size=40))
def test_no_number_breaks_it(line: str, digits: str) -> None:
    first = next((i for i, c in enumerate(line) if c.isdigit()), 0)
    assert explain(line[:first] + digits + line[first + 3 :]).text(60)


@given(st.text(max_size=200))
def test_cleaning_twice_is_cleaning_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)
