"""The valid treatments of every (customer, action), as few groups of customers who are alike."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from contactopt.compliance import Verdict
from contactopt.config import OfferConfig, StrategyConfig
from contactopt.contracts import ActionSpace
from contactopt.contracts.treatment_table import TreatmentTable, treatment_code
from contactopt.errors import ConfigError
from contactopt.journal import JournalView
from contactopt.models.treatment import TreatmentCatalogue, TreatmentModel
from contactopt.policy.treatments.inner import INNER_UNIT
from contactopt.policy.treatments.offers import FREE, NOTHING_MORE, offers_in_flight

__all__ = ["Treatments", "valid_treatments"]

Ints = npt.NDArray[np.int64]

#: with more members than this a group could not give each a probability worth the name
_MOST = INNER_UNIT // 8


@dataclass(frozen=True, eq=False)
class Treatments:
    """What `valid_treatments` found: arrays of a `ScoredBatch`."""

    group: npt.NDArray[np.int32]
    table: TreatmentTable


def valid_treatments(
    view: JournalView,
    verdict: Verdict,
    config: StrategyConfig,
    actions: ActionSpace,
    model: TreatmentModel | None,
    discount: float,
) -> Treatments | None:
    """Find the groups of valid treatments.

    A template is valid as the rules said; an offer where stage and book of the named debt fit, its
    discount leaves the creditor's least share, the template can carry it, and no other offer is in
    flight. No offer is always valid.

    Parameters
    ----------
    view : JournalView
        n customers.
    verdict : Verdict
        m actions.
    config : StrategyConfig
    actions : ActionSpace
    model : TreatmentModel, optional
        What treatments add; nothing without.
    discount : float
        Present value of one unit of money paid within the horizon: one number, which scales what
        all choices of a batch add. Where stages have horizons of their own it is that of the
        longest.

    Returns
    -------
    Treatments or None
        None where nowhere in the strategy there is a choice.

    Raises
    ------
    ConfigError
        With more treatments in one arm than probabilities can tell apart.
    """
    if not _has_choice(config):
        return None
    who, arm = np.nonzero(verdict.allowed)
    debt = verdict.debt[who, arm]
    kind, kinds = _debt_kinds(view, config)
    held = offers_in_flight(view, config)
    sets: list[tuple[int, ...]] = list(verdict.template_sets)
    if verdict.template_set is None:
        own = verdict.template[who, arm].astype(np.int64)  # one template each, or none
        sets = [(t,) for t in range(len(config.templates))]
    else:
        own = verdict.template_set[who, arm].astype(np.int64)
    columns = [own, kind[debt], held[who], actions.channel_index[arm].astype(np.int64)]
    code, distinct = _distinct(columns)
    catalogue = TreatmentCatalogue.of(config)
    n_offers = len(config.offers)
    keys: dict[tuple[tuple[str, str], bytes], int] = {}
    group_of = np.full(len(distinct) + 1, -1, dtype=np.int32)
    for at, (templates, k, offer, channel) in enumerate(distinct.tolist()):
        members = _members(sets[templates] if templates >= 0 else (-1,), kinds[k], offer, config)
        if len(members) > _MOST:
            raise ConfigError(
                f"{len(members):,} messages and offers are valid in one arm of channel "
                f"{actions.channels[channel]!r}, {_MOST:,} at most can be told apart",
                hint="name under `offers` which a template can carry, or limit stages and books",
            )
        if len(members) > 1:
            context = (str(actions.channels[channel]), kinds[k].stage)
            key = (context, members.astype(">i4").tobytes())
            group_of[at] = keys.setdefault(key, len(keys))
    group = np.full(verdict.allowed.shape, -1, dtype=np.int32)
    group[who, arm] = group_of[code]
    contexts = sorted({context for context, _ in keys})
    effect, spread = _estimates(contexts, catalogue, model)
    bare = TreatmentTable(
        n_offers, tuple(contexts), effect, spread, np.empty(0, np.int32),
        np.zeros(1, dtype=np.int64), np.empty(0, np.int32), discount,
    )  # fmt: skip
    return Treatments(group, TreatmentTable.from_keys(list(keys), [bare]))


def _has_choice(config: StrategyConfig) -> bool:
    """Whether some customer may have one: said by the strategy alone, the same in all blocks."""
    channels = [t.channel for t in config.templates]
    return bool(config.offers) or len(set(channels)) < len(channels)


@dataclass(frozen=True)
class _Kind:
    """Debts that are alike to every offer."""

    stage: str
    offers: tuple[int, ...]


def _debt_kinds(view: JournalView, config: StrategyConfig) -> tuple[Ints, list[_Kind]]:
    """Kind of every debt row; the last entry is for pairs that name no debt."""
    debts = view.debts
    parts = [debts["stage"].astype(object), debts["book"].astype(object)]
    words = [p.where(p.notna(), "").to_numpy(dtype=object) for p in parts]
    floor = debts["settlement_floor_share"].fillna(0.0).to_numpy(np.float64)
    codes = [pd.factorize(w)[0].astype(np.int64) for w in words]
    code, distinct = _distinct([*codes, pd.factorize(floor)[0].astype(np.int64)])
    first = np.unique(code, return_index=True)[1] if len(code) else np.empty(0, np.int64)
    kinds = []
    for row in first.tolist():
        stage, book, least = str(words[0][row]), str(words[1][row]), float(floor[row])
        fits = [k for k, o in enumerate(config.offers) if _fits(o, stage, book, least)]
        kinds.append(_Kind(stage, tuple(fits)))
    kinds.append(_Kind("", ()))
    return np.append(code, len(distinct)).astype(np.int64), kinds


def _fits(offer: OfferConfig, stage: str, book: str, least: float) -> bool:
    if (offer.stages and stage not in offer.stages) or (offer.books and book not in offer.books):
        return False
    return 1.0 - offer.discount_share >= least - 1e-12


def _members(
    templates: tuple[int, ...], kind: _Kind, held: int, config: StrategyConfig
) -> npt.NDArray[np.int32]:
    """Return the numbers of the valid treatments, ascending: no offer first for each template."""
    n = len(config.offers)
    offers = kind.offers if held == FREE else tuple(o for o in kind.offers if o == held)
    if held == NOTHING_MORE:
        offers = ()
    found = []
    for t in templates:
        carries = None if t < 0 else config.templates[t].offers
        found.append(treatment_code(t, -1, n))
        found += [
            treatment_code(t, o, n)
            for o in offers
            if carries is None or config.offers[o].offer_id in carries
        ]
    return np.array(sorted(found), dtype=np.int32)


def _estimates(
    contexts: list[tuple[str, str]], catalogue: TreatmentCatalogue, model: TreatmentModel | None
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    shape = (len(contexts), len(catalogue))
    if model is None or not model.learned:
        return np.zeros(shape), np.zeros(shape)
    model = model.with_catalogue(catalogue)
    treatments = [catalogue.ids_of(k) for k in range(len(catalogue))]
    found = [model.predict(channel, stage, treatments) for channel, stage in contexts]
    effect = np.array([e for e, _ in found]).reshape(shape)
    return effect, np.array([s for _, s in found]).reshape(shape)


def _distinct(columns: list[Ints]) -> tuple[Ints, Ints]:
    """Return the number of each row's combination, and the combinations."""
    code = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        low = int(column.min(initial=0))
        code = code * (int(column.max(initial=0)) - low + 1) + (column - low)
    which, names = pd.factorize(code)
    first = np.full(len(names), len(code), dtype=np.int64)
    np.minimum.at(first, which, np.arange(len(code)))
    return which.astype(np.int64), np.stack([c[first] for c in columns], axis=1).astype(np.int64)
