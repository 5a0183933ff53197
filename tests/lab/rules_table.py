"""``python -m tests.lab.rules_table``: the table of rules in docs/lab.md, from rules.toml, the recordings and their listed exceptions."""

from __future__ import annotations

import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

from tests.tools.test_transcripts_nd import EXCEPTIONS

TESTS = Path(__file__).parents[1]
DOCUMENT = TESTS.parent / "docs" / "lab.md"
BEGIN, END = "<!-- rules: begin -->\n", "<!-- rules: end -->\n"


def recordings() -> dict[str, set[str]]:
    """Scenario -> the kernels that it was recorded on."""
    found: dict[str, set[str]] = {}
    for path in TESTS.glob("transcripts*/*@*.json"):
        name, _, kernel = path.stem.partition("@")
        if "+" not in kernel:
            found.setdefault(name, set()).add(kernel)
    return found


def _order(kernel: str) -> list[int]:
    return [int(part) for part in kernel.split(".")]


def table() -> str:
    """The Markdown text."""
    known = recordings()
    lines = ["| rule | what | scenarios | kernels | agreed |", "|---|---|---|---|---|"]
    rules = tomllib.loads((TESTS / "lab" / "rules.toml").read_text())["rule"]
    for rule in rules:
        names = sorted({name for name in known if any(fnmatch(name, each) for each in rule["scenarios"])})
        pairs = [(name, kernel) for name in names for kernel in known[name]]
        apart = [pair for pair in pairs if any(re.fullmatch(each[0], "@".join(pair)) for each in EXCEPTIONS)]
        kernels = ", ".join(sorted({kernel for _, kernel in pairs}, key=_order))
        agreed = f"all {len(pairs)}" if not apart else f"all {len(pairs)}, {len(apart)} with a listed exception"
        shown = ", ".join(f"`{each}`" for each in rule["scenarios"])
        lines.append(f"| {rule['section']} | {rule['what']} | {shown} ({len(names)}) | {kernels} | {agreed} |")
    used = {name for name in known for rule in rules if any(fnmatch(name, each) for each in rule["scenarios"])}
    total = sum(len(kernels) for kernels in known.values())
    lines += [
        "",
        f"{len(known)} scenarios ({len(used)} of them in the table), {total} recordings; the test suite replays each one.",
    ]
    return "\n".join(lines) + "\n"


def renewed(text: str) -> str:
    """The document with the table of today."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table()}{END}{after}"


if __name__ == "__main__":
    DOCUMENT.write_text(renewed(DOCUMENT.read_text()))
