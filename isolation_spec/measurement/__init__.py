"""Measurements of the suite itself: mutation score, benchmark, replay fidelity."""
