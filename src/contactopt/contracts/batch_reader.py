"""From the long form to a scored batch: checked first, then scattered into dense arrays."""

from __future__ import annotations

import re
from typing import Any
from zoneinfo import available_timezones

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from contactopt.contracts.action_space import Action, ActionSpace
from contactopt.contracts.batch_columns import BATCH_COLUMNS, NOT_SCORED, REASON_SEPARATOR
from contactopt.contracts.cast import STRING, cast_column, empty_column
from contactopt.contracts.native_frames import to_pandas
from contactopt.contracts.scored_batch import NO_INSTANT, ScoredBatch
from contactopt.contracts.slot_starts import next_starts
from contactopt.contracts.vocabulary import CHANNELS, WAIT
from contactopt.errors import ContactoptError, ContractError, sample_ids

__all__ = ["batch_from_frame"]

Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def batch_from_frame(
    frame: Any, *, as_of: str | pd.Timestamp | None, currency: str | None
) -> ScoredBatch:
    """Read the long form; see `ScoredBatch.from_frame`."""
    raw = to_pandas(frame, "the scores")
    faults: list[str] = []
    when = _one_instant(raw, as_of, faults)
    money = _one_currency(raw, currency, faults)
    table = _typed(raw.reset_index(drop=True), faults)
    if faults:
        raise _refusal(faults)
    _check(table, faults)
    if faults:
        raise _refusal(faults)
    assert when is not None and money is not None
    _place_slots(table, when)
    return _Scatter(table).batch(when, money, _dropped(raw))


def _refusal(faults: list[str]) -> ContractError:
    return ContractError(
        "the scores do not meet the contract:\n" + "\n".join(f"  {f}" for f in faults),
        faults=faults,
        hint="one row per customer and action; ScoredBatch.from_frame documents every column",
    )


def _dropped(raw: pd.DataFrame) -> dict[str, str]:
    extra = [str(c) for c in raw.columns if c not in (*BATCH_COLUMNS, "as_of", "currency")]
    return {"dropped_columns": ", ".join(extra)} if extra else {}


# ---- one instant, one currency ---------------------------------------------------------------


def _one_instant(raw: pd.DataFrame, given: Any, faults: list[str]) -> pd.Timestamp | None:
    from contactopt.contracts.checks import as_instant

    values = [] if given is None else [given]
    if "as_of" in raw:
        cast = cast_column(raw["as_of"], "instant")
        if cast.structural or cast.bad:
            faults.append("as_of: not an instant with a time zone")
            return None
        values += list(cast.values.dropna().unique())
    try:
        instants = {as_instant(v) for v in values}
    except ContactoptError as error:
        faults.append(error.message)
        return None
    if len(instants) != 1:
        told = "several instants" if instants else "missing: give it as column or argument"
        faults.append(f"as_of: {told}")
        return None
    return instants.pop()


def _one_currency(raw: pd.DataFrame, given: str | None, faults: list[str]) -> str | None:
    found = set() if given is None else {given}
    if "currency" in raw:
        found |= set(raw["currency"].dropna().astype(str).unique())
    if len(found) != 1:
        told = "several" if found else "missing: give it as column or argument"
        faults.append(f"currency: {told}")
        return None
    code = str(found.pop())
    if re.fullmatch("[A-Z]{3}", code) is None:
        faults.append("currency: not an ISO 4217 code such as USD")
    return code


# ---- reading and checking ----------------------------------------------------------------------


def _typed(raw: pd.DataFrame, faults: list[str]) -> pd.DataFrame:
    n, columns = len(raw), {}
    for name, column in BATCH_COLUMNS.items():
        if name not in raw:
            if column.needed:
                faults.append(f"missing column {name!r}")
            columns[name] = empty_column(column.kind, n)
            continue
        given = _joined(raw[name]) if name == "reasons" else raw[name]
        cast = cast_column(given, column.kind)
        if cast.structural:
            faults.append(f"{name}: {cast.structural}")
        faults += [f"{name}: {check} in {int(bad.sum())} row(s)" for check, bad in cast.bad.items()]
        values = cast.values
        wrong = np.zeros(n, bool)
        if column.least is not None:
            wrong |= np.asarray(values < column.least)
        if column.most is not None:
            wrong |= np.asarray(values > column.most)
        if wrong.any():
            faults.append(f"{name}: out of range in {int(wrong.sum())} row(s)")
        columns[name] = values
        if name == "allowed" and raw[name].isna().any():
            faults.append(f"allowed: empty in {int(raw[name].isna().sum())} row(s)")
    return pd.DataFrame(columns, index=pd.RangeIndex(n))


def _joined(raw: pd.Series) -> pd.Series:
    """Join lists of reasons by `|`; text stays as it is."""
    filled = raw.dropna()
    if filled.empty or isinstance(filled.iloc[0], str) or raw.dtype != object:
        return raw
    try:
        lists = pa.array(raw, type=pa.list_(pa.large_string()), from_pandas=True)
    except (pa.ArrowException, TypeError):
        return raw
    joined = pc.call_function(
        "binary_join", [lists, pa.scalar(REASON_SEPARATOR, pa.large_string())]
    )
    return pd.Series(joined.to_pandas(), dtype=STRING)


def _check(table: pd.DataFrame, faults: list[str]) -> None:
    for name in ("customer_id", "action_id", "channel"):
        empty = int(table[name].isna().sum())
        if empty:
            faults.append(f"{name}: empty in {empty} row(s)")
    waits = np.asarray((table["action_id"] == WAIT) | (table["channel"] == WAIT))
    allowed = np.asarray(table["allowed"], bool)
    other = np.asarray(table["value"].fillna(0.0) != 0.0)
    _note(table, waits & other, "value of `wait` is not 0", faults)
    acts = allowed & ~waits
    for name in ("value", "cost"):
        _note(table, acts & np.asarray(table[name].isna()), f"{name}: empty where allowed", faults)
    reasons = np.asarray(table["reasons"].notna())
    _note(table, acts & reasons, "reasons: given although allowed", faults)
    hour = table["slot_local_hour"]
    _note(table, np.asarray(hour % 1 > 0), "slot_local_hour: not a whole hour", faults)
    zones = table["time_zone"].dropna().unique()
    unknown = [z for z in zones if z not in available_timezones()]
    if unknown:
        faults.append(f"time_zone: {len(unknown)} name(s) that are no IANA zone")
    who, what = (pd.factorize(table[c])[0].astype(np.int64) for c in ("customer_id", "action_id"))
    pairs = pd.Series(who * (what.max(initial=0) + 1) + what)
    twice = np.asarray(pairs.duplicated(keep=False))
    _note(table, twice, "two rows for one customer and action", faults)
    sound = table[~waits]
    arms = _arms(sound)
    mixed = arms["action_id"][arms["action_id"].duplicated()].unique()
    if len(mixed):
        faults.append(
            f"action_id: {len(mixed)} action(s) with several channels or hours "
            f"({sample_ids(mixed)})"
        )
    for name in ("p_pay_wait", "time_zone"):
        if table[name].isna().all():
            continue
        by = table.groupby("customer_id", sort=False)[name].nunique()
        several = by[by > 1]
        if len(several):
            faults.append(
                f"{name}: differs between actions of {len(several)} customer(s) "
                f"({sample_ids(several.index)})"
            )


def _place_slots(table: pd.DataFrame, as_of: pd.Timestamp) -> None:
    """Give allowed actions that name an hour of a known clock the instant when it comes next.

    Without it whoever executes the plan is told no hour at all.
    """
    hour, zone = table["slot_local_hour"], table["time_zone"]
    zone = zone.groupby(table["customer_id"], sort=False).transform("first")
    rows = table["slot_start"].isna() & hour.notna() & zone.notna() & table["allowed"].astype(bool)
    at = np.flatnonzero(rows)
    if len(at):
        starts = next_starts(as_of, hour.to_numpy()[at], zone.to_numpy(object)[at])
        table.loc[at, "slot_start"] = starts.to_numpy()


def _note(table: pd.DataFrame, rows: Mask, fault: str, faults: list[str]) -> None:
    if rows.any():
        ids = sample_ids(table["customer_id"][rows].dropna().unique())
        faults.append(f"{fault} in {int(rows.sum())} row(s) ({ids})")


# ---- scattering ----------------------------------------------------------------------------------


def _sorted_codes(values: pd.Series) -> tuple[Codes, npt.NDArray[np.object_]]:
    """Return the position of each value among the sorted distinct ones, and those."""
    codes, names = pd.factorize(values)
    names = np.asarray(names, object)
    order = np.argsort(names, kind="stable")
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[codes], names[order]


class _Scatter:
    """Places rows of the long form in arrays of shape (n, m)."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.who, self.customer_ids = _sorted_codes(table["customer_id"])
        self.table = table
        waits = np.asarray((table["action_id"] == WAIT) | (table["channel"] == WAIT))
        self.acts = np.flatnonzero(~waits)
        self.long = table.iloc[self.acts].reset_index(drop=True)
        self.actions = _action_space(self.long)
        codes, names = pd.factorize(self.long["action_id"])
        position = {name: k for k, name in enumerate(self.actions.action_ids)}
        what = np.array([position[str(name)] for name in names], np.int64)[codes]
        self.shape = (len(self.customer_ids), len(self.actions))
        self.at = self.who[self.acts] * len(self.actions) + what

    def batch(self, as_of: pd.Timestamp, currency: str, meta: dict[str, str]) -> ScoredBatch:
        value = self._numbers("value", 0.0)
        cost, harm = self._numbers("cost", 0.0), self._numbers("harm", 0.0)
        gross = value + cost + harm
        lift = np.where(np.isnan(given := self._numbers("lift", np.nan)), gross, given)
        # the share that makes value = margin x lift - cost - harm hold
        margin = np.divide(gross, lift, out=np.ones(self.shape), where=np.abs(lift) > 1e-12)
        reason, reason_sets = self._reasons()
        pool, pools = self._pools()
        debt, debt_ids = self._ids("debt_id", np.int64)
        point, point_ids = self._ids("contact_point_id", np.int64)
        template, template_ids = self._ids("template_id", np.int16)
        offer, offer_ids = self._ids("offer_id", np.int16)
        return ScoredBatch(
            as_of=as_of,
            currency=currency,
            customer_ids=self.customer_ids,
            actions=self.actions,
            allowed=self._place(np.asarray(self.long["allowed"], bool), False),
            reason=reason,
            reason_sets=reason_sets,
            lawful_from=np.broadcast_to(np.int64(NO_INSTANT), self.shape),
            value=value,
            spread=self._numbers("spread", 0.0),
            p_reach=self._numbers("p_reach", np.nan),
            p_pay=self._numbers("p_pay", np.nan),
            lift=lift,
            cost=cost,
            harm=harm,
            margin=margin,
            p_pay_wait=self._per_customer("p_pay_wait"),
            amount=self._per_customer("amount"),
            pool=pool,
            pools=pools,
            usage=self._numbers("usage", 1.0),
            time_zone=self._zones(),
            slot_start=self._instants("slot_start"),
            start_before=self._instants("start_before"),
            debt=debt,
            debt_ids=debt_ids,
            contact_point=point,
            contact_point_ids=point_ids,
            template=template,
            template_ids=tuple(template_ids),
            offer=offer if len(offer_ids) else None,
            offer_ids=tuple(offer_ids),
            meta=meta,
        )

    def _place(self, values: npt.NDArray[Any], empty: Any) -> npt.NDArray[Any]:
        flat = np.full(self.shape[0] * self.shape[1], empty, dtype=values.dtype)
        flat[self.at] = values
        return flat.reshape(self.shape)

    def _numbers(self, column: str, empty: float) -> npt.NDArray[np.float64]:
        values = self.long[column].to_numpy(np.float64)
        if np.isnan(values).all():
            return np.broadcast_to(np.float64(empty), self.shape)
        return self._place(np.where(np.isnan(values), empty, values), empty)

    def _instants(self, column: str) -> npt.NDArray[np.int64]:
        values = self.long[column]
        null = np.asarray(values.isna())
        if null.all():
            return np.broadcast_to(np.int64(NO_INSTANT), self.shape)
        us = values.dt.tz_localize(None).to_numpy("datetime64[us]").astype(np.int64)
        return self._place(np.where(null, NO_INSTANT, us), NO_INSTANT)

    def _ids(self, column: str, dtype: Any) -> tuple[npt.NDArray[Any], npt.NDArray[np.object_]]:
        codes, names = pd.factorize(self.long[column], sort=True)
        if len(names) > np.iinfo(dtype).max:
            raise ContractError(f"{column}: more than {np.iinfo(dtype).max} different ids")
        if not len(names):
            return np.broadcast_to(dtype(-1), self.shape), np.empty(0, object)
        return self._place(codes.astype(dtype), -1), np.asarray(names, object)

    def _pools(self) -> tuple[npt.NDArray[np.int16], tuple[str, ...]]:
        pool, channel = self.long["pool"], self.long["channel"]
        if pool.isna().any():
            pool = channel if pool.isna().all() else pool.where(pool.notna(), channel)
        codes, names = pd.factorize(pool, sort=True)
        # cells without a row draw on the channel's pool, and on nothing of it
        names = list(names)
        names += [c for c in self.actions.channels if c not in names]
        own = [names.index(a.channel) for a in self.actions]
        placed = np.empty(self.shape, np.int16)
        placed[:] = np.asarray(own, np.int16)
        placed.reshape(-1)[self.at] = codes.astype(np.int16)
        return placed, tuple(names)

    def _reasons(self) -> tuple[npt.NDArray[np.int32], tuple[tuple[str, ...], ...]]:
        codes, texts = pd.factorize(self.long["reasons"], sort=True)
        split = [tuple(sorted(set(filter(None, str(t).split(REASON_SEPARATOR))))) for t in texts]
        sets = sorted({(), (NOT_SCORED,), *split})
        position = {s: k for k, s in enumerate(sets)}
        lookup = np.array([position[s] for s in split] + [0], np.int32)
        return self._place(lookup[codes], position[(NOT_SCORED,)]), tuple(sets)

    def _per_customer(self, column: str) -> npt.NDArray[np.float64]:
        values = self.table[column].to_numpy(np.float64)
        given = ~np.isnan(values)
        n = self.shape[0]
        count = np.bincount(self.who[given], minlength=n)
        # sorted before the sum, so that the order of rows cannot change the last digit
        who, values = self.who[given], values[given]
        order = np.lexsort((values, who))
        who, values = who[order], values[order]
        mean = np.bincount(who, values, minlength=n) / np.maximum(count, 1)
        ends = np.cumsum(count)
        some = count > 0
        least, most = values[(ends - count)[some]], values[ends[some] - 1]
        found = np.full(n, np.nan)
        found[some] = np.where(least == most, least, mean[some])
        return found

    def _zones(self) -> npt.NDArray[np.object_]:
        zones = np.full(self.shape[0], "UTC", object)
        given = np.asarray(self.table["time_zone"].notna())
        zones[self.who[given]] = self.table["time_zone"][given].to_numpy(object)
        return zones


def _arms(long: pd.DataFrame) -> pd.DataFrame:
    """Return the distinct triples of action, channel and hour."""
    columns = ["action_id", "channel", "slot_local_hour"]
    code = np.zeros(len(long), np.int64)
    for column in columns:
        own = pd.factorize(long[column])[0].astype(np.int64) + 1
        code = code * (own.max(initial=0) + 1) + own
    return long.loc[~pd.Series(code, index=long.index).duplicated(), columns]


def _action_space(long: pd.DataFrame) -> ActionSpace:
    """Order arms by channel as in the vocabulary, hour and id, whatever the rows' order."""
    arms = _arms(long)
    found = []
    for action_id, channel, hour in arms.itertuples(index=False, name=None):
        slot = None if np.isnan(hour) else int(hour)
        plain = Action(channel, slot)
        found.append(plain if plain.action_id == action_id else Action(channel, slot, action_id))
    rank = {c: k for k, c in enumerate(CHANNELS)}
    found.sort(
        key=lambda a: (
            rank.get(a.channel, len(rank)),
            a.channel,
            -1 if a.slot_local_hour is None else a.slot_local_hour,
            a.action_id,
        )
    )
    return ActionSpace(found)
