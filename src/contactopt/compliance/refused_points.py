"""What was refused at an address holds at every point that has it, under whatever id.

A phone may stand in the tables twice, under two ids of one customer or at two customers. Who asks
that it be left alone means the phone: a revoked consent, an opt-out or a hold of one point reaches
each point of the address. It is lifted where the same customer grants the channel again at the
address, or the point's own holder grants it at that very point, later.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance.view_columns import columns_of
from contactopt.contracts.scored_batch import NO_INSTANT

__all__ = ["REFUSED_COLUMNS", "REVOKED", "refused_points"]

Ints = npt.NDArray[np.int64]

#: stands in ``kind`` for a consent that was revoked; else it is the kind of a hold
REVOKED = "revoked"
REFUSED_COLUMNS = (
    "customer_id", "contact_point_id", "kind", "channel", "starts_us", "ends_us",
)  # fmt: skip
#: holds of a point that speak of the phone or address itself, not only of the one who asked
_OF_ADDRESS = (
    "do_not_contact", "cease_communication", "workplace_prohibited", "employer_refused",
)  # fmt: skip
_OPT_OUT = "opted_out"
_LONG_AGO = np.iinfo(np.int64).min


def refused_points(view: Any, points: Any, config: Any) -> pd.DataFrame:
    """Return what was refused elsewhere at the addresses of points, one row each.

    Parameters
    ----------
    view : JournalView
    points : object
        Points of the view with ``address``, ``twin``, ``customer``, ``row`` and ``fitting``.
    config : StrategyConfig

    Returns
    -------
    DataFrame
        `REFUSED_COLUMNS`: holder of a point, the point, `REVOKED` or the kind of the hold, the
        channel that is named (null: all), from when and until when. Not what was said of the point
        itself, nor holds of the holder's own (they are known without). Empty where no address has
        several points, or nothing was refused at one.
    """
    none = pd.DataFrame(columns=list(REFUSED_COLUMNS))
    if not points.twin.any():
        return none
    parts = [_revoked(view, points), _opted_out(view, points, config), _held(view, points)]
    parts = [part for part in parts if len(part)]
    if not parts:
        return none
    said = pd.concat(parts, ignore_index=True)
    holders = pd.DataFrame(
        {
            "address": points.address,
            "holder": points.customer,
            "point": np.arange(len(points.customer)),
        }
    )[points.twin]
    both = said.merge(holders, on="address")
    other = both["holder"] != both["customer"]
    both = both[other | ((both["kind"] == REVOKED) & (both["named"] != both["point"]))]
    both = both[~_lifted(view, points, both)].reset_index(drop=True)
    ids = points.frame["contact_point_id"].astype(object).to_numpy()
    found = pd.DataFrame(
        {
            "customer_id": view.customer_ids[both["holder"].to_numpy(dtype=np.int64)],
            "contact_point_id": ids[both["point"].to_numpy(dtype=np.int64)],
            **{name: both[name].to_numpy() for name in ("kind", "channel", "starts_us", "ends_us")},
        }
    )
    return found.drop_duplicates(ignore_index=True)


def _said(
    address: Ints, customer: Ints, kind: Any, channel: Any, starts: Ints, ends: Any, named: Ints,
    *, whole: bool = False,
) -> pd.DataFrame:  # fmt: skip
    return pd.DataFrame(
        {
            "address": address, "customer": customer, "kind": kind, "channel": channel,
            "starts_us": starts, "ends_us": ends, "named": named, "whole": whole,
        }
    )  # fmt: skip


def _revoked(view: Any, points: Any) -> pd.DataFrame:
    of = columns_of(view)
    row = points.row[of.ints("consents", "contact_point")]
    at = np.flatnonzero(of.among("consents", "status", REVOKED) & (row >= 0))
    return _said(
        points.address[row[at]],
        of.ints("consents", "customer")[at],
        REVOKED,
        view.consents["channel"].astype(object).to_numpy()[at],
        of.ints("consents", "changed_us")[at],
        NO_INSTANT,
        row[at],
    )


def _opted_out(view: Any, points: Any, config: Any) -> pd.DataFrame:
    """Opt-outs at a point; one that names no point may have come from any that fits."""
    of = columns_of(view)
    at = np.flatnonzero(of.among("touches", "outcome", _OPT_OUT))
    when = of.ints("touches", "outcome_known_us")[at]
    if of.size("touch_events"):
        out = of.among("touch_events", "event", _OPT_OUT)
        at = np.append(at, of.ints("touch_events", "touch")[out])
        when = np.append(when, of.ints("touch_events", "occurred_us")[out])
    customer = of.ints("touches", "customer")[at]
    row = points.row[of.ints("touches", "contact_point")[at]]
    channel = view.touches["channel"].astype(object).to_numpy()[at]
    free = np.flatnonzero(row < 0)
    which, where = free[:0], free[:0]
    if len(free):
        fits = points.fitting(customer[free], pd.Series(channel[free]), config)
        which = free[fits["event"].to_numpy(dtype=np.int64)]
        where = fits["point"].to_numpy(dtype=np.int64)
    own = np.append(np.flatnonzero(row >= 0), which)
    row = np.append(row[row >= 0], where)
    return _said(
        points.address[row], customer[own], REVOKED, channel[own], when[own], NO_INSTANT, row,
        whole=True,
    )  # fmt: skip


def _held(view: Any, points: Any) -> pd.DataFrame:
    of = columns_of(view)
    row = points.row[of.ints("holds", "contact_point")]
    ends = of.ints("holds", "ends_us")
    live = (ends == NO_INSTANT) | (ends > view.as_of_us)
    at = np.flatnonzero(of.among("holds", "kind", *_OF_ADDRESS) & (row >= 0) & live)
    return _said(
        points.address[row[at]],
        of.ints("holds", "customer")[at],
        view.holds["kind"].astype(object).to_numpy()[at],
        view.holds["channel"].astype(object).to_numpy()[at],
        of.ints("holds", "starts_us")[at],
        ends[at],
        row[at],
    )


def _lifted(view: Any, points: Any, both: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Whether a later grant takes a refusal back: by who refused, or by the point's holder."""
    of = columns_of(view)
    code = of.ints("consents", "contact_point")
    granted = of.among("consents", "status", "granted")
    grants = pd.DataFrame(
        {
            "customer": of.ints("consents", "customer"),
            "point": points.row[code],
            "channel": view.consents["channel"].astype(object).to_numpy(),
            "when": of.ints("consents", "changed_us"),
        }
    )
    whole = grants[granted & (code < 0)]
    grants = grants[granted & (grants["point"] >= 0).to_numpy(dtype=bool)]
    address = grants.assign(address=points.address[grants["point"].to_numpy(dtype=np.int64)])
    since = both["starts_us"].to_numpy(dtype=np.int64)
    again = _newest(address, both, ["address", "customer", "channel"]) > since
    again |= _newest(grants, both, ["point", "channel"]) > since
    again |= (_newest(whole, both, ["customer", "channel"]) > since) & both["whole"].to_numpy(bool)
    return again & (both["kind"] == REVOKED).to_numpy(dtype=bool)


def _newest(grants: pd.DataFrame, both: pd.DataFrame, keys: list[str]) -> Ints:
    """Return the latest grant with the same keys as each row, long ago where there is none."""
    if len(grants) == 0 or len(both) == 0:
        return np.full(len(both), _LONG_AGO)
    newest = grants.groupby(keys, as_index=False)["when"].max()
    return (
        both[keys].merge(newest, on=keys, how="left")["when"].fillna(_LONG_AGO).to_numpy(np.int64)
    )
