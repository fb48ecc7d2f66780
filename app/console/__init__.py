"""The views for people: HTML pages on the same addresses as the JSON routes that they stand on."""
