"""Harm: zero events give the prior pulled down, never zero; evidence moves its own cell most."""

import numpy as np
import pandas as pd
import pytest

from contactopt.bundle import load_bundle, save_bundle
from contactopt.contracts import ActionSpace
from contactopt.errors import ConfigError, ContractError
from contactopt.models import HarmModel

SPACE = ActionSpace.from_channels({"sms": [10], "call_agent": [10, 11]})


def contacts(n, events, channel="sms", touches=0.0):
    hit = (np.arange(n) < events).astype(float)
    return pd.DataFrame(
        {"channel": channel, "touches_7d": touches, "complained": 0.0, "opted_out": hit}
    )


def test_zero_events_give_a_smaller_prior_not_zero():
    prior = HarmModel().fit(None).predict([0], SPACE)
    found = HarmModel().fit(contacts(2000, 0)).predict([0], SPACE)
    # channel: 2000 prior contacts + 2000 seen halve it, the cell counts 1000 against 2000
    assert found.opt_out[0, 0] == pytest.approx(0.008 / 2 / 3)
    assert found.opt_out[0, 1] == prior.opt_out[0, 1] == 0.002
    assert found.complaint[0, 0] > 0


def test_evidence_of_one_pressure_moves_the_others_less():
    quiet = HarmModel().fit(None).predict([0, 4], SPACE).opt_out[:, 0]
    model = HarmModel().fit(contacts(5000, 500, touches=4.0))
    calm, pressed = model.predict([0, 4], SPACE).opt_out[:, 0]
    assert pressed == pytest.approx(0.1, abs=0.015)
    assert quiet[0] < calm < pressed


def test_pressure_raises_harm_and_nan_counts_as_none():
    found = HarmModel().fit(None).predict([0, 1, 3, 6, 50, np.nan], SPACE)
    assert (np.diff(found.complaint[:4, 1]) > 0).all()
    assert found.complaint[4, 1] == found.complaint[3, 1]
    assert found.complaint[5, 1] == found.complaint[0, 1]
    assert found.complaint.shape == (6, 3)
    assert HarmModel().fit(None).predict([], SPACE).opt_out.shape == (0, 3)


def test_unknown_outcomes_are_left_out():
    known = contacts(1000, 10)
    unknown = contacts(1000, 0).assign(complained=np.nan, opted_out=np.nan)
    one = HarmModel().fit(known)
    two = HarmModel().fit(pd.concat([known, unknown]))
    assert np.array_equal(one.opted_out_, two.opted_out_)


def test_state_keeps_the_bits_and_words_are_checked(tmp_path):
    model = HarmModel(like={"rcs": "sms"}).fit(contacts(100, 3, channel="rcs"))
    save_bundle({"harm": model.to_state()}, tmp_path / "b")
    again = HarmModel.from_state(load_bundle(tmp_path / "b")["harm"])
    space = ActionSpace.from_channels({"rcs": [9]})
    assert np.array_equal(again.predict([0, 9], space), model.predict([0, 9], space))
    with pytest.raises(ContractError, match="unknown channel"):
        HarmModel().fit(contacts(5, 0, channel="rcs"))
    with pytest.raises(ConfigError, match="rcs"):
        HarmModel().fit(None).predict([0], space)
