"""Fixes: choosing, applying, writing and showing edits."""
