"""Schedulers: each decides the next arrival of a run."""
