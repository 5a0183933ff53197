"""docs/cases.md between its markers, from cases.toml and what the doctor says: ``python -m tests.cases.document docs/cases.md``."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sparsemem.explain.cases import CASES
from sparsemem.units import format_size
from tests.cases.table import Outcome, Row, check, load

__all__ = ["BEGIN", "END", "table", "updated"]

BEGIN, END = "<!-- cases: begin -->", "<!-- cases: end -->"
_COLUMNS = (
    "case",
    "who, when",
    "what the doctor says",
    "the kernel's words",
    "bytes",
    "remedy",
    "verified: it is gone",
)
_HEAD = f"| {' | '.join(_COLUMNS)} |\n{'|---' * len(_COLUMNS)}|\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def _link(case: str) -> str:
    url = re.search(r"https://\S+", CASES[case])
    return f"[{case}]({url[0]})" if url else case


def _words(row: Row, outcome: Outcome) -> str:
    says = list(dict.fromkeys(line for each in outcome.findings for line in each.kernel_says))
    if not says:
        return "says nothing"
    told = {line: row.reported and any(words in line for words in row.quoted) for line in says}
    return "<br>".join(f"`{_cell(line)}` (the {'report' if told[line] else 'model'}'s)" for line in says)


def _bytes(row: Row, outcome: Outcome) -> str:
    kind = "lost" if any(each.lost for each in outcome.findings) or row.counted.startswith("balance") else "concerned"
    if row.finding == "interleave-unit":
        kind = "the next legal size"
    return f"{format_size(outcome.lost)} {kind}: `{row.lost}`"


def _line(row: Row, outcome: Outcome) -> str:
    first = outcome.findings[0]
    what = "<br>".join(_cell(each.what) for each in outcome.findings)
    remedies = "<br>".join(_cell(text) for text in dict.fromkeys(outcome.remedies))
    verified = "<br>".join(_cell(text) for text in outcome.verified)
    kernel = f", judged for {row.kernel}" if row.kernel else ""
    cells = (
        _link(row.id),
        f"{_cell(row.who)} ([{row.machine}](../tests/cases/machines/{row.machine}){kernel})",
        f"**{first.severity}** `{first.id}`: {what}",
        _words(row, outcome),
        _bytes(row, outcome),
        remedies,
        f"{verified}<br>`python -m tests.cases {row.id}`",
    )
    return f"| {' | '.join(cells)} |\n"


def table() -> str:
    """The table, and the cases that are not in it. Raises FailedError where a row does not hold."""
    rows, not_done = load()
    done = "".join(_line(row, check(row)) for row in rows)
    reasons = "".join(f"| {_link(case)} | {_cell(why)} |\n" for case, why in sorted(not_done.items()))
    return f"{_HEAD}{done}\n## Not in the table\n\n| case | why |\n|---|---|\n{reasons}"


def updated(text: str) -> str:
    """The document with the table between its markers."""
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    if not rest or not tail:
        raise ValueError(f"no place for the table: put {BEGIN} and {END} into the document")
    return f"{head}{BEGIN}\n\n{table()}\n{END}{tail}"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(updated(path.read_text()))
