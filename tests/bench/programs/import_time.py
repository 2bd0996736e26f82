"""Measures the seconds that the first import of a module takes: MODULE."""

from __future__ import annotations

import sys
import time

started = time.perf_counter()
__import__(sys.argv[1])
seconds = time.perf_counter() - started

import rig  # noqa: E402 - what it imports must not be there before

rig.answer(seconds)
