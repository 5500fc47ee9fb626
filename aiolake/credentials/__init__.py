"""Credentials: values with an expiry, how to get them, and who renews them."""
