"""Turn what was recognised into an explanation: records, numbers, and what holds for the kernel asked for."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from sparsemem.explain.cases import CASES
from sparsemem.explain.errnos import ERRNOS, errno_of
from sparsemem.explain.explanation import Explanation
from sparsemem.explain.messages import MESSAGES
from sparsemem.explain.numbers import Frame, Number, decode
from sparsemem.explain.records import Message, Step, Wording
from sparsemem.explain.topics import TOPICS
from sparsemem.spec.rules import RULES, Rule

if TYPE_CHECKING:
    from sparsemem.explain.match import Hit
    from sparsemem.explain.warnings import Place
    from sparsemem.spec.kernel import Kernel

__all__ = ["fault", "function", "message", "place", "subject"]

_FIELD = re.compile(r"\{(\w+)\}")
_CUT = " The numbers of the line are cut off or not readable, so they are not decoded."


def message(hit: Hit, frame: Frame, kernel: Kernel | None) -> Explanation:
    """The explanation of a recognised line."""
    record, words = hit.message, _words(hit)
    numbers = decode(hit.values, record.units, frame, trims=record.trims)
    measured = any(n.label == "range" for n in numbers)
    what = _fill(record.what, words) + _by_errno(record, hit) + (_CUT if hit.cut else "")
    return _of_message(
        record,
        kernel,
        hit.wording,
        line=hit.line,
        device=hit.device,
        numbers=numbers,
        basis=frame.basis if measured else None,
        what=what,
        words=words,
    )


def _of_message(
    record: Message,
    kernel: Kernel | None,
    wording: Wording | None,
    *,
    what: str,
    words: dict[str, str],
    line: str | None = None,
    device: str | None = None,
    numbers: tuple[Number, ...] = (),
    basis: str | None = None,
) -> Explanation:
    rules = (RULES[record.rule],) if record.rule else ()
    others = tuple(f'in other words: "{w.format}" ({w.kernels})' for w in record.wordings if w is not wording)
    return Explanation(
        id=record.id,
        kind="message",
        title=record.title,
        what=what,
        line=line,
        device=device,
        numbers=numbers,
        words=f'"{wording.format}": {wording.kernels}' if wording else None,
        basis=basis,
        rules=rules,
        functions=(record.function,),
        file=record.file,
        errno=record.errno,
        kernels=others,
        verdict=_verdict(kernel, rules, record.wordings),
        steps=_steps(record.steps, kernel, words),
        sources=_sources(rules, record.cases, record.sources),
        see=record.see,
    )


def subject(kind: str, name: str, kernel: Kernel | None) -> Explanation:
    """The explanation of a topic, finding, rule, message or errno by its id."""
    if kind == "topic":
        return _topic(name, kernel)
    if kind == "rule":
        return _rules(name, "rule", RULES[name].title, (RULES[name],), kernel)
    if kind == "errno":
        return _errno(name)
    record = next(m for m in MESSAGES if m.id == name)
    forms = tuple(f'"{w.format}" ({w.kernels})' for w in record.wordings)
    made = _of_message(record, kernel, None, what=record.what.replace("{", "<").replace("}", ">"), words={})
    return _replace_kernels(made, forms)


def function(name: str, kernel: Kernel | None) -> Explanation:
    """What a kernel function checks: the rules and messages that name it."""
    rules = tuple(r for r in RULES.values() if name in r.functions)
    messages = tuple(m.id for m in MESSAGES if m.function == name)
    if not rules:
        rules = tuple({m.rule: RULES[m.rule] for m in MESSAGES if m.function == name and m.rule}.values())
    base = _rules(name, "function", "a kernel function, and the rules it enforces", rules, kernel)
    return Explanation(
        id=name,
        kind="function",
        title=base.title,
        what=_listing(rules),
        rules=rules,
        functions=(name,),
        verdict=base.verdict,
        sources=base.sources,
        see=messages,
    )


def fault(name: str) -> Explanation | None:
    """A kind of fault of ``faults()``: the invariant, and the kernel bug or rule behind it. None for other names."""
    from sparsemem.machine.faults import FAULTS  # late: it brings the whole model in

    kind = FAULTS.get(name)
    if kind is None:
        return None
    return Explanation(
        id=name,
        kind="fault",
        title=f"a broken invariant ({kind.severity})",
        what=(
            f"What must hold: {kind.rule} A machine with this fault breaks it: a bug of its kernel, or residue of a "
            "step that failed half-way."
        ),
        sources=(kind.source,),
        steps=(Step("Let the doctor say where.", ("sparsemem", "doctor")),),
    )


def place(where: Place, at: str, name: str | None, line: str, kernel: Kernel | None) -> Explanation:
    """The explanation of a trace header."""
    rules = tuple(RULES[r] for r in where.rules)
    return Explanation(
        id="warning",
        kind="warning",
        title=where.title,
        what=where.what,
        line=line,
        rules=rules,
        functions=(name,) if name else (),
        file=at,
        verdict=_verdict(kernel, rules, ()),
        sources=_sources(rules, where.cases, ()),
        steps=(Step("Read the lines before and after the trace header.", ("dmesg",)),),
    )


def _topic(name: str, kernel: Kernel | None) -> Explanation:
    topic = TOPICS[name]
    rules = tuple(RULES[r] for r in topic.rules)
    functions = tuple(dict.fromkeys(f for r in rules for f in r.functions))[:6]
    return Explanation(
        id=topic.id,
        kind="finding" if topic.finding else "topic",
        title=topic.title,
        what=topic.text,
        rules=rules,
        functions=functions,
        kernels=(topic.kernels,) if topic.kernels else (),
        verdict=_verdict(kernel, rules, ()),
        steps=_steps(topic.steps, kernel, {}),
        sources=_sources(rules, topic.cases, topic.sources),
        see=topic.see,
    )


def _rules(name: str, kind: str, title: str, rules: tuple[Rule, ...], kernel: Kernel | None) -> Explanation:
    related = tuple(m.id for m in MESSAGES if m.rule in {r.id for r in rules})
    functions = tuple(dict.fromkeys(f for r in rules for f in r.functions))
    errnos = dict.fromkeys(e for r in rules for e in r.errnos)
    return Explanation(
        id=name,
        kind=kind,
        title=title,
        what=rules[0].text if len(rules) == 1 else _listing(rules),
        functions=functions,
        rules=rules if len(rules) > 1 else (),
        errno=", ".join(errnos) or None,
        kernels=tuple(dict.fromkeys(r.kernels for r in rules)),
        verdict=_verdict(kernel, rules, ()),
        sources=_sources(rules, (), ()),
        see=related,
    )


def _errno(name: str) -> Explanation:
    number, words, meaning = ERRNOS[name]
    records = [m for m in MESSAGES if m.errno == name]
    rules = [r for r in RULES.values() if name in r.errnos]
    if rules:
        meaning += "\nRules that answer it: " + "; ".join(f"{r.id} ({r.title})" for r in rules) + "."
    return Explanation(
        id=name,
        kind="errno",
        title=f'errno {number}, "{words}"',
        what=meaning,
        functions=tuple(dict.fromkeys(r.functions[0] for r in rules))[:12],
        errno=name,
        steps=(
            Step("The kernel log says which of its reasons it was; paste that line to sparsemem explain.", ("dmesg",)),
        ),
        see=tuple(dict.fromkeys((*(r.id for r in rules), *(m.id for m in records))))[:12],
    )


def _listing(rules: tuple[Rule, ...]) -> str:
    return "It enforces: " + "; ".join(f"{r.id} ({r.title})" for r in rules) + "." if rules else "No rule names it."


def _replace_kernels(made: Explanation, forms: tuple[str, ...]) -> Explanation:
    return replace(made, kernels=tuple(f"the words: {form}" for form in forms))


def _sources(rules: tuple[Rule, ...], cases: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*(r.source for r in rules), *more, *(CASES[c] for c in cases))))


def _steps(steps: tuple[Step, ...], kernel: Kernel | None, words: dict[str, str]) -> tuple[Step, ...]:
    """The steps that fit the kernel, with the names that the line told filled in."""
    fitting = (s for s in steps if s.until is None or kernel is None or kernel.version.series <= _series(s.until))
    return tuple(Step(_fill(s.why, words), tuple(_fill(a, words) for a in s.argv), s.until) for s in fitting)


def _series(text: str) -> tuple[int, int]:
    major, minor = text.split(".")[:2]
    return int(major), int(minor)


def _holds(since: str | None, until: str | None, series: tuple[int, int]) -> bool:
    return (since is None or series >= _series(since)) and (until is None or series <= _series(until))


def _verdict(kernel: Kernel | None, rules: tuple[Rule, ...], wordings: tuple[Wording, ...]) -> str | None:
    """What the record says about the kernel asked for, by its release series; vendor backports are not known here."""
    if kernel is None:
        return None
    series, parts = kernel.version.series, []
    parts += [
        f"rule {r.id} {'holds' if _holds(r.since, r.until, series) else 'does not hold'} ({r.kernels})" for r in rules
    ]
    forms = [w.format for w in wordings if _holds(w.since, w.until, series)]
    if wordings:
        parts.append(f'it prints "{forms[0]}"' if forms else "it does not print this message")
    return f"on {kernel.version}: " + "; ".join(parts) if parts else None


def _words(hit: Hit) -> dict[str, str]:
    words = dict(hit.words)
    name = hit.device or words.get("device") or words.get("namespace")
    match = re.fullmatch(r"(namespace|pfn|dax|btt|region)(\d+)(?:\.(\d+))?", name or "")
    if match and name:
        words.setdefault("device", name)
        if match[1] in ("namespace", "pfn", "btt", "region"):
            words["<region>"] = f"region{match[2]}"
        words[{"namespace": "<namespace>", "dax": "<daxX.Y>"}.get(match[1], "")] = name
    return words


def _fill(text: str, words: dict[str, str]) -> str:
    filled = _FIELD.sub(lambda m: words.get(m[1]) or f"<{m[1]}>", text)
    for mark in ("<namespace>", "<daxX.Y>", "<region>"):
        filled = filled.replace(mark, words.get(mark, mark))
    return filled


def _by_errno(record: Message, hit: Hit) -> str:
    number = hit.values.get("errno")
    if number is None and "reason" in hit.words:
        name = errno_of(hit.words["reason"].rstrip("."))
        number = -ERRNOS[name][0] if name else None
    text = dict(record.by_errno).get(-abs(number)) if number else None
    return f" {text}" if text else ""
