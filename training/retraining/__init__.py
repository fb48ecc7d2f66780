"""The next model: trained from records, compared with the live one, and made live only if it is better."""
