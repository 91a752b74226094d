"""A jam beside its listener: session, players, keys."""
