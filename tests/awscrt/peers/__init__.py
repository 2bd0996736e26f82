"""Owns the other side of connections: servers that a test starts on loopback in its own process, and their certificates."""
