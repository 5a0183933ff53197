"""A case by its name ("C01"): what it was, where it is told, and what it belongs to."""

from __future__ import annotations

from sparsemem.explain.cases import CASES
from sparsemem.explain.explanation import Explanation
from sparsemem.explain.messages import MESSAGES
from sparsemem.explain.topics import TOPICS

__all__ = ["explain_case"]


def explain_case(name: str) -> Explanation | None:
    """The case with its address, and the topics and messages that quote it; None for a name that is none."""
    key = name.strip().upper()
    record = CASES.get(key)
    if record is None:
        return None
    title, colon, address = record.partition(": https://")
    return Explanation(
        id=key,
        kind="case",
        title=title,
        what="What happened to somebody, with public words and numbers. docs/cases.md has the machine, what the doctor says of it, and the "
        "remedy as it was verified, or the reason why the case can not be done.",
        sources=(f"https://{address}",) if colon else (),
        see=(
            *(topic.id for topic in TOPICS.values() if key in topic.cases),
            *(message.id for message in MESSAGES if key in message.cases),
        ),
    )
