"""HTML pages of text, tables and interactive figures, each in one file that needs no other."""
