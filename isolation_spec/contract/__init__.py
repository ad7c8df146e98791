"""The contract between an engine's adapter and the suite, and its checks."""
