"""From words to topics: exact names first, then names inside a longer text, then the nearest spelling."""

from __future__ import annotations

import difflib
import re
from functools import cache

from sparsemem.explain.errnos import ERRNOS
from sparsemem.explain.messages import MESSAGES
from sparsemem.explain.topics import TOPICS
from sparsemem.spec.rules import RULES

__all__ = ["Subject", "find_inside", "find_name", "function_names", "nearest"]

Subject = tuple[str, str]
"""A kind ("topic", "rule", "message", "errno") and an id."""

_MAX = 200


def _key(text: str) -> str:
    return " ".join(re.sub(r"[\s_\-]+", " ", text.lower().strip(" \t\"'`?.!()")).split())


@cache
def _names() -> dict[str, Subject]:
    """Later entries do not replace earlier ones: a topic goes before a rule, a rule before a message."""
    table: dict[str, Subject] = {}
    for topic in TOPICS.values():
        for name in (topic.id, *topic.names):
            table.setdefault(_key(name), ("topic", topic.id))
    for rule_id in RULES:
        table.setdefault(_key(rule_id), ("rule", rule_id))
    for message in MESSAGES:
        table.setdefault(_key(message.id), ("message", message.id))
    for name in ERRNOS:
        table.setdefault(_key(name), ("errno", name))
    return table


@cache
def function_names() -> frozenset[str]:
    """Kernel functions that a rule or a message names."""
    names = {f for r in RULES.values() for f in r.functions} | {m.function for m in MESSAGES}
    return frozenset(name for name in names if name.isidentifier())


def find_name(text: str) -> Subject | None:
    """The subject of that exact name; case, blanks, hyphens, underscores and a plural s do not matter."""
    key = _key(text[:_MAX])
    return _names().get(key) or (_names().get(key[:-1]) if key.endswith("s") else None)


def find_inside(text: str) -> Subject | None:
    """The longest name that occurs as whole words inside a longer text."""
    padded = f" {_key(re.sub(r'[,;:?!]', ' ', text[:_MAX]))} "
    inside = [name for name in _names() if len(name) > 3 and f" {name} " in padded]
    return _names()[max(inside, key=len)] if inside else None


def nearest(text: str, count: int = 5) -> tuple[str, ...]:
    """Names that look like the text, for a person who mistyped."""
    key = _key(text[:_MAX])
    close = difflib.get_close_matches(key, list(_names()), n=count, cutoff=0.6)
    words = {w for w in key.split() if len(w) > 3}
    shared = [name for name in _names() if words & set(name.split())]
    ids = dict.fromkeys(_names()[name][1] for name in (*close, *shared))
    return tuple(ids)[:count]
