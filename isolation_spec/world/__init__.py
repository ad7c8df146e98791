"""The worlds: the simulated one, and in `live` the one of stock asyncio."""

from isolation_spec.world.world import World

__all__ = ["World"]
