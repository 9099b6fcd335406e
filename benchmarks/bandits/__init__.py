"""Bandit tasks, NumPy baselines and peers of bench_bandits.py."""
