"""The model store: versions, the link to the live one, and its history."""
