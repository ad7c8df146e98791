"""Engines that ship to be verified, and the registry that finds engines by name."""
