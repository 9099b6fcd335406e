"""Made-up batches whose arms have a choice of messages and offers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scored import make_batch

from contactopt.contracts import ScoredBatch
from contactopt.contracts.treatment_table import TreatmentTable

OFFERS = ("half", "plan-3")


def treated_batch(
    n: int = 200, *, templates: int = 6, effect: float = 0.0, spread: float = 0.01, seed: int = 0,
    **more,
) -> ScoredBatch:  # fmt: skip
    """A batch of `make_batch`; sms and e-mail arms have groups of treatments, others none."""
    batch = make_batch(n, seed=seed, **more)
    rng = np.random.default_rng([seed, 9])
    width = (templates + 1) * (len(OFFERS) + 1)
    channels = [batch.actions.channels[c] for c in batch.actions.channel_index]
    keys, group = [], np.full(batch.allowed.shape, -1, dtype=np.int32)
    for channel in ("sms", "email"):
        arms = np.array([c == channel for c in channels])
        for stage in ("early", "late"):
            members = np.sort(rng.choice(np.arange(3, width), min(width - 3, 9), replace=False))
            keys.append(((channel, stage), members.astype(">i4").tobytes()))
            who = rng.random(n) < 0.5
            group[np.ix_(who, arms)] = len(keys) - 1
    group[~batch.allowed] = -1
    contexts = sorted({context for context, _ in keys})
    bare = TreatmentTable(
        len(OFFERS), tuple(contexts), rng.normal(0, effect, (len(contexts), width)),
        np.full((len(contexts), width), spread), np.empty(0, np.int32), np.zeros(1, np.int64),
        np.empty(0, np.int32), 0.99,
    )  # fmt: skip
    table = TreatmentTable.from_keys(keys, [bare])
    first = table.template_of(table.member[table.starts[:-1]])
    template = np.where(group >= 0, np.append(first, -1)[group], -1).astype(np.int16)
    return replace(
        batch, template=template, template_ids=tuple(f"t{k}" for k in range(templates)),
        offer_ids=OFFERS, treatment_group=group, treatments=table,
    )  # fmt: skip
