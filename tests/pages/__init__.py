"""The rules' pages, run as tests. See README.md."""
