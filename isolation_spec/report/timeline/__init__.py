"""The timeline of a failure page."""
