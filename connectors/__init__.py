"""Connectors know how to talk. One file per kind of system, and what all of them share."""
