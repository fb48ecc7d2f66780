"""Side-by-side measurements against other servers, each with the command that makes it: see ``README.md``."""
