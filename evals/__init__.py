"""Measures Vidocq: scenes with known truth, suites over footage, benchmarks."""
