"""The deterministic world: loop, scheduler, network, database, clock and ledger."""

from isolation_spec.world.world import World

__all__ = ["World"]
