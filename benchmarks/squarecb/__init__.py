"""VowpalWabbit's squarecb as a rival of the simulated month; see child.py and rival.py."""
