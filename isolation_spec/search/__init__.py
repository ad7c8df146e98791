"""The search: many workloads under many schedules in many processes."""
