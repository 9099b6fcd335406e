"""Decisions: what a policy chose before, with the probability of its choice."""

from __future__ import annotations

import pandas as pd
import pandera.pandas as pa
from pandera.typing import Series

from contactopt.contracts import vocabulary
from contactopt.contracts.tables import fields


class Decisions(pa.DataFrameModel):
    """One row per customer and batch of an earlier policy."""

    decision_id: Series[str] = fields.ident("the decision")
    decided_at: Series[pd.DatetimeTZDtype] = fields.instant("when it was taken")
    customer_id: Series[str] = fields.ident("for whom")
    channel: Series[str] = fields.word(
        "channel chosen, or `wait`", (*vocabulary.CHANNELS, vocabulary.WAIT)
    )
    propensity: Series[float] = fields.share(
        "probability with which this choice would have been drawn"
    )
    batch_id: Series[str] | None = fields.ident("batch it was part of", null=True)
    action_id: Series[str] | None = fields.ident("channel and hour in one word", null=True)
    slot_start: Series[pd.DatetimeTZDtype] | None = fields.instant(
        "first instant of the planned hour", null=True
    )
    slot_local_hour: Series[float] | None = fields.number(
        "planned clock hour at the customer", ge=0, le=23, null=True
    )
    template_id: Series[str] | None = fields.ident("message chosen", null=True)
    offer_id: Series[str] | None = fields.ident("offer chosen", null=True)
    debt_id: Series[str] | None = fields.ident("debt named", null=True)
    n_eligible: Series[float] | None = fields.count(
        "number of actions that could have been drawn", null=True
    )
    holdout: Series[bool] | None = fields.flag(
        "customer of the control group: only wait was possible"
    )
    dispatch_status: Series[str] | None = fields.word(
        "what became of it", vocabulary.DISPATCH_STATUSES, null=True
    )
    dispatched_at: Series[pd.DatetimeTZDtype] | None = fields.instant(
        "when it was handed over", null=True
    )
    policy_version: Series[str] | None = fields.text("version of the policy", null=True)
    rules_version: Series[str] | None = fields.text("version of the rules", null=True)
    recorded_at: Series[pd.DatetimeTZDtype] | None = fields.recorded()
