"""The endpoints, one file each; ``app.factory`` registers them."""
