"""The data is whole: every rule is explained, every format reads what it prints, every reference leads somewhere."""

from __future__ import annotations

import re

import pytest

from sparsemem.explain import explain
from sparsemem.explain.cases import CASES
from sparsemem.explain.errnos import ERRNOS
from sparsemem.explain.lookup import find_name
from sparsemem.explain.match import match_line
from sparsemem.explain.messages import MESSAGES
from sparsemem.explain.printf import compile_format, conversions
from sparsemem.explain.topics import TOPICS
from sparsemem.spec.rules import RULES

FINDINGS = [
    "ram-beside-device",
    "devices-share-section",
    "boot-map-rounding",
    "block-partly-ram",
    "kmem-stranded",
    "dimm-misaligned",
    "namespace-misaligned",
    "region-align",
    "zero-iomem",
    "tainted-section",
    "mixed-section-online-page",
    "unmovable-block",
    "block-size-2g",
    "start-pad",
    "subsection-misaligned",
    "info-block-altmap-in-ram",
]
FILES = re.compile(r"(?:arch|mm|kernel|drivers|block|fs)/[\w./-]+\.c\Z")
SAMPLES = {"hex": "0x1234000", "decimal": "42", "text": "word", "resource": "[mem 0x100000000-0x1ffffffff flags 0x200]"}


def _print(template: str) -> str:
    """A line of that format, by rules written down here again: what printf would do."""
    values = iter(conversions(template))

    def one(match: re.Match[str]) -> str:
        if match[0] == "%%":
            return "%"
        kind = next(values)
        if match[0].startswith("%pU"):
            return "c2997afd-4c40-477b-8ab9-95ffac39fd74"
        return "1234000" if kind == "hex" and re.fullmatch(r"%0?\d*l{0,2}x", match[0]) else SAMPLES[kind]

    return re.sub(r"%%|%p[A-Za-z]*|%[#0-9]*[lLhz]*[dioux]|%s", one, template)


WORDINGS = [(m, w) for m in MESSAGES for w in m.wordings]


@pytest.mark.parametrize(("message", "wording"), WORDINGS, ids=[w.format[:60] for _, w in WORDINGS])
def test_a_format_recognises_what_it_prints(message: object, wording: object) -> None:
    line = _print(wording.format)  # type: ignore[attr-defined]
    assert "%" not in line
    hit = match_line(f"{message.hint} {line}")  # type: ignore[attr-defined]
    assert hit is not None
    assert hit.message.id == message.id, line  # type: ignore[attr-defined]
    fields = message.fields if wording.fields is None else wording.fields  # type: ignore[attr-defined]
    groups = compile_format(wording.format).groups  # type: ignore[attr-defined]
    assert len(fields) == groups or not fields, "every conversion has a name"


def test_ids_are_unique_and_references_lead_somewhere() -> None:
    assert len({m.id for m in MESSAGES}) == len(MESSAGES)
    for record in (*MESSAGES, *TOPICS.values()):
        assert all(case in CASES for case in record.cases), record.id
        for name in record.see:
            assert find_name(name) is not None, (record.id, name)
    for message in MESSAGES:
        assert message.rule is None or message.rule in RULES, message.id
        assert message.errno is None or message.errno in ERRNOS, message.id
        assert message.function
        assert message.file
    for topic in TOPICS.values():
        assert all(rule in RULES for rule in topic.rules), topic.id


def test_a_message_answers_an_errno_that_its_rule_knows() -> None:
    wrong = [
        m.id for m in MESSAGES if m.rule and m.errno and m.errno not in RULES[m.rule].errnos and m.errno != "EAGAIN"
    ]
    assert wrong == []


def test_kernel_messages_name_their_file_and_function() -> None:
    for message in MESSAGES:
        if not re.match(r"(?:ndctl|daxctl|cxl|shell|qemu|util-linux|arch/x86 \()", message.file):
            assert FILES.match(message.file), message.id


def test_every_used_case_is_quoted_and_every_case_used() -> None:
    used = {c for record in (*MESSAGES, *TOPICS.values()) for c in record.cases}
    assert used == set(CASES)


@pytest.mark.parametrize("rule_id", RULES)
def test_every_rule_has_an_explanation(rule_id: str) -> None:
    answer = explain(rule_id)
    assert answer.matched
    text = answer.text()
    assert RULES[rule_id].title.split()[0] in text or rule_id in text
    assert RULES[rule_id].functions
    assert RULES[rule_id].source
    assert RULES[rule_id].text.endswith((".", ")"))


@pytest.mark.parametrize("finding", FINDINGS)
def test_every_finding_is_explained_with_a_remedy_or_a_rule(finding: str) -> None:
    (only,) = explain(finding).explanations
    assert only.steps or only.rules or only.kind == "rule"
    assert len(only.what) > 80


@pytest.mark.parametrize("name", [name for t in TOPICS.values() for name in (t.id, *t.names)])
def test_every_name_of_a_topic_leads_to_one_answer(name: str) -> None:
    answer = explain(name)
    assert len(answer.explanations) == 1
    assert answer.explanations[0].kind in ("topic", "finding")


def test_versions_of_rules_and_wordings_are_series() -> None:
    for holder in (*RULES.values(), *(w for m in MESSAGES for w in m.wordings)):
        for text in (holder.since, holder.until):
            assert text is None or re.fullmatch(r"[3-7]\.\d{1,2}", text), holder
