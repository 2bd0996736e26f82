"""Owns getting the pinned sources onto this machine: found, downloaded, verified and safely extracted."""
