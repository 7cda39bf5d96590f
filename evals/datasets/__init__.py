"""Labelled videos, read into one shape whatever their layout."""

from evals.datasets.ucsd import Dataset, Item, load_ucsd

__all__ = ["Dataset", "Item", "load_ucsd"]
