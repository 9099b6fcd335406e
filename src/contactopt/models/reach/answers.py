"""What a fitted reach model answers beside probabilities: best channel, best hour, a report."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.contracts.action_space import Action, ActionSpace
from contactopt.models.reach.attempts import Attempts
from contactopt.models.reach.events import UNOBSERVABLE
from contactopt.models.reach.families import media_of
from contactopt.models.reach.plain_frames import attempt_frame
from contactopt.models.reach.priors import BLOCK_OF_HOUR
from contactopt.models.reach.tables import (
    Counts,
    best_by_key,
    hour_reason,
    interval,
    report_frame,
)

__all__ = ["ReachAnswers"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class ReachAnswers:
    """Tables of a `ReachModel`; mixed into it."""

    channels_: dict[str, str]
    hour_effect_: dict[str, dict[str, Any]]
    tried_: dict[str, list[int]]
    segments_: list[str]
    fit_record_: dict[str, Any]
    signs_: Floats | None
    min_support: int
    like: dict[str, str] | None
    predict: Any
    _history_of: Any
    _segment_codes: Any

    def best(
        self,
        customers: npt.ArrayLike | None = None,
        actions: ActionSpace | None = None,
        **known: Any,
    ) -> pd.DataFrame:
        """Return the likeliest channel per customer and that channel's likeliest hour.

        Parameters
        ----------
        customers : array-like, shape (n,), optional
            None: the customers of ``history``, sorted.
        actions : ActionSpace, optional
            None: the channels and hours that the fit saw tried, letters left out.
        **known
            ``history`` and the rest of `predict`; segments not given are read from the history.

        Returns
        -------
        DataFrame
            customer, best_channel, best_hour (Int64; missing where the channel has no hour or
            hours cannot be told apart), p with low and high (95 %), support (own attempts with a
            known result in that channel), fallback (the level that p mostly rests on: person,
            type - the same medium -, segment or population), coverage (share of the channels that
            the customer was tried through), hour_reason (why no hour is named). p is the channel's
            at its best hour, or its mean over the hours where none is named.
        """
        history = known.get("history")
        if customers is None:
            if history is None:
                customers = np.zeros(0, dtype=object)
            else:
                history = known["history"] = attempt_frame(history, like=self.like)
                customers = history["customer"].drop_duplicates().sort_values().to_numpy()
        space = self._tried_space() if actions is None else actions
        ids = pd.Index(np.asarray(customers))
        if self.segments_ and known.get("segment") is None and history is not None:
            known["segment"] = _latest_segment(ids, attempt_frame(history, like=self.like))
        if not len(ids) or not len(space):
            return _no_best()
        found = self.predict(ids, space, **known)
        channel = np.array([list(self.channels_).index(c) for c in space.channels])
        channel = channel[space.channel_index]
        p, sd, hour = self._by_channel(found.probability, found.spread, space, channel)
        rows = np.arange(len(ids))
        best = p.argmax(axis=1)
        order = pd.unique(channel)
        chosen = order[best]
        counts = self._counts(ids, history)
        level = self._level(counts, chosen, known.get("segment"))
        names = np.array(list(self.channels_), dtype=object)
        low, high = interval(p[rows, best], sd[rows, best])
        reasons = np.array([self._hour_reason(str(names[c]), space, c == channel) for c in order])
        return pd.DataFrame(
            {
                "customer": ids,
                "best_channel": names[chosen],
                "best_hour": _whole_hours(hour[rows, best]),
                "p": p[rows, best],
                "low": low,
                "high": high,
                "support": counts.channel[rows, chosen],
                "fallback": level,
                "coverage": (counts.channel[:, order] > 0).mean(axis=1),
                "hour_reason": reasons[best],
            }
        )

    def _tried_space(self) -> ActionSpace:
        return ActionSpace(
            Action(c, None if h < 0 else h)
            for c, hours in self.tried_.items()
            if self.channels_[c] not in UNOBSERVABLE
            for h in hours
        )

    def _by_channel(
        self, p: Floats, sd: Floats, space: ActionSpace, channel: Ints
    ) -> tuple[Floats, Floats, Ints]:
        """Best probability, its spread and hour (-1: none) per channel, each (n, n_channels)."""
        names, n = list(self.channels_), len(p)
        out: list[list[npt.NDArray[Any]]] = [[], [], []]
        for c in pd.unique(channel):
            arms = np.flatnonzero(channel == c)
            if self._hour_reason(str(names[c]), space, channel == c):
                parts = (p[:, arms].mean(axis=1), sd[:, arms].mean(axis=1), np.full(n, -1))
            else:
                k = arms[p[:, arms].argmax(axis=1)]
                rows = np.arange(n)
                parts = (p[rows, k], sd[rows, k], space.hours[k])
            for to, part in zip(out, parts, strict=True):
                to.append(part)
        p_, sd_, hour = (np.column_stack(x) for x in out)
        return p_, sd_, hour.astype(np.int64)

    def _hour_reason(self, name: str, space: ActionSpace, arms: npt.NDArray[np.bool_]) -> str:
        if (space.hours[arms] < 0).all():
            return "the channel has no hour"
        if self.signs_ is None:  # fitted before hours were tested
            return ""
        return hour_reason(self.hour_effect_.get(name))

    def _counts(self, ids: pd.Index, history: Any) -> Counts:
        mine: Attempts | None = self._history_of(ids, history)[0]
        return Counts(len(ids), len(self.channels_), media_of(self.channels_), mine)

    def _level(
        self, counts: Counts, chosen: Ints, segment: npt.ArrayLike | None
    ) -> npt.NDArray[np.object_]:
        rows = np.arange(len(chosen))
        media = media_of(self.channels_)
        level = np.full(len(chosen), "population", dtype=object)
        if segment is not None and self.segments_:
            level[self._segment_codes(segment) >= 0] = "segment"
        level[counts.medium[rows, media[chosen]] >= self.min_support] = "type"
        level[counts.channel[rows, chosen] >= self.min_support] = "person"
        return level

    def best_channel(
        self, customers: npt.ArrayLike, actions: ActionSpace, **known: Any
    ) -> pd.DataFrame:
        """Return the likeliest channel per customer, mean over its hours in ``actions``.

        Parameters
        ----------
        customers, actions, **known
            As in `ReachModel.predict`.

        Returns
        -------
        DataFrame
            customer_id, channel, probability, support (own attempts with a known result in that
            channel), fallback (True: the population's rate, as support is thin).
        """
        p = self.predict(customers, actions, **known).probability
        ids = pd.Index(np.asarray(customers))
        key = np.array([actions.channels[k] for k in actions.channel_index], dtype=object)
        if not len(ids) or not len(key):
            return self._flagged(ids[:0], "channel", key[:0], np.zeros(0), np.zeros(0, np.int64))
        chosen, value = best_by_key(p, key)
        counts = self._counts(ids, known.get("history"))
        at = pd.Index(list(self.channels_)).get_indexer(pd.Index(chosen))
        return self._flagged(ids, "channel", chosen, value, counts.channel[np.arange(len(ids)), at])

    def best_hour(
        self, customers: npt.ArrayLike, actions: ActionSpace, **known: Any
    ) -> pd.DataFrame:
        """Return the likeliest local hour per customer, mean over the channels in ``actions``.

        Pass an action space of one channel for that channel's hour. Columns as in `best_channel`,
        with ``local_hour`` (Int64) and ``reason``; support counts own attempts in the same block
        of hours through these channels. The hour is missing, with the reason, where no channel of
        ``actions`` has shown that hours matter.
        """
        timed = actions.hours >= 0
        ids = pd.Index(np.asarray(customers))
        p = self.predict(customers, actions, **known).probability
        p = np.broadcast_to(p, (len(ids), len(actions)))[:, timed]
        hours = actions.hours[timed]
        if not len(ids) or not len(hours):
            none = pd.array([], dtype="Int64")
            empty = self._flagged(ids[:0], "local_hour", none, np.zeros(0), np.zeros(0, np.int64))
            return empty.assign(reason=np.zeros(0, dtype=object))
        chosen, value = best_by_key(p, hours)
        names = sorted({actions.channels[k] for k in actions.channel_index[timed]})
        counts = self._counts(ids, known.get("history"))
        at = pd.Index(list(self.channels_)).get_indexer(pd.Index(names))
        own = counts.block[:, at].sum(axis=1)
        support = own[np.arange(len(ids)), BLOCK_OF_HOUR[chosen]]
        reasons = [self._hour_reason(c, actions, _arms(actions, c) & timed) for c in names]
        shown = pd.array(chosen, dtype="Int64")
        reason = ""
        if all(reasons):
            reason = "; ".join(dict.fromkeys(reasons))
            shown = pd.array([pd.NA] * len(ids), dtype="Int64")
            value, support = p.mean(axis=1), own.sum(axis=1)
        return self._flagged(ids, "local_hour", shown, value, support).assign(reason=reason)

    def _flagged(
        self, ids: pd.Index, name: str, chosen: Any, value: Floats, support: Ints
    ) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "customer_id": ids,
                name: chosen,
                "probability": value,
                "support": support,
                "fallback": support < self.min_support,
            }
        )

    def report(self) -> pd.DataFrame:
        """Return coverage, fallback and the verdict on hours, one row per medium and channel.

        Returns
        -------
        DataFrame
            of (medium or channel), kind, attempts, unobservable (their result cannot be told),
            reached (share), customers_tried, coverage (share of the customers), fallback_share
            (share with fewer than ``min_support`` own results), hours_tried, hour_effect, p_value,
            detectable_sd (spread of the curve, logit scale, found with 80 % power), basis, reason.
            No rows before any attempt was seen.
        """
        return report_frame(list(self.channels_), self.fit_record_, self.hour_effect_)


def _latest_segment(ids: pd.Index, history: pd.DataFrame) -> npt.NDArray[np.object_]:
    """Return each customer's segment in the newest attempt that names one, None without."""
    out = np.full(len(ids), None, dtype=object)
    if "segment" not in history or "customer" not in history:
        return out
    told = history[history["segment"].notna()]
    by = [c for c in ("customer", "age_days", "segment") if c in told]
    newest = told.sort_values(by).drop_duplicates("customer").set_index("customer")["segment"]
    found = newest.reindex(ids)
    return found.astype(object).where(found.notna(), None).to_numpy()


def _arms(actions: ActionSpace, channel: str) -> npt.NDArray[np.bool_]:
    return actions.channel_index == list(actions.channels).index(channel)


def _whole_hours(hour: Ints) -> pd.Series:
    """Hours as Int64, missing where negative."""
    hours = pd.Series(hour, dtype="Int64")
    return hours.mask(hours < 0)


def _no_best() -> pd.DataFrame:
    kinds = {
        "customer": object,
        "best_channel": object,
        "best_hour": "Int64",
        "p": float,
        "low": float,
        "high": float,
        "support": np.int64,
        "fallback": object,
        "coverage": float,
        "hour_reason": object,
    }
    return pd.DataFrame({k: pd.Series(dtype=v) for k, v in kinds.items()})
