"""How the tables of records became what they are: one file for each revision in ``versions``."""
