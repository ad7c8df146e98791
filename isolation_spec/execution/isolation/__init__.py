"""Isolation of a run in a process that may hang or die."""
