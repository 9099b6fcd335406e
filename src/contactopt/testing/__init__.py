"""Check suites for what users build themselves: run them in your own tests."""

from contactopt.testing.feature_blocks import Check, check_feature_block, feature_block_checks

__all__ = ["Check", "check_feature_block", "feature_block_checks"]
