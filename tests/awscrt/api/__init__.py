"""Owns the comparison of the installed package with the facts of awscrt 0.38.0's public interface."""
