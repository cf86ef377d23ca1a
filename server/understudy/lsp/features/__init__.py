"""What the editor can ask for: one file a feature, found by :mod:`understudy.lsp.feature`."""
