"""Schedulers: each chooses the next arrival of a run."""
