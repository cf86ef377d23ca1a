"""What one file says at import time, as immutable serialisable data. One pass per top-level statement."""
