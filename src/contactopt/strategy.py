"""ContactStrategy: the rooms of the house composed; it delegates and implements nothing."""

from __future__ import annotations

import tempfile
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sklearn.base import BaseEstimator
from tqdm.auto import tqdm

from contactopt.bundle import load_bundle, save_bundle
from contactopt.config import StrategyConfig
from contactopt.contracts import Portfolio, ScoredBatch
from contactopt.errors import ConfigError

if TYPE_CHECKING:
    from contactopt.plan import ContactPlan

__all__ = ["ContactStrategy"]

#: customers scored at a time: bounds the memory of features and masks
_BLOCK_CUSTOMERS = 25_000
