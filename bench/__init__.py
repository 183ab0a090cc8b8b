"""Benchmarks: how fast and how small, as ratios taken in one run. `make bench` prints them; nothing here is a test."""
