"""The model: scenarios to run and histories of observations, as plain data."""
