"""How any model here learns: splits, encoding, trees, lines, their blend and its calibration."""
