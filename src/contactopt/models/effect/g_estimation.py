"""What one contact adds if no other follows it: g-estimation over each customer's decisions.

Whoever waits today is contacted the day after tomorrow. A whole window's label of today's decision
then compares "now" with "a little later", and in a busy log that difference is next to nothing
however much contacts do. What a plan is worth against waiting is another question, and a structural
nested model answers it (Robins, Communications in Statistics 1994; Vansteelandt and Joffe,
Statistical Science 2014): what later contacts add is taken off the outcome before drawn actions are
compared, and both are the same unknowns. With dN the first payment after decision i, watched for T
days (a payment or the end of the window ends it), intensity per day lambda when waiting, and for
contact j at or after i the promise g_j(e) = reach_j [sigma(logit p_j + e) - p_j],

    R_i(a, e) = dN_i - a lambda_i T_i - sum_j g_j(e_c(j)) S(T_i - (t_j - t_i)) / S(H_j)
    sum_i w_i 1[A_i = c] R_i(a, e) = 0      for waiting and for every channel c

S is the share of what a contact adds that has come after so many days; p_j and g_j are those of its
window of H_j days. Decisions without a choice
(propensity 1) are compared with nothing; they are among the later contacts all the same. No label
is cut at a contact and no row is left out because of one. As in `drawn_contrast` the drawn action
is the treatment, the model of waiting is a control variate, and covariances are clustered by
customer.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import expit, logit

from contactopt.contracts.vocabulary import WAIT
from contactopt.models.effect.weighting import clipped_weights, speaks

__all__ = ["FOLLOWED_DAYS", "SEQUENCE_COLUMNS", "LoneContacts", "lone_contacts"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: days that a decision is watched: the longer, the more later contacts blur what it did
FOLLOWED_DAYS = 10.0
#: what tells when a decision was taken, for how long it was watched and after how many days the
#: customer paid (missing: not while it was watched)
SEQUENCE_COLUMNS = ("decided_day", "watched_days", "paid_after_days")
#: assumptions: half of what a contact adds comes within so many days; post is read days later
_HALF_LIFE_DAYS = 4.0
_ARRIVES_AFTER_DAYS = {"letter": 3.0}
_LIMIT, _ROUNDS = 4.0, 60


class LoneContacts(NamedTuple):
    """Raw estimates of one log.

    Parameters
    ----------
    effect : float array, shape (n_arms,)
        In logits given reach; NaN where the arm says nothing.
    covariance : float array, shape (n_arms, n_arms)
        Of the effects that are numbers.
    """

    effect: Floats
    covariance: Floats


class _Pairs(NamedTuple):
    """Decision ``row`` and a contact ``contact`` at or after it: ``share`` of it had its time."""

    row: Ints
    contact: Ints
    share: Floats


def lone_contacts(
    rows: pd.DataFrame,
    channels: dict[str, str],
    *,
    weight: Floats,
    start: Floats,
    largest_weight: float,
) -> LoneContacts:
    """Estimate what a contact through each channel adds if no other follows.

    Parameters
    ----------
    rows : DataFrame, shape (n, ...)
        Every decision of the customers there are, in a fixed order: ``customer`` (int),
        ``channel``, ``p_wait``, ``reach`` and `SEQUENCE_COLUMNS`; optional ``horizon_days``, the
        window of ``p_wait`` (missing: as long as a contact has effects).
    channels : dict of str to str
        The m channels, and the contract's channel that each follows.
    weight : float array, shape (n,)
        Inverse probability of the drawn action; 0: nothing else could have been drawn or nothing
        is known of it, and the decision is compared with nothing.
    start : float array, shape (m,)
        Where the search begins, and what is taken of arms that say nothing (the prior).
    largest_weight : float
        Weights are cut at this multiple of the arm's mean.

    Returns
    -------
    LoneContacts
        All NaN where waiting says nothing: fewer than 30 rows, 5 payers or 5 non-payers. The same
        holds for each channel.
    """
    m = len(channels)
    nothing = LoneContacts(np.full(m, np.nan), np.zeros((m, m)))
    arm = pd.Index(list(channels)).get_indexer(pd.Index(rows["channel"])).astype(np.int64)
    p = np.clip(rows["p_wait"].to_numpy(dtype=np.float64), 1e-6, 1 - 1e-6)
    reach = np.nan_to_num(rows["reach"].to_numpy(dtype=np.float64))
    watched = rows["watched_days"].to_numpy(dtype=np.float64)
    after = rows["paid_after_days"].to_numpy(dtype=np.float64)
    y = (after <= watched).astype(np.float64)
    T = np.where(y > 0, after, watched)
    waits = (rows["channel"] == WAIT).to_numpy(dtype=bool)
    play = np.flatnonzero((weight > 0) & (T > 0) & ~np.isnan(p) & (waits | (arm >= 0)))
    if not speaks(y[play][waits[play]]):
        return nothing
    promising = (arm >= 0) & ~np.isnan(p) & (reach > 0)
    cluster = np.unique(rows["customer"].to_numpy(), return_inverse=True)[1].ravel()
    day = rows["decided_day"].to_numpy(dtype=np.float64)
    horizon = _horizons(rows)
    pairs = _later_contacts(cluster, day, T, horizon, play, promising, arm, [*channels.values()])
    # a contact that arrives after the window says nothing inside it
    heard = np.bincount(arm[pairs.contact], weights=pairs.share, minlength=m) > 0
    named = [
        c for c in range(m) if heard[c] and speaks(y[play][(arm[play] == c) & promising[play]])
    ]
    w, _ = clipped_weights(weight[play], arm[play], m, largest_weight)
    moments = _Moments(
        y=y[play],
        base=-np.log1p(-p[play]) * (T / np.where(np.isinf(horizon), 1.0, horizon))[play],
        instrument=np.column_stack([w * (arm[play] == c) for c in (-1, *named)]),
        pairs=pairs,
        z=np.where(promising, logit(np.nan_to_num(p, nan=0.5)), 0.0)[pairs.contact],
        reach=reach[pairs.contact],
        arm=arm[pairs.contact],
        named=np.asarray(named, dtype=np.int64),
    )
    return _solved(moments, start, cluster[play], m)


def _horizons(rows: pd.DataFrame) -> Floats:
    """Return the days of each decision's window, without end where they are not told."""
    if "horizon_days" not in rows:
        return np.full(len(rows), np.inf)
    return rows["horizon_days"].to_numpy(dtype=np.float64)


def _later_contacts(
    customer: Ints, day: Floats, T: Floats, horizon: Floats, play: Ints,
    promising: npt.NDArray[np.bool_], arm: Ints, roots: list[str],
) -> _Pairs:  # fmt: skip
    """Pair each decision in play with its own contact and those of its T days, in a fixed order."""
    place = np.full(len(day), -1, dtype=np.int64)
    place[play] = np.arange(len(play))
    own = play[promising[play]]
    row, contact = [place[own]], [own]
    order = np.lexsort((day, customer))
    for k in range(1, len(order)):
        earlier, later = order[:-k], order[k:]
        gap = day[later] - day[earlier]
        near = (customer[later] == customer[earlier]) & (gap < T[earlier])
        if not near.any():
            break
        near &= (gap > 0) & (place[earlier] >= 0) & promising[later]
        row.append(place[earlier[near]])
        contact.append(later[near])
    row, contact = np.concatenate(row), np.concatenate(contact)
    arrives = np.array([_ARRIVES_AFTER_DAYS.get(root, 0.0) for root in roots])[arm[contact]]
    left = T[play[row]] - (day[contact] - day[play[row]]) - arrives
    whole = _come(horizon[contact] - arrives)
    share = np.divide(_come(left), whole, out=np.zeros(len(left)), where=whole > 0)
    return _Pairs(row, contact, share)


def _come(days: Floats) -> Floats:
    """Return the share of what a contact adds that has come so many days after it arrived."""
    return -np.expm1(-np.log(2.0) / _HALF_LIFE_DAYS * np.maximum(days, 0.0))


class _Moments(NamedTuple):
    """The estimating equations: arrays over the decisions in play and over their pairs."""

    y: Floats
    base: Floats
    instrument: Floats
    pairs: _Pairs
    z: Floats
    reach: Floats
    arm: Ints
    named: Ints

    def residual(self, a: float, effect: Floats) -> tuple[Floats, Floats]:
        """Return R, shape (k,), and its derivatives with the sign turned, (k, 1 + n_named)."""
        e, k = effect[self.arm], len(self.y)
        share = self.pairs.share * self.reach
        q, p = expit(self.z + e), expit(self.z)
        added = np.bincount(self.pairs.row, weights=share * (q - p), minlength=k)
        moved = np.zeros((k, 1 + len(self.named)))
        moved[:, 0] = self.base
        slope = share * q * (1.0 - q)
        for position, c in enumerate(self.named, start=1):
            mine = self.arm == c
            moved[:, position] = np.bincount(self.pairs.row[mine], weights=slope[mine], minlength=k)
        return self.y - a * self.base - added, moved


def _solved(moments: _Moments, start: Floats, cluster: Ints, m: int) -> LoneContacts:
    """Newton's method in (a, effects); effects stay within four logits."""
    effect, named = start.astype(np.float64).copy(), moments.named
    Z = moments.instrument
    a = float(Z[:, 0] @ moments.y) / max(float(Z[:, 0] @ moments.base), 1e-12)
    for _ in range(_ROUNDS):
        residual, moved = moments.residual(a, effect)
        slope = Z.T @ moved
        step = np.linalg.lstsq(slope, Z.T @ residual, rcond=None)[0]
        a += float(step[0])
        new = np.clip(effect[named] + np.clip(step[1:], -1.0, 1.0), -_LIMIT, _LIMIT)
        settled = max(abs(step[0]), np.abs(new - effect[named]).max(initial=0.0)) < 1e-10
        effect[named] = new
        if settled:
            break
    residual, moved = moments.residual(a, effect)
    n_clusters = int(cluster.max()) + 1
    inverse = np.linalg.pinv(Z.T @ moved)
    score = np.column_stack(
        [np.bincount(cluster, weights=z * residual, minlength=n_clusters) for z in Z.T]
    )
    influence = (score @ inverse.T)[:, 1:]
    covariance = np.zeros((m, m))
    correction = n_clusters / max(n_clusters - 1, 1)
    covariance[np.ix_(named, named)] = correction * influence.T @ influence
    found = np.full(m, np.nan)
    found[named] = effect[named]
    return LoneContacts(found, covariance)
