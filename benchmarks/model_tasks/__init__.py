"""One module per task on real data: `NAME` and `run(data, *, seed, quick)`; see bench_models.py."""
