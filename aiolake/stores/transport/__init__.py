"""The HTTP client that the network stores of a session share."""
