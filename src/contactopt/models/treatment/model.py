"""A shrunken line on treatment features: what a message adds over a random valid one.

Within one customer and arm the treatment was drawn with known probabilities, so that features
less their mean under that draw, z - E[z | customer, arm], have mean 0 whatever the customer is
like: a wrong score of the arm cannot leak into the coefficients. The line is

    label - score = scale * (z - E z)'beta + noise,      beta ~ N(0, v S)

with scale the money that one unit of P(pays | reached) is worth, S fixed shares (features of
templates and offers 1; the same by channel and by stage, and every single template and offer, 1/4
each: cold messages start from what messages like them do) and one variance v for all, which
maximises the marginal likelihood. v = 0 stands unless another is clearly better: what the log does
not show is not claimed, and what it has shown is kept until none is likelier. Sufficient statistics
are kept, so that `update` is exact whatever the batches.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.base import BaseEstimator

from contactopt.errors import ContractError
from contactopt.models.treatment.catalogue import Features, TreatmentCatalogue

__all__ = ["TreatmentModel"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

#: prior share of what is nested under the plain features
_NESTED = 0.25
#: candidates of v: standard deviations of a plain coefficient, in units of P(pays | reached)
_SD = (0.0, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2)
#: log likelihood by which some v must be better than none: to choose by noise is dear, while a draw
#: among messages of which none is known to be better costs nothing
_EVIDENCE = 3.0
#: the variance before anything was seen; it only says how wide a new message is explored
_PRIOR_SD = 0.05
#: drawn options whose features are laid out at a time
_STEP = 20_000
_ROWS = ("group", "template_id", "offer_id", "residual", "scale", "noise")
_CHOICES = ("group", "channel", "stage", "template_id", "offer_id", "probability")


class TreatmentModel(BaseEstimator):
    """What a template or offer adds to P(pays | reached), over a random valid one.

    Parameters
    ----------
    catalogue : TreatmentCatalogue, optional
        Features of the strategy's templates and offers.

    Attributes
    ----------
    names_ : tuple of str
        Coefficients in use.
    coef_ : float array
        Posterior means; empty before `fit`: every treatment then adds 0.
    prior_sd_ : float
        Square root of v.
    rows_ : int
        Decisions learned from.
    """

    def __init__(self, *, catalogue: TreatmentCatalogue | None = None) -> None:
        self.catalogue = catalogue

    # ---- learning ------------------------------------------------------------------------

    def fit(self, rows: pd.DataFrame, choices: pd.DataFrame) -> TreatmentModel:
        """Learn from logged decisions, forgetting what was learned before.

        Parameters
        ----------
        rows : DataFrame
            One row per decision: ``group`` (of ``choices``), ``template_id``, ``offer_id`` (null:
            none), ``residual`` (label less score, money), ``scale`` (money that one unit of
            P(pays | reached) is worth: margin x reach x amount), ``noise`` (how residuals scatter,
            e.g. the amount; positive).
        choices : DataFrame
            What could be drawn: ``group``, ``channel``, ``stage``, ``template_id``, ``offer_id``,
            ``probability`` (sums to 1 by group).

        Returns
        -------
        TreatmentModel
            Itself; without rows every treatment adds 0.

        Raises
        ------
        ContractError
            Missing columns, a treatment that its group does not have, a number that is not finite.
        """
        self._forget()
        return self.update(rows, choices)

    def update(self, rows: pd.DataFrame, choices: pd.DataFrame) -> TreatmentModel:
        """Learn from more decisions.

        The statistics are those of all together; an effect that was shown once is kept until
        none is likelier.
        """
        if not hasattr(self, "_names"):
            self._forget()
        _check(rows, _ROWS)
        _check(choices, _CHOICES)
        options = choices.reset_index(drop=True)
        at = _places(rows, options)
        noise = rows["noise"].to_numpy(np.float64)
        y = rows["residual"].to_numpy(np.float64) / noise
        weight = rows["scale"].to_numpy(np.float64) / noise
        if not (np.isfinite(y).all() and np.isfinite(weight).all() and (noise > 0).all()):
            raise ContractError("residual, scale and noise must be finite, noise positive")
        # decisions for one treatment of one group share their features
        own = np.bincount(at, weight**2, minlength=len(options))
        told = np.bincount(at, weight * y, minlength=len(options))
        drawn = np.flatnonzero(own > 0)
        for X in self._centred(options, drawn):
            here, drawn = drawn[: len(X)], drawn[len(X) :]
            half = X * np.sqrt(own[here, None])
            gram = half.T @ half
            self._gram += (gram + gram.T) / 2
            self._cross += X.T @ told[here]
        self._square += float(y @ y)
        self.rows_ += len(y)
        self._solve()
        return self

    def _forget(self) -> None:
        self._names: dict[str, int] = {}
        self._gram, self._cross, self._square = np.zeros((0, 0)), np.zeros(0), 0.0
        self.rows_, self._shown = 0, False
        self._solve()

    def _centred(self, options: pd.DataFrame, drawn: Ints) -> Iterator[Floats]:
        """Yield features less their group's mean of drawn options, some rows at a time."""
        from scipy import sparse

        columns = ["channel", "stage", "template_id", "offer_id"]
        words = [options[name].astype(object).where(options[name].notna(), "") for name in columns]
        kind, names = pd.MultiIndex.from_arrays(words).factorize()
        found = [self.nested_features(c, s, t or None, o or None) for c, s, t, o in names]
        self._enlarge({name for own in found for name in own})
        Z = _matrix(found, self._names)
        group = pd.factorize(options["group"])[0]
        p = options["probability"].to_numpy(np.float64)
        shape = (int(group.max(initial=-1)) + 1, len(names))
        chance = sparse.csr_matrix((p, (group, kind)), shape=shape)
        for a in range(0, len(drawn), _STEP):
            here = drawn[a : a + _STEP]
            yield Z[kind[here]] - chance[group[here]] @ Z

    def _enlarge(self, names: set[str]) -> None:
        """Give new names a place; nothing is known of them yet."""
        for name in sorted(names - set(self._names)):
            self._names[name] = len(self._names)
        k, d = len(self._cross), len(self._names)
        gram, cross = np.zeros((d, d)), np.zeros(d)
        gram[:k, :k], cross[:k] = self._gram, self._cross
        self._gram, self._cross = gram, cross

    def nested_features(
        self, channel: str, stage: str, template_id: str | None, offer_id: str | None
    ) -> Features:
        """Return the features of a treatment in a channel and stage, nested ones among them."""
        catalogue = self.catalogue or TreatmentCatalogue((), ())
        plain = catalogue.features_of(template_id, offer_id)
        shared = {k: v for k, v in plain.items() if not k.startswith(("template:", "offer:"))}
        nested = {f"{k} | {channel}": v for k, v in shared.items()}
        nested |= {f"{k} | stage {stage}": v for k, v in shared.items()} if stage else {}
        return plain | nested

    def _solve(self) -> None:
        """Posterior at the v that makes what was seen most likely."""
        names = sorted(self._names)
        order = np.array([self._names[n] for n in names], dtype=np.int64)
        root = np.array([_share(n) for n in names]) ** 0.5
        gram = self._gram[np.ix_(order, order)] * root[:, None] * root[None, :]
        cross = self._cross[order] * root
        self.names_: tuple[str, ...] = tuple(names)
        self._place = {n: k for k, n in enumerate(names)}
        if self.rows_ < 2 or not len(names) or not self._square > 0:
            self.prior_sd_ = _PRIOR_SD
            self.coef_, self._root = np.zeros(len(names)), np.diag(root * _PRIOR_SD)
            return
        values, vectors = np.linalg.eigh(gram)
        values = np.maximum(values, 0.0)
        told = vectors.T @ cross
        found = [_likelihood(sd, values, told, self._square, self.rows_) for sd in _SD]
        best, none = max(found), found[0]
        # once shown it is kept while likelier than nothing: draws of the best teach little new
        _, sd, noise = best if self._shown or best[0] - none[0] >= _EVIDENCE else none
        self._shown = sd > 0
        self.prior_sd_ = sd
        spread = sd if sd > 0 else _SD[1]
        precision = values / noise + 1.0 / spread**2
        self.coef_ = (
            root * (vectors @ (told / noise / precision)) if sd > 0 else np.zeros(len(names))
        )
        self._root = root[:, None] * vectors / np.sqrt(precision)

    # ---- serving -------------------------------------------------------------------------

    def predict(
        self, channel: str, stage: str, treatments: Sequence[tuple[str | None, str | None]]
    ) -> tuple[Floats, Floats]:
        """Return what treatments add, and how surely.

        Parameters
        ----------
        channel, stage : str
            The stage is empty where it is not known.
        treatments : sequence of (template_id or None, offer_id or None)

        Returns
        -------
        effect : float array, shape (len(treatments),)
            Posterior mean of z'beta, in P(pays | reached). Only differences between treatments
            mean something.
        spread : float array, same shape
            Posterior standard deviation of the difference to their mean.
        """
        if not hasattr(self, "_names"):
            self._forget()
        found = [self.nested_features(channel, stage, t, o) for t, o in treatments]
        Z = _matrix(found, self._place)
        known = self._place
        fresh = np.array(
            [sum(_share(k) * v * v for k, v in own.items() if k not in known) for own in found]
        )
        sd = self.prior_sd_ if self.prior_sd_ > 0 else _SD[1]
        side = Z @ self._root
        side -= side.mean(axis=0) if len(side) else 0.0
        return Z @ self.coef_, np.sqrt((side**2).sum(axis=1) + sd**2 * fresh)

    def with_catalogue(self, catalogue: TreatmentCatalogue) -> TreatmentModel:
        """Return the same estimates for the templates and offers of a catalogue."""
        other = copy(self)
        other.catalogue = catalogue
        return other

    @property
    def learned(self) -> bool:
        """Whether some treatment is said to add something."""
        return hasattr(self, "coef_") and bool(self.coef_.any())

    # ---- keeping -------------------------------------------------------------------------

    def to_state(self) -> dict[str, Any]:
        """Return plain values from which `from_state` builds an equal model."""
        names = sorted(self._names)
        order = np.array([self._names[n] for n in names], dtype=np.int64)
        upper = self._gram[np.ix_(order, order)][np.triu_indices(len(names))]
        return {
            "names": names,
            "gram": upper.tolist(),
            "cross": self._cross[order].tolist(),
            "square": self._square,
            "rows": self.rows_,
            "shown": self.learned,
        }

    @classmethod
    def from_state(
        cls, state: Mapping[str, Any], catalogue: TreatmentCatalogue | None = None
    ) -> TreatmentModel:
        """Rebuild a model; the catalogue is that of the strategy it serves."""
        self = cls(catalogue=catalogue)
        names = list(state["names"])
        self._names = {n: k for k, n in enumerate(names)}
        gram = np.zeros((len(names), len(names)))
        gram[np.triu_indices(len(names))] = state["gram"]
        self._gram = np.triu(gram) + np.triu(gram, 1).T
        self._cross = np.array(state["cross"], dtype=np.float64)
        self._square, self.rows_ = float(state["square"]), int(state["rows"])
        self._shown = bool(state["shown"])
        self._solve()
        return self


def _share(name: str) -> float:
    nested = " | " in name or name.startswith(("template:", "offer:"))
    return _NESTED if nested else 1.0


def _likelihood(
    sd: float, values: Floats, told: Floats, square: float, n: int
) -> tuple[float, float, float]:
    """Log marginal likelihood at its best noise variance (a few fixed-point steps)."""
    noise = square / n
    for _ in range(20 if sd > 0 else 0):
        explained = (told**2 / (values + noise / sd**2)).sum()
        noise = max((square - explained) / n, 1e-12 * square / n)
    if sd == 0:
        return (-0.5 * n * np.log(noise) - 0.5 * square / noise, sd, noise)
    ridge = noise / sd**2
    explained = (told**2 / (values + ridge)).sum()
    fit = -0.5 * (square - explained) / noise
    return (
        fit - 0.5 * n * np.log(noise) - 0.5 * float(np.log1p(values / ridge).sum()), sd, noise,
    )  # fmt: skip


def _matrix(found: Sequence[Features], names: Mapping[str, int]) -> Floats:
    Z = np.zeros((len(found), len(names)))
    for k, own in enumerate(found):
        for name, value in own.items():
            if name in names:
                Z[k, names[name]] = value
    return Z


def _check(frame: pd.DataFrame, needed: tuple[str, ...]) -> None:
    missing = [name for name in needed if name not in frame]
    if missing:
        raise ContractError(f"no column {', '.join(missing)}", hint=f"needed: {', '.join(needed)}")


def _places(rows: pd.DataFrame, options: pd.DataFrame) -> Ints:
    """Return the line of ``options`` that each decision drew."""
    keys = ["group", "template_id", "offer_id"]

    def of(frame: pd.DataFrame) -> pd.MultiIndex:
        parts = [frame["group"].to_numpy(dtype=object)]
        parts += [frame[k].astype(object).where(frame[k].notna(), "").to_numpy() for k in keys[1:]]
        return pd.MultiIndex.from_arrays(parts)

    index = of(options)
    if not index.is_unique:
        raise ContractError("a treatment stands twice in a group of choices")
    at = index.get_indexer(of(rows))
    if (at < 0).any():
        raise ContractError(
            f"{int((at < 0).sum())} decision(s) drew what their group does not have"
        )
    return at.astype(np.int64)
