"""The Isolation Forest paper's Mulcross set, made anew and detected by training's own commands."""
