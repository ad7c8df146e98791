"""`python -m isolation_spec`, where the command itself is not on the path."""

from isolation_spec.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
