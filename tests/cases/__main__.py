"""``python -m tests.cases C01``: a case as the doctor sees it, and what its remedies do; without a name, all of them, a line a remedy."""

from __future__ import annotations

import sys

from sparsemem.doctor import render_text
from tests.cases.running import start
from tests.cases.table import FailedError, Row, check, load


def _show(row: Row) -> None:
    subject = start(row.machine, row.kernel)
    for step in subject.steps:
        print(f"$ {step.command}\n{step.stdout.rstrip()}")
    print(render_text(subject.diagnosis, width=100))


def main(names: list[str]) -> int:
    """Exit code 0 when every row holds."""
    rows, not_done = load()
    wanted = [name.upper() for name in names]
    for name in wanted:
        if name in not_done:
            print(f"{name}: not in the table. {not_done[name]}")
        elif name not in {row.id for row in rows}:
            print(f"{name}: no such case", file=sys.stderr)
            return 2
    failed = 0
    for row in (row for row in rows if not wanted or row.id in wanted):
        if wanted:
            _show(row)
        try:
            outcome = check(row)
        except FailedError as error:
            failed += 1
            print(f"{row.id} {row.finding}: FAILED: {error}")
            continue
        for cure, text in zip(row.cure, outcome.verified, strict=True):
            print(f"{row.id} {row.finding}: {'works' if cure.stays else 'gone'}: {text}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
