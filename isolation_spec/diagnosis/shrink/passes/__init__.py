"""Shrink passes: each yields smaller candidates of a scenario."""
