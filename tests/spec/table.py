"""The features as a table that a reviewer reads.

After a review: ``python -m tests.spec.table > tests/spec/features.txt``.
"""

from __future__ import annotations

from sparsemem.spec import history, kernel

VERSIONS = (
    "4.19", "5.0", "5.1-rc1", "5.1", "5.2", "5.3-rc7", "5.3", "5.4.0", "5.4", "5.5", "5.6-rc2", "5.6-rc7",
    "5.6", "5.7", "5.8", "5.9", "5.10.0", "5.10", "5.11", "5.12", "5.13", "5.14", "5.15.0", "5.15", "5.17",
    "5.18", "6.0", "6.1.0", "6.1", "6.5", "6.6.0", "6.6", "6.8", "6.10", "6.12.0", "6.12", "6.13", "6.14",
    "6.15", "6.17", "6.18", "7.0", "7.1", "7.2", "7.3",
)  # fmt: skip
HEAD = """\
# Every feature on every kernel that matters: the golden table of sparsemem.spec. Reviewed, never updated blindly.
# A bare long-term series is its newest stable release. x86_64, or the architecture in brackets.
# "+" has it, "." has not; several values are numbered in order of appearance and listed below the line.
"""


def arch_of(record: object) -> str:
    """The architecture that a record speaks for: the first of the last era that names any, else x86_64."""
    named = [era.arches for era in record.eras if era.arches]  # type: ignore[attr-defined]
    return named[0][0] if named and "x86_64" not in named[0] else "x86_64"


def render() -> str:
    """The whole table."""
    records = history()
    label = {r.name: r.name + ("" if arch_of(r) == "x86_64" else f" [{arch_of(r)}]") for r in records}
    width = max(map(len, label.values()))
    lines = []
    for depth in range(max(map(len, VERSIONS))):
        column = " ".join(v[depth] if depth < len(v) else " " for v in VERSIONS)
        lines.append(f"{'':{width}}  {column}".rstrip())
    for record in records:
        values = [getattr(kernel(v, arch_of(record)).features, record.name) for v in VERSIONS]
        seen: list[object] = []
        for value in values:
            if value not in seen:
                seen.append(value)
        if isinstance(values[0], bool):
            marks = ["+" if value else "." for value in values]
        else:
            marks = [str(seen.index(value) + 1) for value in values]
        lines.append(f"{label[record.name]:{width}}  {' '.join(marks)}")
        if not isinstance(values[0], bool):
            lines += [f"    {i}: {value!r}" for i, value in enumerate(seen, 1)]
    return HEAD + "\n" + "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render(), end="")
