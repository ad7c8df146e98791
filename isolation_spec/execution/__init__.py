"""Execution: one scenario, one engine, one world, one history."""
