"""What a segment looks like: size, money, age, products, stages, who pays, who is reached."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from contactopt.errors import ConfigError
from contactopt.metrics.share import share_estimate

__all__ = ["SegmentProfile", "profile"]

_AMOUNTS = ("balance", "past_due", "days_past_due")
_MIXES = ("stage", "bucket", "balance_band", "behaviour", "product", "age_band")
_SHARES = {
    "paid": "customers with a debt on record before the window",
    "reached": "customers with an outbound contact of known outcome in the window",
}
_QUANTILES = {"p10": 0.1, "p50": 0.5, "p90": 0.9}
_TOO_FEW = "not enough data"
_FEW = "(few)"


@dataclass(frozen=True, eq=False, repr=False)
class SegmentProfile:
    """Profiles of groups of customers; made by `profile`.

    Parameters
    ----------
    frame : DataFrame
        One row per group: n_customers, share (of all customers); quantiles ``balance_p10`` to
        ``days_past_due_p90`` over the n of ``..._of`` customers for whom the number is known;
        ``paid_share``, ``paid_low``, ``paid_high`` and ``paid_of`` (and the same for reached):
        share, its interval, and the customers it is a share of; texts of the stage, product and
        age mix. Numbers that rest on fewer than ``min_customers`` are NaN.
    mix : DataFrame
        The mixes in long form: group, column, value, n_customers, share.
    by : str
    min_customers : int
    level : float
        Of the intervals.
    """

    frame: pd.DataFrame
    mix: pd.DataFrame
    by: str
    min_customers: int
    level: float

    def to_frame(self) -> pd.DataFrame:
        """Return the profiles, one row per group."""
        return self.frame.copy()

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        facts = self._words().drop(columns=[self.by])
        groups = list(self.frame[self.by])
        lines = [self._head()]
        for k, name in enumerate(groups):
            lines.append(f"{name}")
            lines += [f"  {head:<14}{facts[head].iloc[k]}" for head in facts.columns]
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        return f"<p>{escape(self._head())}</p>" + self._words().to_html(index=False, escape=True)

    def _head(self) -> str:
        of = "; ".join(f"{name}: of {of}" for name, of in _SHARES.items())
        return (
            f"SegmentProfile by {self.by}, {len(self):,} groups. Amounts: median (10 % to 90 %) of "
            f"those for whom they are known. Shares with intervals at {self.level:.0%}; {of}. "
            f"Numbers that rest on fewer than {self.min_customers} customers are not told."
        )

    def _words(self) -> pd.DataFrame:
        """Return the profile as people read it, one text column per fact."""
        f = self.frame
        count = zip(f["n_customers"], f["share"], strict=True)
        out: dict[str, Any] = {
            self.by: f[self.by].astype(str),
            "customers": [f"{n:,} ({share:.1%})" for n, share in count],
        }
        for name in (c.removesuffix("_p50") for c in f.columns if str(c).endswith("_p50")):
            parts = (f[f"{name}_{q}"] for q in (*_QUANTILES, "of"))
            out[name.replace("_", " ")] = [
                f"{_TOO_FEW} (n={n:,})"
                if np.isnan(mid)
                else f"{_short(mid)} ({_short(low)} to {_short(high)}) (n={n:,})"
                for low, mid, high, n in zip(*parts, strict=True)
            ]
        for name in (s for s in _SHARES if f"{s}_share" in f):
            parts = (f[f"{name}_{p}"] for p in ("share", "low", "high", "of"))
            out[name] = [
                f"{_TOO_FEW} (n={n:,})"
                if np.isnan(share)
                else f"{share:.1%} [{low:.1%}, {high:.1%}] (n={n:,})"
                for share, low, high, n in zip(*parts, strict=True)
            ]
        for name in (m for m in _MIXES if f"{m}_mix" in f):
            out[f"{name.replace('_', ' ')}s"] = f[f"{name}_mix"]
        return pd.DataFrame(out)


def _short(x: float) -> str:
    """Write whole numbers from 10 on, two digits below."""
    return f"{x:,.0f}" if abs(x) >= 10 or x == round(x) else f"{x:.2g}"


def profile(
    frame: pd.DataFrame,
    by: str | Sequence[str] = "segment",
    *,
    amounts: Sequence[str] = (),
    min_customers: int = 30,
    min_cell: int = 5,
    level: float = 0.95,
) -> SegmentProfile:
    """Describe groups of customers.

    Parameters
    ----------
    frame : DataFrame
        One row per customer, such as `ContactStrategy.segment` returns; columns that are missing
        are left out of the profile.
    by : str or sequence of str
        Column of the groups, or columns whose combinations are the groups (``30 to 44 · tax``);
        null is a group of its own, `(none)`.
    amounts : sequence of str
        Further columns of numbers to tell quantiles of, beside balance, past_due, days_past_due.
    min_customers : int
        Numbers that rest on fewer customers are not told.
    min_cell : int
        Parts of a mix with fewer customers stand together as ``(few)``: nobody is singled out.
    level : float
        Confidence level of the intervals, in (0, 1).

    Returns
    -------
    SegmentProfile
        Groups in their own order (categories), else by name. No rows: no groups.

    Raises
    ------
    ConfigError
        If the column does not exist, or a number is out of range.

    Notes
    -----
    Groups are those of the frame's instant, while `paid` and `reached` look back from it: who
    has paid is in a better group by now, so these shares describe and do not predict.

    Examples
    --------
    >>> frame = pd.DataFrame({"segment": ["a", "a", "b"], "balance": [1.0, 3.0, 5.0]})
    >>> profile(frame, min_customers=1).frame[["segment", "n_customers", "balance_p50"]]
      segment  n_customers  balance_p50
    0       a            2          2.0
    1       b            1          5.0
    """
    columns = [by] if isinstance(by, str) else list(by)
    if absent := [c for c in (*columns, *amounts) if c not in frame]:
        raise ConfigError(
            f"the frame has no column {absent[0]!r}",
            hint=f"it has {', '.join(map(str, frame.columns))}",
        )
    if min_customers < 1 or min_cell < 1 or not columns or not 0 < level < 1:
        raise ConfigError(
            "minima must be at least 1, level between 0 and 1, by at least one column"
        )
    codes, names = _combined([_groups(frame[c]) for c in columns])
    by = " · ".join(columns)
    mixes = [
        _mix(frame, codes, names, by, c, min_customers, min_cell)
        for c in _MIXES
        if c in frame and c not in columns
    ]
    mix = pd.concat(mixes, ignore_index=True) if mixes else _mix_frame(by)
    rows = []
    for k, name in enumerate(names):
        part = frame[codes == k]
        row: dict[str, Any] = {by: name, "n_customers": len(part), "share": len(part) / len(frame)}
        for column in _told_amounts(frame, amounts):
            row |= _quantiles(part[column], column, min_customers)
        for column in (c for c in _SHARES if c in frame):
            row |= _share(part[column], column, min_customers, level)
        rows.append(row)
    out = pd.DataFrame(rows, columns=None if rows else [by, "n_customers", "share"])
    for column in mix["column"].unique():
        texts = _mix_texts(mix[mix["column"] == column], by)
        out[f"{column}_mix"] = out[by].map(texts)
    return SegmentProfile(out, mix, by, min_customers, level)


def _told_amounts(frame: pd.DataFrame, amounts: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*(c for c in _AMOUNTS if c in frame), *amounts]))


def _combined(parts: list[tuple[np.ndarray, list[str]]]) -> tuple[np.ndarray, list[str]]:
    """Return codes and names of the combinations that somebody is in, in the columns' order."""
    codes, names = parts[0]
    for more, words in parts[1:]:
        both = codes * len(words) + more
        used, codes = np.unique(both, return_inverse=True)
        names = [f"{names[u // len(words)]} · {words[u % len(words)]}" for u in used]
        codes = codes.ravel()
    return codes, names


def _groups(column: pd.Series) -> tuple[np.ndarray, list[str]]:
    """Return codes and names of the groups that somebody is in; a category's order is kept."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        codes, words = column.cat.codes.to_numpy(np.int64), [str(c) for c in column.cat.categories]
    else:
        found, names = pd.factorize(column, sort=True)
        codes, words = np.asarray(found, dtype=np.int64), [str(n) for n in names]
    codes = np.where(codes < 0, len(words), codes)
    words.append("(none)")
    used = np.unique(codes)
    new = np.full(len(words), -1, dtype=np.int64)
    new[used] = np.arange(len(used))
    return new[codes], [words[u] for u in used]


def _quantiles(column: pd.Series, name: str, least: int) -> dict[str, Any]:
    known = column.dropna().to_numpy(dtype=np.float64)
    told = len(known) >= least
    found = {
        f"{name}_{q}": float(np.quantile(known, at)) if told else np.nan
        for q, at in _QUANTILES.items()
    }
    return found | {f"{name}_of": len(known)}


def _share(column: pd.Series, name: str, least: int, level: float) -> dict[str, Any]:
    known = column.dropna().to_numpy(dtype=bool)
    found = share_estimate(int(known.sum()), len(known), level=level)
    told = len(known) >= least
    return {
        f"{name}_share": found.value if told else np.nan,
        f"{name}_low": found.low if told else np.nan,
        f"{name}_high": found.high if told else np.nan,
        f"{name}_of": len(known),
    }


def _mix_frame(by: str) -> pd.DataFrame:
    return pd.DataFrame(columns=[by, "column", "value", "n_customers", "share"])


def _mix(
    frame: pd.DataFrame,
    codes: np.ndarray,
    names: list[str],
    by: str,
    column: str,
    least: int,
    min_cell: int,
) -> pd.DataFrame:
    value, words = _groups(frame[column])
    table = np.zeros((len(names), len(words) + 1), dtype=np.int64)
    np.add.at(table, (codes, value), 1)
    few = table < min_cell
    table[:, -1] = np.where(few, table, 0).sum(axis=1)
    table[:, :-1][few[:, :-1]] = 0
    words = [*words, _FEW]
    total = table.sum(axis=1)
    group, word = np.nonzero(table)
    count = table[group, word]
    share = np.where(total[group] >= least, count / np.maximum(total[group], 1), np.nan)
    return pd.DataFrame(
        {
            by: np.array(names, dtype=object)[group] if len(names) else [],
            "column": column,
            "value": np.array(words, dtype=object)[word] if len(words) else [],
            "n_customers": count,
            "share": share,
        }
    ).astype({by: "str", "column": "str", "value": "str"})


def _mix_texts(mix: pd.DataFrame, by: str) -> dict[str, str]:
    """Return the three largest parts of each group's mix as text."""
    out = {}
    for name, part in mix.groupby(by, sort=False):
        if part["share"].isna().all():
            out[name] = _TOO_FEW
            continue
        top = part.sort_values(["share", "value"], ascending=[False, True])
        words = [
            f"{v.replace('_', ' ')} {s:.0%}"
            for v, s in zip(top["value"].iloc[:3], top["share"].iloc[:3], strict=True)
        ]
        rest = 1 - top["share"].iloc[:3].sum()
        out[name] = ", ".join(words) + (f", others {rest:.0%}" if len(top) > 3 else "")
    return out
