"""What is no portfolio, no configuration or no batch is told with what to write instead."""

from __future__ import annotations

import pandas as pd
import pytest

import contactopt as co
from contactopt.errors import ConfigError, ContractError

AS_OF = "2026-06-02T12:00Z"


def test_frames_are_no_portfolio():
    strategy = co.ContactStrategy()
    for given in ({"customers": pd.DataFrame()}, "portfolio/"):
        with pytest.raises(ContractError, match=r"Portfolio\.from_folder"):
            strategy.rank(given, as_of=AS_OF)
        with pytest.raises(ContractError, match=r"Portfolio\.from_folder"):
            strategy.fit(given, as_of=AS_OF)


@pytest.mark.parametrize("config", ["strategy.yaml", {"slots": [9]}])
def test_settings_are_read_first(config):
    with pytest.raises(ConfigError, match=r"ContactStrategy\.from_yaml"):
        co.ContactStrategy(config=config).fit(None, as_of=AS_OF)


def test_scores_are_made_a_batch_first():
    with pytest.raises(ContractError, match=r"ScoredBatch\.from_frame"):
        co.rank(pd.DataFrame({"customer_id": ["a"]}))
