"""What Vidocq costs: run ``python -m evals.bench --help``."""
