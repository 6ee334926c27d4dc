"""Kaskad trains, judges and ships small speech recognisers."""

__version__ = "0.1.0"
