"""Tools that agents may use."""
