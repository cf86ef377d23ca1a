"""Metering of paid features."""
