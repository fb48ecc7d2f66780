"""Check on running programs that every alert fires, is delivered and is resolved."""
