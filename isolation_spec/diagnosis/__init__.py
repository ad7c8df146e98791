"""Diagnosis: from a violating history to the smallest one and its explanation."""
