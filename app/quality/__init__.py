"""How right the detector is, as far as labels tell, with the doubt that belongs to it: pure NumPy, no database."""
