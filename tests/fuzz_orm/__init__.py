"""Generated model modules, compared with the real classes."""
