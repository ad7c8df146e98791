"""The live world: stock asyncio, real sockets, real threads, a real database."""
