"""The capacity balance as text: a paragraph a region, dax device or CXL window."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sparsemem.doctor.balance import KINDS
from sparsemem.units import format_size

if TYPE_CHECKING:
    from sparsemem.doctor.balance import Balance

__all__ = ["render_balances"]

_MOST = 6


def _tells(balance: Balance) -> bool:
    """Is there more to say than that all of it is data, or free?"""
    return len(balance.shares) > 1 or balance.lost > 0


def _lines(balance: Balance, width: int) -> list[str]:
    parts = [f"{format_size(size)} {KINDS[kind]}" for kind, size in balance.shares]
    text = f"{balance.name}: {format_size(balance.raw)} = " + " + ".join(parts) + "."
    lines = textwrap.wrap(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    more = []
    if balance.in_ram and balance.kind == "region" and balance.in_ram[0][1]:
        first, *rest = balance.in_ram
        others = ", ".join(f"{format_size(size)} with {format_size(page)}" for page, size in rest)
        more.append(
            f"With map=mem its page arrays take {format_size(first[1])} of RAM (pages of {format_size(first[0])}; {others})."
        )
    if balance.unit is not None and (balance.share("free") or balance.share("unusable")):
        more.append(f"New namespaces: multiples of {format_size(balance.unit)}.")
    if more:
        lines += textwrap.wrap(
            " ".join(more),
            width,
            initial_indent="  ",
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )
    return lines


def render_balances(balances: tuple[Balance, ...], width: int) -> list[str]:
    """Lines below a heading; none where everything is data or free. What loses most comes first where there are many."""
    telling = [balance for balance in balances if _tells(balance)]
    if not telling:
        return []
    shown = telling
    if len(telling) > _MOST:
        shown = sorted(telling, key=lambda balance: -balance.lost)[:_MOST]
    lines = ["", "Where the capacity is:"]
    for balance in shown:
        lines += _lines(balance, width)
    if len(telling) > _MOST:
        lines.append(f"{len(telling) - _MOST} more; --json has them all")
    return lines
