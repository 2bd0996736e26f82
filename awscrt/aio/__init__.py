"""Owns nothing: a folder of the modules that work with asyncio, which is imported by them only."""
