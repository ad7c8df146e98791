"""Hypothesis strategies that draw scenarios; the only part that needs Hypothesis."""
