"""What templates and offers are like, as named numbers that a line can be fitted on."""

from __future__ import annotations

import math
from collections.abc import Sequence

from contactopt.config import OfferConfig, StrategyConfig, TemplateConfig
from contactopt.contracts.treatment_table import treatment_code

__all__ = ["TreatmentCatalogue"]

Features = dict[str, float]


class TreatmentCatalogue:
    """Features of every (template, offer) of a strategy, and its number.

    A template has its free `features` (words and flags as indicators ``tone=warm``, numbers in
    units of their spread over the templates that state them), its language and the stages it is
    written for; an offer its kind, discount and instalments. Each has an indicator of its own
    besides (``template:ID``, ``offer:ID``), so that one message may differ from others like it.

    Parameters
    ----------
    templates : sequence of TemplateConfig
    offers : sequence of OfferConfig

    Examples
    --------
    >>> t = TemplateConfig(template_id="a", channel="sms", language="es", features={"tone": "warm"})
    >>> catalogue = TreatmentCatalogue([t], [OfferConfig(offer_id="o", discount_share=0.2)])
    >>> catalogue.features_of("a", None)
    {'language=es': 1.0, 'tone=warm': 1.0, 'template:a': 1.0}
    >>> catalogue.code_of("a", "o"), len(catalogue)
    (3, 4)
    """

    def __init__(self, templates: Sequence[TemplateConfig], offers: Sequence[OfferConfig]) -> None:
        self.template_ids = tuple(t.template_id for t in templates)
        self.offer_ids = tuple(o.offer_id for o in offers)
        units = _units(templates)
        self._template = {t.template_id: _template_features(t, units) for t in templates}
        self._offer = {o.offer_id: _offer_features(o) for o in offers}
        self._place = {name: k for k, name in enumerate(self.template_ids)}
        self._offer_place = {name: k for k, name in enumerate(self.offer_ids)}

    @classmethod
    def of(cls, config: StrategyConfig) -> TreatmentCatalogue:
        """Return the catalogue of a strategy."""
        return cls(config.templates, config.offers)

    def __len__(self) -> int:
        """Return the number of treatments, none of both among them."""
        return (len(self.template_ids) + 1) * (len(self.offer_ids) + 1)

    def code_of(self, template_id: str | None, offer_id: str | None) -> int:
        """Return the number of a treatment; -1 where the strategy does not have it."""
        t = -1 if template_id is None else self._place.get(template_id)
        o = -1 if offer_id is None else self._offer_place.get(offer_id)
        if t is None or o is None:
            return -1
        return int(treatment_code(t, o, len(self.offer_ids)))

    def ids_of(self, code: int) -> tuple[str | None, str | None]:
        """Return template and offer of a number."""
        t, o = divmod(code, len(self.offer_ids) + 1)
        return (
            None if t == 0 else self.template_ids[t - 1],
            None if o == 0 else self.offer_ids[o - 1],
        )

    def features_of(self, template_id: str | None, offer_id: str | None) -> Features:
        """Return the features of a treatment; one that the strategy does not have has its own."""
        found: Features = {}
        if template_id is not None:
            found |= self._template.get(template_id, {})
            found[f"template:{template_id}"] = 1.0
        if offer_id is not None:
            found |= self._offer.get(offer_id, {})
            found[f"offer:{offer_id}"] = 1.0
        return found


def _units(templates: Sequence[TemplateConfig]) -> dict[str, tuple[float, float]]:
    """Mean and spread of every number that some template states."""
    stated: dict[str, list[float]] = {}
    for t in templates:
        for name, value in t.features.items():
            if isinstance(value, float):
                stated.setdefault(name, []).append(value)
    units = {}
    for name, values in stated.items():
        mean = math.fsum(values) / len(values)
        spread = math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values))
        units[name] = (mean, spread if spread > 0 else 1.0)
    return units


def _template_features(t: TemplateConfig, units: dict[str, tuple[float, float]]) -> Features:
    found: Features = {}
    if t.language is not None:
        found[f"language={t.language}"] = 1.0
    found |= {f"written_for={stage}": 1.0 for stage in t.stages}
    for name, value in sorted(t.features.items()):
        if isinstance(value, float):
            mean, spread = units[name]
            found[name] = (value - mean) / spread
        elif isinstance(value, bool):
            found[name] = float(value)
        else:
            found[f"{name}={value}"] = 1.0
    return found


def _offer_features(o: OfferConfig) -> Features:
    found: Features = {"offer": 1.0, f"offer={o.kind}": 1.0}
    if o.discount_share:
        found["offer.discount_share"] = o.discount_share
    if o.n_instalments > 1:
        found["offer.log_instalments"] = math.log(o.n_instalments)
    return found
