"""How far money lies from its mean: held-out ratios, kept as quantiles per level of the mean."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["AmountInterval", "MoneySpread", "weighted_quantile"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: ratios that a band needs, bands at most, and quantiles kept of each
_PER_BAND, _MAX_BANDS, _KEPT = 300, 5, 1_000
#: spread assumed of log money around its mean while payers are few, and what it counts
_PRIOR_SIGMA, _PRIOR_COUNT, _FEW = 0.8, 20, 50


class AmountInterval(NamedTuple):
    """Bounds of the money paid, shape (n,) each."""

    low: Floats
    high: Floats


def weighted_quantile(values: Floats, weight: Floats, q: float) -> float:
    """Least value whose cumulative weight reaches the share ``q``."""
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weight[order])
    position = int(np.searchsorted(cumulative, q * cumulative[-1] * (1 - 1e-12)))
    return float(values[order][min(position, len(values) - 1)])


class MoneySpread:
    """Distribution of money over its predicted mean, per band of the predicted share.

    Split-conformal quantiles of held-out ratios (Vovk, Gammerman, Shafer, Algorithmic Learning in
    a Random World, 2005; bands: Mondrian). With fewer than 50 payers, 20 ratios of a log-normal
    with sigma 0.8, an assumption, are added.

    Parameters
    ----------
    edges : list of float
        Inner limits of the bands of the predicted share, ascending.
    quantiles : list of array
        Sorted ratios of each band.
    counts : list of int
        Ratios that each band was learned from.
    level_sd : float
        Relative standard error of the predicted total.
    """

    def __init__(
        self, edges: list[float], quantiles: list[Floats], counts: list[int], level_sd: float
    ) -> None:
        self.edges = np.asarray(edges, dtype=np.float64)
        self.quantiles = quantiles
        self.counts = counts
        self.level_sd = level_sd

    @classmethod
    def learn(
        cls, share: Floats, predicted: Floats, money: Floats, groups: npt.NDArray[Any]
    ) -> MoneySpread:
        """Learn from held-out rows.

        Parameters
        ----------
        share, predicted, money : float arrays, shape (n,)
            Predicted share (decides the band), predicted and actual money.
        groups : array, shape (n,)
            Customer of each row: the level's error is clustered by it.
        """
        ratio = money / predicted
        bands = int(np.clip(len(money) // _PER_BAND, 1, _MAX_BANDS))
        edges: list[float] = []
        if bands > 1:
            edges = np.unique(np.quantile(share, np.arange(1, bands) / bands)).tolist()
        if len(money) < _FEW:
            ratio = np.concatenate([ratio, _prior_ratios()])
            share = np.concatenate([share, np.zeros(_PRIOR_COUNT)])
        band = np.searchsorted(np.asarray(edges), share, side="right")
        # a value on an edge that many rows share may leave a band empty: bands are what is filled
        filled = np.unique(band)
        edges = [edges[k] for k in filled[:-1]]
        band = np.searchsorted(filled, band)
        kept, counts = [], []
        for k in range(len(filled)):
            inside = np.sort(ratio[band == k])
            counts.append(len(inside))
            kept.append(inside if len(inside) <= _KEPT else _thinned(inside))
        return cls(edges, kept, counts, _level_error(predicted, money, groups))

    def band_of(self, share: Floats) -> Ints:
        """Band of each predicted share, shape (n,)."""
        return np.searchsorted(self.edges, share, side="right")

    def bounds(self, share: Floats, coverage: float) -> tuple[Floats, Floats]:
        """Ratios between which money lies with probability ``coverage``, shape (n,) each.

        0 and infinity where too few ratios were seen to promise that coverage.
        """
        tail = (1.0 - coverage) / 2.0
        band = self.band_of(share)
        low, high = np.zeros(len(self.counts)), np.full(len(self.counts), np.inf)
        for k, n in enumerate(self.counts):
            below = np.floor((n + 1) * tail * (1 + 1e-12)) / n
            above = np.ceil((n + 1) * (1.0 - tail) * (1 - 1e-12)) / n
            if below > 0:
                low[k] = self._order_statistic(k, below)
            if above <= 1:
                high[k] = self._order_statistic(k, above)
        return low[band], high[band]

    def _order_statistic(self, band: int, level: float) -> float:
        kept = self.quantiles[band]
        at = np.clip(np.ceil(level * len(kept) - 1e-9) - 1, 0, len(kept) - 1)
        return float(kept[int(at)])

    def quantile(self, share: Floats, level: Floats) -> Floats:
        """Ratio at a level of each row's own, shape (n,)."""
        band = self.band_of(share)
        out = np.empty(len(share))
        for k, kept in enumerate(self.quantiles):
            here = band == k
            at = np.ceil(np.clip(level[here], 0.0, 1.0) * len(kept) - 1e-9).astype(np.int64) - 1
            out[here] = kept[np.clip(at, 0, len(kept) - 1)]
        return out

    def moments(self, share: Floats) -> tuple[Floats, Floats]:
        """Second and third raw moment of the ratio where its mean is one, shape (n,) each."""
        table = np.empty((len(self.quantiles), 2))
        for k, kept in enumerate(self.quantiles):
            unit = kept / kept.mean()
            table[k] = (unit**2).mean(), (unit**3).mean()
        found = table[self.band_of(share)]
        return found[:, 0], found[:, 1]

    def to_state(self) -> dict[str, Any]:
        """Return plain lists."""
        return {
            "edges": self.edges.tolist(),
            "quantiles": [q.tolist() for q in self.quantiles],
            "counts": list(self.counts),
            "level_sd": self.level_sd,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> MoneySpread:
        """Rebuild from `to_state`."""
        kept = [np.asarray(q, dtype=np.float64) for q in state["quantiles"]]
        counts = [int(n) for n in state["counts"]]
        return cls(list(state["edges"]), kept, counts, float(state["level_sd"]))


def _prior_ratios() -> Floats:
    from scipy.stats import norm

    z = norm.ppf((np.arange(_PRIOR_COUNT) + 0.5) / _PRIOR_COUNT)
    return np.exp(_PRIOR_SIGMA * z - _PRIOR_SIGMA**2 / 2.0)


def _thinned(values: Floats) -> Floats:
    """Order statistics at evenly spaced levels; the largest is kept."""
    at = np.ceil(np.arange(1, _KEPT + 1) / _KEPT * len(values)).astype(np.int64) - 1
    return values[at]


def _level_error(predicted: Floats, money: Floats, groups: npt.NDArray[Any]) -> float:
    """Relative standard error of the predicted total, clustered by customer."""
    if len(money) == 0:
        return _PRIOR_SIGMA
    gap = np.bincount(np.unique(groups, return_inverse=True)[1].ravel(), weights=money - predicted)
    seen = float(np.sqrt((gap**2).sum()) / predicted.sum())
    # as many customers at the prior's spread: few payers who happen to agree prove little
    floor = _PRIOR_SIGMA / np.sqrt(len(gap) + _PRIOR_COUNT) if len(money) < _FEW else 0.0
    return max(seen, floor)
